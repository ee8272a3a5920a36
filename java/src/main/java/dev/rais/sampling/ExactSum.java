package dev.rais.sampling;

/**
 * The exact sum of many floats that come and go: a fixed-point number wide enough for all of them.
 *
 * <p>A double that is incremented and decremented drifts, and its bits depend on the order of what
 * was done to it. This sum depends only on the values that are in it at the moment, like a sum over
 * all of them, but costs nothing to keep up to date.
 */
final class ExactSum {
  /**
   * Limb i counts units of 2^(32 i − 149); 8 hold the largest float, the last takes the carries.
   */
  private static final int LIMBS = 9;

  private static final int UNIT_EXPONENT = -149;
  private static final long LIMB_MASK = 0xFFFFFFFFL;

  /** Each change moves a limb by less than 2^32: after so many, none has overflowed. */
  private static final int CHANGES_TO_CARRY = 1 << 30;

  private final long[] limbs = new long[LIMBS];
  private int changes;

  /** Takes one value out and puts another in; both finite and not negative, 0 for none. */
  void replace(float out, float in) {
    if (++changes == CHANGES_TO_CARRY) {
      carry();
    }
    int bits = Float.floatToRawIntBits(in);
    int shift = shift(bits);
    long units = mantissa(bits) << (shift & 31);
    limbs[shift >> 5] += units & LIMB_MASK;
    limbs[(shift >> 5) + 1] += units >>> 32;
    bits = Float.floatToRawIntBits(out);
    shift = shift(bits);
    units = mantissa(bits) << (shift & 31);
    limbs[shift >> 5] -= units & LIMB_MASK;
    limbs[(shift >> 5) + 1] -= units >>> 32;
  }

  /** Makes the sum 0. */
  void clear() {
    java.util.Arrays.fill(limbs, 0);
    changes = 0;
  }

  /** The sum, rounded to within a few units in the last place; always the same for one sum. */
  double value() {
    carry();
    double sum = 0;
    for (int i = 0; i < LIMBS; i++) {
      sum += Math.scalb((double) limbs[i], 32 * i + UNIT_EXPONENT);
    }
    return sum;
  }

  /** Brings all limbs but the last to [0, 2^32), the one way in which to write a number. */
  private void carry() {
    for (int i = 0; i < LIMBS - 1; i++) {
      limbs[i + 1] += limbs[i] >> 32;
      limbs[i] &= LIMB_MASK;
    }
    changes = 0;
  }

  /** The exponent of a float's last bit, counted from that of the smallest float. */
  private static int shift(int bits) {
    return Math.max((bits >>> 23) & 0xFF, 1) - 1;
  }

  private static long mantissa(int bits) {
    int fraction = bits & 0x7FFFFF;
    return (bits & 0x7F800000) == 0 ? fraction : fraction | 0x800000;
  }
}
