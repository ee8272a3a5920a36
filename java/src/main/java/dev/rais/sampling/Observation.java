package dev.rais.sampling;

/**
 * What a training step tells the sampler about its minibatch (docs/algorithm.md §4, §5). None of
 * the per-example norms contains the importance weight.
 *
 * @param scores [m] what the sampler's {@link ImportanceSampler#score} asks for: gradient norms
 *     ṽ_j, usually the loss layer's ‖softmax − y‖, or losses
 * @param momentNormsSquared [m] N_j², squared per-example gradient norms of the layer that the gain
 *     ratio is estimated from
 * @param batchGradientNormSquared ‖g‖² of that same layer's weighted minibatch gradient
 */
public record Observation(
    float[] scores, float[] momentNormsSquared, double batchGradientNormSquared) {

  private static final float[] EMPTY = {};

  /** For samplers that want nothing. */
  public static final Observation NONE = new Observation(EMPTY, EMPTY, 0);

  /** For samplers that want scores alone. */
  public static Observation ofScores(float[] scores) {
    return new Observation(scores, EMPTY, 0);
  }

  /**
   * An observation from the gradients of the logits alone: scores ‖δ_j‖, and the moments of the
   * final bias, whose per-example gradient is δ_j itself and whose minibatch gradient is (1/m) Σ
   * w_j δ_j.
   *
   * @param batch the minibatch
   * @param logitGradients [m, K] δ_j = ∂f_j/∂z_j, row by row, without importance weights
   * @param classes K
   * @throws IllegalArgumentException if there are not m · K gradients, or one is NaN or infinite,
   *     with its place and value
   */
  public static Observation ofLogitGradients(Minibatch batch, float[] logitGradients, int classes) {
    int m = batch.size();
    if (classes < 1 || logitGradients.length != (long) m * classes) {
      throw new IllegalArgumentException(
          "a minibatch of %d with %d classes needs %d logit gradients, not %d"
              .formatted(m, classes, (long) m * classes, logitGradients.length));
    }
    float[] norms = new float[m];
    float[] squares = new float[m];
    double[] mean = new double[classes];
    for (int j = 0; j < m; j++) {
      double square = 0;
      double w = batch.weights()[j];
      for (int k = 0; k < classes; k++) {
        double g = logitGradients[j * classes + k];
        if (!(Math.abs(g) <= Float.MAX_VALUE)) {
          throw new IllegalArgumentException(
              "the logit gradient of class %d in slot %d (example %d) must be finite, but is %s"
                  .formatted(k, j, batch.indices()[j], (float) g));
        }
        square += g * g;
        mean[k] += w * g / m;
      }
      norms[j] = (float) Math.sqrt(square);
      squares[j] = (float) square;
    }
    double batchSquare = 0;
    for (double g : mean) {
      batchSquare += g * g;
    }
    return new Observation(norms, squares, batchSquare);
  }

  /**
   * An observation from logits: {@link #ofLogitGradients} of their {@link #logitGradients}.
   *
   * @param batch the minibatch
   * @param logits [m, K] z, row by row
   * @param labels [m] class of each example of the minibatch
   * @param classes K
   * @throws IllegalArgumentException if a length does not fit, a label is not in [0, K), or a logit
   *     is NaN or infinite, with its slot and example
   */
  public static Observation ofLogits(Minibatch batch, float[] logits, int[] labels, int classes) {
    return ofLogitGradients(batch, logitGradients(logits, labels, classes), classes);
  }

  /**
   * Gradients of cross-entropies with respect to their logits, δ_j = softmax(z_j) − y_j. The
   * label's entry is minus the sum of the other probabilities, which stays exact where an example
   * is so well learned that its own probability rounds to 1: it is those tiny norms that decide how
   * seldom such examples are drawn.
   *
   * @param logits [m, K] z, row by row
   * @param labels [m] classes
   * @param classes K
   * @return [m, K], row by row; a row with a NaN or an infinity is all NaN
   * @throws IllegalArgumentException if a length does not fit or a label is not in [0, K)
   */
  public static float[] logitGradients(float[] logits, int[] labels, int classes) {
    int m = labels.length;
    if (classes < 1 || logits.length != (long) m * classes) {
      throw new IllegalArgumentException(
          "%d labels of %d classes need %d logits, not %d"
              .formatted(m, classes, (long) m * classes, logits.length));
    }
    float[] gradients = new float[logits.length];
    double[] exponentials = new double[classes];
    for (int j = 0; j < m; j++) {
      int row = j * classes;
      int label = labels[j];
      if (label < 0 || label >= classes) {
        throw new IllegalArgumentException(
            "the label %d in slot %d is not in [0, %d)".formatted(label, j, classes));
      }
      double max = Double.NEGATIVE_INFINITY;
      double zero = 0; // NaN where a logit is not finite
      for (int k = 0; k < classes; k++) {
        max = Math.max(max, logits[row + k]);
        zero += logits[row + k] * 0.0;
      }
      double others = zero;
      for (int k = 0; k < classes; k++) {
        exponentials[k] = Math.exp(logits[row + k] - max);
        others += k == label ? 0 : exponentials[k];
      }
      double sum = others + exponentials[label];
      for (int k = 0; k < classes; k++) {
        gradients[row + k] = (float) ((k == label ? -others : exponentials[k]) / sum);
      }
    }
    return gradients;
  }

  /** Checks what a sampler wants of this. */
  void check(Minibatch batch, ScoreKind kind, boolean moments) {
    if (kind != ScoreKind.NONE) {
      checkLength("scores", scores.length, batch);
      boolean signed = kind == ScoreKind.LOSS;
      for (int j = 0; j < scores.length; j++) {
        check("score", batch, j, scores[j], signed);
      }
    }
    if (moments) {
      checkLength("squared moment norms", momentNormsSquared.length, batch);
      for (int j = 0; j < momentNormsSquared.length; j++) {
        check("squared moment norm", batch, j, momentNormsSquared[j], false);
      }
      if (!(batchGradientNormSquared >= 0 && batchGradientNormSquared <= Double.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "the squared minibatch gradient norm must be finite and not negative, but is "
                + batchGradientNormSquared);
      }
    }
  }

  private static void checkLength(String what, int length, Minibatch batch) {
    if (length != batch.size()) {
      throw new IllegalArgumentException(
          "a minibatch of %d needs as many %s, not %d".formatted(batch.size(), what, length));
    }
  }

  private static void check(String what, Minibatch batch, int slot, float value, boolean signed) {
    if (!(signed || value >= 0) || !(Math.abs(value) <= Float.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "the %s in slot %d (example %d) must be finite%s, but is %s"
              .formatted(
                  what, slot, batch.indices()[slot], signed ? "" : " and not negative", value));
    }
  }
}
