package dev.rais.sampling;

/**
 * The gain ratio r (docs/algorithm.md §5).
 *
 * <pre>
 *   r = 1 + (E‖g_U1‖² − E‖g_R1‖²) / (m E‖g_R‖²),   1 ≤ r ≤ r_max
 *   E‖g_U1‖² ≈ mean(n p_j a_j² N_j²)   E‖g_R1‖² ≈ mean(a_j² N_j²)   E‖g_R‖² ≈ ‖g‖²
 * </pre>
 *
 * with a_j the loss weight, w_j = 1/(n p_j) where the objective has no weights of its own, each by
 * an exponential moving average, α = 0.01, corrected for its start from zero. While draws are
 * uniform the first two are equal to the bit, so r is exactly 1.
 *
 * <p>For a minibatch that was drawn uniformly beside a distribution p' that was not used ({@link
 * Minibatch#shadow}), the moments are those that p' would have had: E‖g_R1‖² ≈ mean(a_j² N_j² / (n
 * p'_j)), and ‖g‖² less the noise that p' would have saved.
 */
final class GainEstimator {
  private static final double ALPHA = 0.01;

  private final double gainMax;
  private double uniformMoment;
  private double weightedMoment;
  private double batchMoment;
  private double estimate = 1;
  private double earned;
  private double earnedAtBound;
  private long boundHits;

  /** Starts at r = 1. */
  GainEstimator(double gainMax) {
    if (!(gainMax >= 1 && gainMax <= Double.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "the bound of the gain ratio must be at least 1, but is " + gainMax);
    }
    this.gainMax = gainMax;
  }

  /**
   * Takes in one minibatch.
   *
   * @return the gain ratio to apply: 1 where the minibatch has a shadow
   */
  double observe(Minibatch batch, Observation observation) {
    int m = batch.size();
    float[] shadow = batch.shadow;
    double u = 0;
    double r = 0;
    for (int j = 0; j < m; j++) {
      double a = batch.weights()[j];
      // a / w is exactly 1 without weights of the objective, so r is exactly u where a = 1.
      double product = a * (a / batch.importance[j]) * observation.momentNormsSquared()[j];
      u += product;
      r += shadow == null ? product * batch.importance[j] : product / shadow[j];
    }
    u /= m;
    r /= m;
    double g = observation.batchGradientNormSquared();
    if (shadow != null) {
      g -= (u - r) / m;
    }
    uniformMoment += ALPHA * (u - uniformMoment);
    weightedMoment += ALPHA * (r - weightedMoment);
    batchMoment += ALPHA * (g - batchMoment);
    // The corrections 1/(1 − (1−α)^t) of the three averages cancel in the quotient.
    estimate = batchMoment > 0 ? 1 + (uniformMoment - weightedMoment) / (m * batchMoment) : 1;
    double applied = shadow == null ? Math.clamp(estimate, 1, gainMax) : 1;
    earned += applied;
    if (shadow == null && estimate > gainMax) {
      boundHits++;
      earnedAtBound += applied;
    }
    return applied;
  }

  /** The ratio as estimated, without bounds: of what is done, or of what the shadow would do. */
  double estimate() {
    return estimate;
  }

  long boundHits() {
    return boundHits;
  }

  double boundShare() {
    return earned == 0 ? 0 : earnedAtBound / earned;
  }

  void save(SamplerState state) {
    state.put("gain", uniformMoment, weightedMoment, batchMoment, estimate, earned, earnedAtBound);
    state.put("gain.boundHits", boundHits);
  }

  void load(SamplerState state) {
    double[] values = state.doubles("gain", 6);
    uniformMoment = values[0];
    weightedMoment = values[1];
    batchMoment = values[2];
    estimate = values[3];
    earned = values[4];
    earnedAtBound = values[5];
    boundHits = state.longs("gain.boundHits", 1)[0];
  }
}
