package dev.rais.backend.cpu;

/**
 * e^(x − r) of floats, for −{@link #RANGE} ≤ x − r ≤ 0, in loops that C2 vectorises.
 *
 * <p>C2 does not vectorise Float.intBitsToFloat, the usual way to a power of two, but it does
 * vectorise Float.float16ToFloat from an array. So one loop takes y = (x − r) · ½ log2 e apart into
 * a whole number n, kept as the bits of the half-precision number 2^(n + 15), and a remainder of at
 * most ½; another one computes (2^n · 2^remainder)². The square doubles the range of the 30 powers
 * that half precision has.
 *
 * <p>The relative error is at most 2e-7 · (1 + |x − r|): about 2 units in the last place near 0,
 * and what rounding the argument brings elsewhere. e^0 is 1. No fused multiply-add is used, so the
 * bits are the same everywhere, and a processor without that instruction does not have to emulate
 * it.
 */
final class VectorExp {
  /** Largest |x − r|: the whole number stays above −30, where half precision has denormals. */
  static final float RANGE = 40;

  /** Half precision has 10 bits of fraction, so the exponent is counted in steps of 1024. */
  private static final float SCALE = (float) (1024 * 0.5 / Math.log(2));

  /** Added and taken off again, it rounds to a multiple of 1024. */
  private static final float ROUNDING = 0x1.8p33f;

  /** Bits of 2^15, the largest power of two; also a factor that {@link #value} takes off. */
  private static final float LARGEST = 30 << 10;

  // 2^x on [−½, ½] with the least relative error (2e-9) of all that are 1 at 0; x is in steps of
  // 1/1024, and all have a factor of 2^-15.
  private static final float C0 = 0x1p-15f;
  private static final float C1 = 0x1.62e430p-26f;
  private static final float C2 = 0x1.ebfbdcp-38f;
  private static final float C3 = 0x1.c6aee8p-50f;
  private static final float C4 = 0x1.3b2d4cp-62f;
  private static final float C5 = 0x1.5f3e54p-75f;
  private static final float C6 = 0x1.41fbbcp-88f;

  private VectorExp() {}

  /**
   * The first loop.
   *
   * @param x arguments; on return the remainders
   * @param references r of every argument
   * @param powers on return the powers of two
   */
  static void split(float[] x, float[] references, short[] powers, int count) {
    for (int i = 0; i < count; i++) {
      float y = (x[i] - references[i]) * SCALE;
      float rounded = (y + ROUNDING) - ROUNDING;
      x[i] = y - rounded;
      powers[i] = (short) (int) (rounded + LARGEST);
    }
  }

  /** What the second loop does for every element. */
  static float value(float remainder, short power) {
    float x = remainder;
    float root = (((((C6 * x + C5) * x + C4) * x + C3) * x + C2) * x + C1) * x + C0;
    root *= Float.float16ToFloat(power);
    return root * root;
  }

  /**
   * The second loop.
   *
   * @param x remainders; on return the values
   */
  static void join(float[] x, short[] powers, int count) {
    for (int i = 0; i < count; i++) {
      x[i] = value(x[i], powers[i]);
    }
  }

  /**
   * The second loop, where it also adds the values and their squares to sums, element by element.
   *
   * @param x remainders; on return the values
   */
  static void join(float[] x, short[] powers, float[] sums, float[] squares, int count) {
    for (int i = 0; i < count; i++) {
      float e = value(x[i], powers[i]);
      x[i] = e;
      sums[i] += e;
      squares[i] += e * e;
    }
  }
}
