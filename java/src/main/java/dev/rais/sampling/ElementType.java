package dev.rais.sampling;

/** What the values of an array in a saved state are, little-endian, named as safetensors does. */
public enum ElementType {
  /** Bytes of any meaning. */
  U8(1),
  /** Signed integers of 32 bits. */
  I32(4),
  /** Signed integers of 64 bits. */
  I64(8),
  /** Floats. */
  F32(4),
  /** Doubles. */
  F64(8);

  private final int numBytes;

  ElementType(int numBytes) {
    this.numBytes = numBytes;
  }

  /** Size of one element. */
  public int numBytes() {
    return numBytes;
  }
}
