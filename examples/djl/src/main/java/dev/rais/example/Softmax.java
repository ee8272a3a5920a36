package dev.rais.example;

/** The loss layer's gradient, from the logits of any library. */
public final class Softmax {
  private Softmax() {}

  /**
   * Gradients of the cross-entropies with respect to the logits, softmax(z_j) − y_j.
   *
   * @param logits [m, classes] z, row by row
   * @param labels [m] class of each example
   * @return [m, classes], row by row; a row with a NaN or an infinity is all NaN
   */
  public static float[] logitGradients(float[] logits, int[] labels, int classes) {
    float[] gradients = new float[logits.length];
    double[] row = new double[classes];
    for (int j = 0; j < labels.length; j++) {
      int at = j * classes;
      double max = Double.NEGATIVE_INFINITY;
      for (int k = 0; k < classes; k++) {
        max = Math.max(max, logits[at + k]);
      }
      double sum = 0;
      double others = 0;
      for (int k = 0; k < classes; k++) {
        row[k] = Math.exp(logits[at + k] - max);
        sum += row[k];
        others += k == labels[j] ? 0 : row[k];
      }
      for (int k = 0; k < classes; k++) {
        // Not softmax − 1 for the label: that would be rounded to 0 for well-learned examples, and
        // it is their tiny norms that decide how seldom they are drawn.
        gradients[at + k] = (float) ((k == labels[j] ? -others : row[k]) / sum);
      }
    }
    return gradients;
  }
}
