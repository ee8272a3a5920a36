package dev.rais.kernels;

/**
 * What an operand consists of.
 *
 * <p>Poison lies where nothing may be read, or is yet to be written: values that spoil a result
 * (NaNs, indices far outside) and that no kernel writes.
 */
enum Element {
  BYTE(1, 0xa5),
  BFLOAT16(2, 0x7fcd),
  FLOAT(4, 0x7fc0dead),
  INT(4, 0x7fc0dead),
  DOUBLE(8, 0x7ff8dead7fc0deadL),
  LONG(8, 0x7ff8dead7fc0deadL);

  private final int numBytes;
  private final long poison;

  Element(int numBytes, long poison) {
    this.numBytes = numBytes;
    this.poison = poison;
  }

  int numBytes() {
    return numBytes;
  }

  /** The poison's byte at a position, in the order of little-endian machines. */
  byte poison(long position) {
    return (byte) (poison >>> 8 * Math.floorMod(position, numBytes));
  }
}
