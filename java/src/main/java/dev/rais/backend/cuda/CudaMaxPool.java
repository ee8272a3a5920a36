package dev.rais.backend.cuda;

import static dev.rais.backend.cuda.CudaBuffer.at;

import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;

/** Max pooling by our kernels, with a byte for each window's winner. */
final class CudaMaxPool extends MaxPool {
  /** A winner's place in its window has to fit into a byte. */
  private static final int MAX_KERNEL = 16;

  private final Device device;
  private final LayerKernels layers;
  private final CudaBuffer winners;

  CudaMaxPool(Device device, PoolShape shape) {
    super(shape, device.activations());
    if (shape.kernel() > MAX_KERNEL) {
      throw new IllegalArgumentException(
          "max pooling on CUDA: windows are up to %d x %d, not %d x %d"
              .formatted(MAX_KERNEL, MAX_KERNEL, shape.kernel(), shape.kernel()));
    }
    this.device = device;
    layers = device.kernels.layers();
    winners = CudaBuffer.allocate(device, DType.UINT8, shape.outputCount());
  }

  @Override
  protected void doForward(Buffer x, Buffer y) {
    PoolShape s = shape();
    layers.maxPool(
        device.stream(),
        s.batch(),
        s.height(),
        s.width(),
        s.channels(),
        s.kernel(),
        s.stride(),
        device.activationsCode(),
        at(x),
        at(y),
        at(winners));
  }

  @Override
  protected void doBackward(Buffer dy, Buffer dx) {
    PoolShape s = shape();
    layers.maxPoolBackward(
        device.stream(),
        s.batch(),
        s.height(),
        s.width(),
        s.channels(),
        s.kernel(),
        s.stride(),
        device.activationsCode(),
        at(dy),
        at(winners),
        at(dx));
  }

  @Override
  public void close() {
    winners.close();
  }
}
