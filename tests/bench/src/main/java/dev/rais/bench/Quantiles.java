package dev.rais.bench;

import java.util.Arrays;

/** Order statistics of a few measurements. */
public final class Quantiles {
  private Quantiles() {}

  /** The middle value, or the mean of the middle two. */
  public static double median(double[] values) {
    return of(values, 0.5);
  }

  /**
   * The value that a share of the others is below, between two of them where it falls there.
   *
   * @param share 0 to 1
   */
  public static double of(double[] values, double share) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    double at = share * (sorted.length - 1);
    int below = (int) at;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }
}
