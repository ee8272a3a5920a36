package dev.rais.reference;

/** The upper 16 bits of a float. */
public final class Bfloat16 {
  private Bfloat16() {}

  /** The nearest one; between two, the one whose last bit is 0. */
  public static short of(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
  }

  /** Its value. */
  public static float toFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** The nearest one's value. */
  public static float rounded(float value) {
    return toFloat(of(value));
  }
}
