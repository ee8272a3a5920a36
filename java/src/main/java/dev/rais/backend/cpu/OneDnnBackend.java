package dev.rais.backend.cpu;

import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;
import java.util.Set;
import java.util.function.Consumer;

/** The CPU backend with its convolutions, linear layers and pooling on oneDNN. */
final class OneDnnBackend extends JavaBackend {
  private final DnnRuntime runtime;

  /**
   * Loads oneDNN.
   *
   * @throws DnnUnavailableException with the reason where it cannot be used
   */
  OneDnnBackend(int threads) {
    this(new DnnRuntime(new Dnn(), threads));
  }

  private OneDnnBackend(DnnRuntime runtime) {
    super(crew(runtime));
    this.runtime = runtime;
  }

  private static Workers crew(DnnRuntime runtime) {
    OpenMp openMp = runtime.dnn().openMp();
    return openMp != null && openMp.hasRegions() && runtime.threads() > 1
        ? new OpenMpWorkers(runtime, openMp)
        : new ForkJoinWorkers(runtime.threads());
  }

  @Override
  public String description() {
    Dnn dnn = runtime.dnn();
    return "oneDNN "
        + dnn.version()
        + " ("
        + dnn.instructionSet()
        + "), "
        + threads(runtime.threads());
  }

  @Override
  public Convolution convolution(ConvolutionShape shape) {
    return new DnnConvolution(shape, runtime, workers());
  }

  @Override
  public Linear linear(LinearShape shape) {
    return new DnnLinear(shape, runtime, workers());
  }

  @Override
  public MaxPool maxPool(PoolShape shape) {
    return new DnnMaxPool(shape, runtime, bytes -> allocate(DType.UINT8, bytes));
  }

  @Override
  public Consumer<Throwable> savepoint() {
    Set<DnnPrimitive> before = runtime.live();
    return super.savepoint().andThen(failure -> runtime.closeAllBut(before));
  }

  @Override
  public void close() {
    if (isOpen()) {
      runtime.close();
      super.close();
    }
  }
}
