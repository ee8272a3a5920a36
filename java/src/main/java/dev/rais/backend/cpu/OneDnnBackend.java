package dev.rais.backend.cpu;

import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * The CPU backend with its convolutions, linear layers and pooling on oneDNN. Where oneDNN refuses
 * one of them, the Java loops compute it, if the caller allows that: buffers are laid out alike.
 */
final class OneDnnBackend extends JavaBackend {
  private final DnnRuntime runtime;

  /** Is told why the Java loops take over an operation; null where they may not. */
  private final Consumer<String> warn;

  private boolean warned;

  /**
   * Loads oneDNN and tries it.
   *
   * @param warn is told, at most once, why the Java loops take over an operation that oneDNN cannot
   *     make; null if they may not
   * @throws DnnUnavailableException with the reason where it cannot be used
   */
  static OneDnnBackend open(int threads, Consumer<String> warn) {
    try {
      OneDnnBackend backend = new OneDnnBackend(new DnnRuntime(new Dnn(), threads), warn);
      try {
        backend.tryOut();
      } catch (Throwable e) {
        backend.close();
        throw e;
      }
      return backend;
    } catch (DnnException e) {
      throw new DnnUnavailableException(e.getMessage(), e);
    }
  }

  private OneDnnBackend(DnnRuntime runtime, Consumer<String> warn) {
    super(crew(runtime));
    this.runtime = runtime;
    this.warn = warn;
  }

  /** A library that loads need not work: 2·3 + 1 = 7. */
  private void tryOut() {
    try (Linear linear = new DnnLinear(new LinearShape(1, 1, 1), runtime, workers());
        Buffer x = number(2);
        Buffer w = number(3);
        Buffer b = number(1);
        Buffer y = number(0)) {
      linear.forward(x, w, b, y);
      float found = y.toFloats()[0];
      if (found != 7) {
        throw new DnnException("2·3 + 1 gave " + found);
      }
    }
  }

  private Buffer number(float value) {
    Buffer buffer = allocate(DType.FLOAT32, 1);
    buffer.upload(new float[] {value});
    return buffer;
  }

  /** Takes over the runtime, which is closed if this fails. */
  private static Workers crew(DnnRuntime runtime) {
    try {
      OpenMp openMp = runtime.dnn().openMp();
      return openMp != null && openMp.hasRegions() && runtime.threads() > 1
          ? new OpenMpWorkers(runtime, openMp)
          : new ForkJoinWorkers(runtime.threads());
    } catch (Throwable e) {
      runtime.close();
      throw e;
    }
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
    return make(
        shape,
        () ->
            WinogradConvolution.suits(shape)
                ? new WinogradConvolution(shape, runtime, workers())
                : new DnnConvolution(shape, runtime, workers()),
        () -> super.convolution(shape));
  }

  @Override
  public Linear linear(LinearShape shape) {
    return make(shape, () -> new DnnLinear(shape, runtime, workers()), () -> super.linear(shape));
  }

  @Override
  public MaxPool maxPool(PoolShape shape) {
    return make(
        shape,
        () -> new DnnMaxPool(shape, runtime, bytes -> allocate(DType.UINT8, bytes)),
        () -> super.maxPool(shape));
  }

  /** Makes an operation; one that fails half-way leaves nothing. */
  private <T> T make(Record shape, Supplier<T> onDnn, Supplier<T> inJava) {
    Consumer<Throwable> savepoint = savepoint();
    try {
      return onDnn.get();
    } catch (DnnException e) {
      savepoint.accept(e);
      if (warn == null) {
        throw e;
      }
      if (!warned) {
        warned = true;
        warn.accept(
            "%s, for %s; operations that it cannot make are computed in pure Java, which is several times slower"
                .formatted(e.getMessage(), shape));
      }
      return inJava.get();
    } catch (Throwable e) {
      savepoint.accept(e);
      throw e;
    }
  }

  @Override
  public Consumer<Throwable> savepoint() {
    Set<DnnPrimitive> before = runtime.live();
    return super.savepoint().andThen(failure -> runtime.closeAllBut(before));
  }

  @Override
  public void close() {
    if (isOpen()) {
      try {
        runtime.close();
      } finally {
        super.close();
      }
    }
  }
}
