package dev.rais.sampling;

/** Weights u_i of an objective in which every class counts alike. */
public final class ClassWeights {
  private ClassWeights() {}

  /**
   * u_i = n / (K' n_k): every class that occurs has the same share of Σ u, and the mean of u is 1.
   *
   * @param labels [n] class of each example, each in [0, classes)
   * @param classes number of classes; K' of them occur
   */
  public static float[] balanced(int[] labels, int classes) {
    int[] counts = new int[classes];
    int occurring = 0;
    for (int label : labels) {
      if (counts[label]++ == 0) {
        occurring++;
      }
    }
    float[] weights = new float[labels.length];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) ((double) labels.length / occurring / counts[labels[i]]);
    }
    return weights;
  }
}
