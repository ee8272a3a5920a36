package dev.rais.backend;

/** The checks and window arithmetic that the shape records and operations share. */
final class Shapes {
  private Shapes() {}

  static void requirePositive(String what, long value) {
    if (value <= 0) {
      throw new IllegalArgumentException(what + " must be at least 1, not " + value);
    }
  }

  static void requireWindow(int height, int width, int kernel, int stride, int padding) {
    requirePositive("kernel", kernel);
    requirePositive("stride", stride);
    if (padding < 0 || padding >= kernel) {
      throw new IllegalArgumentException(
          "padding must be from 0 to kernel - 1 = " + (kernel - 1) + ", not " + padding);
    }
    if (kernel > height + 2 * padding || kernel > width + 2 * padding) {
      throw new IllegalArgumentException(
          "a "
              + kernel
              + "x"
              + kernel
              + " window does not fit into "
              + height
              + "x"
              + width
              + " with padding "
              + padding);
    }
  }

  static int windows(int size, int kernel, int stride, int padding) {
    return (size + 2 * padding - kernel) / stride + 1;
  }

  /** Product of two sizes of an operation, both at least 1. */
  static long product(String operation, long a, long b) {
    if (a < 1 || b < 1) {
      throw new IllegalArgumentException(
          operation + ": sizes must be at least 1, not " + Math.min(a, b));
    }
    return Math.multiplyExact(a, b);
  }

  /** The count of an operand that sets the counts of others. */
  static long count(String operation, String operand, Buffer buffer) {
    if (buffer == null) {
      throw new IllegalArgumentException(operation + ": " + operand + " is missing");
    }
    return buffer.count();
  }

  /** Checks one operand of an operation: there, of the right type, and of exactly this count. */
  static void require(String operation, String operand, Buffer buffer, DType type, long count) {
    count(operation, operand, buffer);
    if (buffer.type() != type || buffer.count() != count) {
      throw new IllegalArgumentException(
          operation
              + ": "
              + operand
              + " is "
              + buffer
              + " where "
              + type
              + "["
              + count
              + "] is needed");
    }
  }

  /** Checks an operand that is needed under a condition and must be null otherwise. */
  static void requireIf(
      boolean needed, String operation, String operand, Buffer buffer, DType type, long count) {
    if (needed) {
      require(operation, operand, buffer, type, count);
    } else if (buffer != null) {
      throw new IllegalArgumentException(
          operation + ": " + operand + " is " + buffer + ", but this shape has none: pass null");
    }
  }

  /** Checks an operand that may be null. */
  static void requireOrNull(
      String operation, String operand, Buffer buffer, DType type, long count) {
    if (buffer != null) {
      require(operation, operand, buffer, type, count);
    }
  }
}
