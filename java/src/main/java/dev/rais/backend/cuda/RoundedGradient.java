package dev.rais.backend.cuda;

import static dev.rais.backend.cuda.CudaBuffer.at;

import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.lang.foreign.MemorySegment;

/**
 * Where cuDNN leaves a gradient of weights in bfloat16: its convolutions have one type for all
 * operands, but the parameters' gradients are floats. The memory is kept, as operations that are
 * recorded may not allocate.
 */
final class RoundedGradient implements AutoCloseable {
  private final Device device;
  private final long count;

  /** 0 before the first use. */
  private long pointer;

  RoundedGradient(Device device, long count) {
    this.device = device;
    this.count = count;
  }

  /** Where to leave it. */
  long place() {
    if (pointer == 0) {
      pointer = device.allocate(count * DType.BFLOAT16.numBytes());
    }
    return pointer;
  }

  /** Hands on what was left, as floats. */
  void widen(Buffer to) {
    device
        .kernels
        .layers()
        .toFloat32(device.stream(), count, MemorySegment.ofAddress(pointer), at(to));
  }

  @Override
  public void close() {
    if (pointer != 0) {
      device.free(pointer);
      pointer = 0;
    }
  }
}
