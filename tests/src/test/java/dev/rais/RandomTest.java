package dev.rais;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;

/**
 * What the randomised tests of this package share: a seed that is printed and can be given back
 * with {@code -Drais.test.seed=...}, and the chi-square test.
 */
public abstract class RandomTest {
  private static final long SEED = Long.getLong("rais.test.seed", System.nanoTime());

  /** A one-sided normal quantile: a right implementation fails one test in 3e8. */
  private static final double QUANTILE = 5.6;

  /** The seed of this run: random unless the property {@code rais.test.seed} names one. */
  protected static long seed() {
    return SEED;
  }

  /** A generator from {@link #seed}; prints how to repeat the test. */
  protected static Random random(String test) {
    System.out.println(test + ": repeat with -Drais.test.seed=" + SEED);
    return new Random(SEED);
  }

  /** Pearson's statistic of counts against expected counts. */
  protected static double chiSquare(long[] counts, double[] expected) {
    double sum = 0;
    for (int i = 0; i < counts.length; i++) {
      double difference = counts[i] - expected[i];
      sum += difference * difference / expected[i];
    }
    return sum;
  }

  /** Fails if the counts differ from the expected ones by more than chance allows. */
  protected static void assertCountsFit(long[] counts, double[] expected) {
    double statistic = chiSquare(counts, expected);
    double limit = chiSquareLimit(counts.length - 1);
    assertTrue(
        statistic < limit,
        () ->
            "chi-square %.1f exceeds %.1f at %d degrees of freedom; repeat with -Drais.test.seed=%d"
                .formatted(statistic, limit, counts.length - 1, SEED));
  }

  /** Fails if the counts are not equal up to chance. */
  protected static void assertUniform(long[] counts) {
    double total = 0;
    for (long count : counts) {
      total += count;
    }
    double[] expected = new double[counts.length];
    java.util.Arrays.fill(expected, total / counts.length);
    assertCountsFit(counts, expected);
  }

  /** The Wilson-Hilferty approximation of the chi-square quantile. */
  private static double chiSquareLimit(int degrees) {
    double variance = 2.0 / (9.0 * degrees);
    return degrees * Math.pow(1 - variance + QUANTILE * Math.sqrt(variance), 3);
  }
}
