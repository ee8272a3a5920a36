package dev.rais.backend;

/**
 * How far a single-precision result may lie from the exact one.
 *
 * <p>A sum of k products in any order, with or without fused multiply-adds, errs by at most γ_k
 * Σ|a||b|, γ_k ≈ k u with u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, §3.1).
 * For long sums the errors average out and stay below λ √k u Σ|a||b| with a probability that is
 * negligibly far from 1 at λ = 16 (Higham and Mary 2019), so the smaller of the two is used.
 * Σ|a||b| comes from the reference itself, run on absolute values.
 */
public final class ErrorBounds {
  /** Half a unit in the last place of 1. */
  public static final double U = 0x1p-24;

  /** The same of bfloat16, which has 8 bits. */
  public static final double BFLOAT16_U = 0x1p-8;

  /** Largest error of a bfloat16 that is rounded to a multiple of the least one above 0. */
  public static final double BFLOAT16_LEAST = 0x1p-134;

  private ErrorBounds() {}

  /** γ for a sum of k products and a bias, rounded to a float. */
  public static double gamma(double k) {
    return U * Math.min(k + 3, 16 * Math.sqrt(k + 3));
  }

  /** Bounds of sums of k products, given Σ|a||b| of each. */
  public static double[] ofSums(double k, double[] absoluteSums) {
    return scaled(gamma(k), absoluteSums);
  }

  /** factor · |values| + floor. */
  public static double[] relative(double factor, double[] values, double floor) {
    double[] bounds = scaled(factor, values);
    for (int i = 0; i < bounds.length; i++) {
      bounds[i] += floor;
    }
    return bounds;
  }

  private static double[] scaled(double factor, double[] values) {
    double[] bounds = new double[values.length];
    for (int i = 0; i < bounds.length; i++) {
      bounds[i] = factor * Math.abs(values[i]);
    }
    return bounds;
  }

  public static double[] absolute(double[] values) {
    return scaled(1, values);
  }

  public static double[] doubles(float[] values) {
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = values[i];
    }
    return result;
  }
}
