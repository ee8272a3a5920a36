package dev.rais.sampling;

import java.util.Arrays;

/**
 * The trained uncertainty set of the gradient norms and the robust values it implies
 * (docs/algorithm.md sections 2 and 3).
 *
 * <p>With a feature vector s_i ≥ 0 per example and d = h* · d̂, the set is
 *
 * <pre>
 *   U = { v ≥ 0 : (1/n) Σ_i (v_i − ⟨c,s_i⟩)² / ⟨d,s_i⟩ ≤ 1 }
 * </pre>
 *
 * and the sampling distribution with the smallest worst case over U is p_i = v_i / Σ_j v_j with
 *
 * <pre>
 *   v_i = ⟨c,s_i⟩ + k ⟨d,s_i⟩ = ⟨c,s_i⟩ + e ⟨d̂,s_i⟩
 *   k = sqrt(1 / ⟨d,s̄⟩),   e = k h* = sqrt(h* / ⟨d̂,s̄⟩),   s̄ = (1/n) Σ_i s_i
 * </pre>
 *
 * <p>Here e is {@link #errorScale}; unlike k it is finite when h* is 0. Norms v and features s
 * share a unit; c has none, d̂ is in 1/unit, e in unit and h* in unit squared.
 *
 * @param c [features] coefficients of the predicted norm, not negative
 * @param dHat [features] shape of the error, not negative; the solver returns ⟨d̂,s̄⟩ = 1
 * @param hStar the weighted mean of (⟨c,s̃⟩ − ṽ)² / ⟨d̂,s̃⟩ over the records
 */
public record UncertaintySet(double[] c, double[] dHat, double hStar) {
  /**
   * Checks and copies.
   *
   * @throws IllegalArgumentException if the lengths differ, or an entry is negative or not finite
   */
  public UncertaintySet {
    if (c.length != dHat.length) {
      throw new IllegalArgumentException(
          "c has %d features, but dHat has %d".formatted(c.length, dHat.length));
    }
    c = c.clone();
    dHat = dHat.clone();
    for (int k = 0; k < c.length; k++) {
      requireNonNegative("c[" + k + "]", c[k]);
      requireNonNegative("dHat[" + k + "]", dHat[k]);
    }
    requireNonNegative("hStar", hStar);
  }

  /** A copy of the coefficients of the predicted norm. */
  @Override
  public double[] c() {
    return c.clone();
  }

  /** A copy of the shape of the error. */
  @Override
  public double[] dHat() {
    return dHat.clone();
  }

  /** Number of features. */
  public int features() {
    return c.length;
  }

  /**
   * The predicted norm ⟨c,s⟩.
   *
   * @param features [features] of one example
   */
  public double predict(double[] features) {
    return dot(c, features);
  }

  /**
   * The factor e = sqrt(h* / ⟨d̂,s̄⟩) of {@link #robustValue}: one typical error. It stays fixed
   * between refreshes, as the mean does.
   *
   * @param meanFeatures [features] s̄, the mean feature vector of all examples
   * @return 0 where h* is 0
   */
  public double errorScale(double[] meanFeatures) {
    return hStar == 0 ? 0 : Math.sqrt(hStar / dot(dHat, meanFeatures));
  }

  /**
   * The robust value v = ⟨c,s⟩ + e ⟨d̂,s⟩, to which the sampling probability is proportional.
   *
   * @param features [features] of one example
   * @param errorScale e, from {@link #errorScale}
   */
  public double robustValue(double[] features, double errorScale) {
    return dot(c, features) + errorScale * dot(dHat, features);
  }

  private static double dot(double[] coefficients, double[] features) {
    if (features.length != coefficients.length) {
      throw new IllegalArgumentException(
          "expected %d features, but got %d".formatted(coefficients.length, features.length));
    }
    double sum = 0;
    for (int k = 0; k < coefficients.length; k++) {
      sum += coefficients[k] * features[k];
    }
    return sum;
  }

  private static void requireNonNegative(String name, double value) {
    if (!(value >= 0 && value <= Double.MAX_VALUE)) {
      throw new IllegalArgumentException(
          name + " must be finite and not negative, but is " + value);
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof UncertaintySet that
        && Arrays.equals(c, that.c)
        && Arrays.equals(dHat, that.dHat)
        && Double.compare(hStar, that.hStar) == 0;
  }

  @Override
  public int hashCode() {
    return 31 * (31 * Arrays.hashCode(c) + Arrays.hashCode(dHat)) + Double.hashCode(hStar);
  }

  @Override
  public String toString() {
    return "UncertaintySet[c=%s, dHat=%s, hStar=%s]"
        .formatted(Arrays.toString(c), Arrays.toString(dHat), hStar);
  }
}
