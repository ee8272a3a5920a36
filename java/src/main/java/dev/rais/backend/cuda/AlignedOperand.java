package dev.rais.backend.cuda;

import dev.rais.backend.DType;

/**
 * An operand of cuDNN at an address that suits it: the operand itself, or a copy for the time of an
 * operation. A slice of all parameters, say, may begin at any element, and cuDNN refuses that where
 * an algorithm reads vectors. Memory of copies is kept, as operations that are recorded may not
 * allocate.
 */
final class AlignedOperand implements AutoCloseable {
  private static final long ALIGNMENT = 16;

  private final Device device;
  private final long numBytes;

  /** Memory for copies; 0 before the first. */
  private long copy;

  AlignedOperand(Device device, DType type, long count) {
    this.device = device;
    numBytes = count * type.numBytes();
  }

  private static boolean fits(long pointer) {
    return pointer % ALIGNMENT == 0;
  }

  /**
   * Where the operation finds the operand.
   *
   * @param written whether it overwrites it rather than reads it
   */
  long begin(long original, boolean written) {
    if (fits(original)) {
      return original;
    }
    if (copy == 0) {
      copy = device.allocate(numBytes);
    }
    if (!written) {
      device.copy(copy, original, numBytes);
    }
    return copy;
  }

  /** After the operation: brings back what it has written. */
  void end(long original, boolean written) {
    if (written && !fits(original)) {
      device.copy(original, copy, numBytes);
    }
  }

  @Override
  public void close() {
    if (copy != 0) {
      device.free(copy);
      copy = 0;
    }
  }
}
