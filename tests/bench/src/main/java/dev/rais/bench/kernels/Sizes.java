package dev.rais.bench.kernels;

/** How large operands are, and their random values. */
record Sizes(boolean quick) {
  /** 256 MiB read and written at least: far beyond the caches. */
  private static final long BYTES = 1L << 28;

  private static final long QUICK_BYTES = 1L << 18;

  /** Elements of a kernel that moves {@code bytesPerElement}. */
  int elements(int bytesPerElement) {
    return Math.toIntExact(Math.ceilDiv(quick ? QUICK_BYTES : BYTES, bytesPerElement));
  }

  /** Rows of that many elements. */
  int rows(int columns, int bytesPerElement) {
    return Math.ceilDiv(elements(bytesPerElement), columns);
  }

  /** Leaves of the sum tree. */
  int leaves() {
    return quick ? 10_000 : 10_000_000;
  }

  /** Values in [−4, 4). */
  static float[] values(int count, long seed) {
    var random = new java.util.SplittableRandom(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = 8 * (float) random.nextDouble() - 4;
    }
    return values;
  }

  /** Integers from 0 to below {@code bound}. */
  static int[] integers(int count, int bound, long seed) {
    return new java.util.SplittableRandom(seed).ints(count, 0, bound).toArray();
  }
}
