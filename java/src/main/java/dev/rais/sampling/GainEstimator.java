package dev.rais.sampling;

/**
 * The gain ratio r and effective iterations t̂ (docs/algorithm.md §5).
 *
 * <pre>
 *   r = 1 + (E‖g_U1‖² − E‖g_R1‖²) / (m E‖g_R‖²),   1 ≤ r ≤ r_max
 *   E‖g_U1‖² ≈ mean(w_j N_j²)   E‖g_R1‖² ≈ mean(w_j² N_j²)   E‖g_R‖² ≈ ‖g‖²
 * </pre>
 *
 * each by an exponential moving average, α = 0.01, corrected for its start from zero. While all
 * weights are 1 the first two are equal to the bit, so r is exactly 1.
 */
final class GainEstimator {
  private static final double ALPHA = 0.01;

  private final double gainMax;
  private double uniformMoment;
  private double weightedMoment;
  private double batchMoment;
  private double gainRatio = 1;
  private double effectiveIterations;
  private double earnedAtBound;
  private long boundHits;

  /** Starts at r = 1, t̂ = 0. */
  GainEstimator(double gainMax) {
    if (!(gainMax >= 1 && gainMax <= Double.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "the bound of the gain ratio must be at least 1, but is " + gainMax);
    }
    this.gainMax = gainMax;
  }

  /** Refuses a minibatch that was observed before. */
  static void markObserved(Minibatch batch) {
    if (batch.observed) {
      throw new IllegalArgumentException("minibatch " + batch.iteration() + " was observed before");
    }
    batch.observed = true;
  }

  /** Takes in one minibatch: weights w_j, squared norms N_j² and ‖g‖² of the same layer. */
  void observe(float[] weights, float[] normsSquared, double batchGradientNormSquared) {
    int m = weights.length;
    double u = 0;
    double r = 0;
    for (int j = 0; j < m; j++) {
      double wn = (double) weights[j] * normsSquared[j];
      u += wn;
      r += weights[j] * wn;
    }
    uniformMoment += ALPHA * (u / m - uniformMoment);
    weightedMoment += ALPHA * (r / m - weightedMoment);
    batchMoment += ALPHA * (batchGradientNormSquared - batchMoment);
    // The corrections 1/(1 − (1−α)^t) of the three averages cancel in the quotient.
    double raw = batchMoment > 0 ? 1 + (uniformMoment - weightedMoment) / (m * batchMoment) : 1;
    gainRatio = Math.clamp(raw, 1, gainMax);
    effectiveIterations += gainRatio;
    if (raw > gainMax) {
      boundHits++;
      earnedAtBound += gainRatio;
    }
  }

  double gainRatio() {
    return gainRatio;
  }

  double effectiveIterations() {
    return effectiveIterations;
  }

  long boundHits() {
    return boundHits;
  }

  double boundShare() {
    return effectiveIterations == 0 ? 0 : earnedAtBound / effectiveIterations;
  }
}
