package dev.rais.backend.cuda;

/**
 * An operand of cuDNN at an address that suits it: the operand itself, or a copy for the time of an
 * operation. A slice of all parameters, say, may begin at any float, and cuDNN refuses that where
 * an algorithm reads vectors.
 */
final class AlignedOperand implements AutoCloseable {
  private static final long ALIGNMENT = 16;

  private final Device device;
  private final long original;
  private final long numBytes;
  private final boolean written;
  private final long pointer;

  /**
   * Copies if it must.
   *
   * @param written whether the operation overwrites it rather than reads it
   */
  AlignedOperand(Device device, long original, long count, boolean written) {
    this.device = device;
    this.original = original;
    this.written = written;
    numBytes = count * Float.BYTES;
    if (original % ALIGNMENT == 0) {
      pointer = original;
    } else {
      pointer = device.allocate(numBytes);
      if (!written) {
        device.copy(pointer, original, numBytes);
      }
    }
  }

  long pointer() {
    return pointer;
  }

  @Override
  public void close() {
    if (pointer != original) {
      if (written) {
        device.copy(original, pointer, numBytes);
      }
      device.free(pointer);
    }
  }
}
