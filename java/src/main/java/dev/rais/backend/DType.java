package dev.rais.backend;

/** The element types a {@link Buffer} can hold. */
public enum DType {
  /** IEEE 754 single precision. */
  FLOAT32(4),
  /** The upper half of a FLOAT32: 8 bits of precision, the same range. */
  BFLOAT16(2),
  /** Signed 32-bit integers: labels and indices. */
  INT32(4),
  /** Unsigned bytes: images and flags. */
  UINT8(1);

  private final int numBytes;

  DType(int numBytes) {
    this.numBytes = numBytes;
  }

  /** Size of one element in bytes. */
  public int numBytes() {
    return numBytes;
  }
}
