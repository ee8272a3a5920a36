package dev.rais.backend;

/** Conversions of arrays between float and bfloat16, the upper half of a float. */
public final class Bfloat16 {
  private Bfloat16() {}

  /** {@code source[from .. from + count)} rounded to nearest, ties to even; NaNs stay NaNs. */
  public static short[] round(float[] source, int from, int count) {
    short[] rounded = new short[count];
    for (int i = 0; i < count; i++) {
      int bits = Float.floatToRawIntBits(source[from + i]);
      boolean isNan = Float.isNaN(source[from + i]);
      // Rounding could carry a NaN's payload over into infinity.
      int sum = isNan ? bits | 0x40_0000 : bits + 0x7fff + (bits >>> 16 & 1);
      rounded[i] = (short) (sum >>> 16);
    }
    return rounded;
  }

  /** Writes the values, which are floats too, to {@code target[from ..)}. */
  public static void widen(short[] source, float[] target, int from) {
    for (int i = 0; i < source.length; i++) {
      target[from + i] = Float.intBitsToFloat(source[i] << 16);
    }
  }
}
