package dev.rais.sampling;

/**
 * What a training step tells the sampler about its minibatch (docs/algorithm.md §4, §5). None of
 * the per-example norms contains the importance weight.
 *
 * @param scores [m] gradient norms ṽ_j, by which examples are prioritised: usually the loss layer's
 *     ‖softmax − y‖
 * @param momentNormsSquared [m] N_j², squared per-example gradient norms of the layer that the gain
 *     ratio is estimated from
 * @param batchGradientNormSquared ‖g‖² of that same layer's weighted minibatch gradient
 */
public record Observation(
    float[] scores, float[] momentNormsSquared, double batchGradientNormSquared) {

  /** For samplers that look at no norms. */
  public static final Observation NONE = new Observation(new float[0], new float[0], 0);

  void check(int m) {
    if (scores.length != m || momentNormsSquared.length != m) {
      throw new IllegalArgumentException(
          "a minibatch of %d needs as many norms, not %d scores and %d moment norms"
              .formatted(m, scores.length, momentNormsSquared.length));
    }
    for (int j = 0; j < m; j++) {
      check("score", j, scores[j]);
      check("squared moment norm", j, momentNormsSquared[j]);
    }
    if (!(batchGradientNormSquared >= 0 && batchGradientNormSquared <= Double.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "the squared minibatch gradient norm must be finite and not negative, but is "
              + batchGradientNormSquared);
    }
  }

  private static void check(String what, int slot, float value) {
    if (!(value >= 0 && value <= Float.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "the %s in slot %d must be finite and not negative, but is %s"
              .formatted(what, slot, value));
    }
  }
}
