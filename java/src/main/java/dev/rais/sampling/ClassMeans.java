package dev.rais.sampling;

/**
 * Running means of the gradient norm, over all examples (ḡ) and by class, and the copies of them
 * that are frozen at each refresh (docs/algorithm.md §3).
 */
final class ClassMeans {
  private static final double ALPHA = 0.01;
  private static final double CLASS_ALPHA_MAX = 0.5;

  private final int[] labels;
  private final double[] means;
  private final boolean[] seen;
  private final double[] batchNorms;
  private final double[] batchWeights;
  private final float[] frozen;

  /** [classes] examples, and those of them never visited. */
  private final int[] examples;

  private final int[] neverSeen;
  private double mean = Double.NaN;
  private float frozenMean;

  ClassMeans(int[] labels, int classes) {
    this.labels = labels;
    means = new double[classes];
    seen = new boolean[classes];
    batchNorms = new double[classes];
    batchWeights = new double[classes];
    frozen = new float[classes];
    examples = new int[classes];
    for (int label : labels) {
      examples[label]++;
    }
    neverSeen = examples.clone();
  }

  int classes() {
    return means.length;
  }

  /** [n] class of each example; not to be modified. */
  int[] labels() {
    return labels;
  }

  /** Counts an example's first visit. */
  void firstVisit(int index) {
    neverSeen[labels[index]]--;
  }

  boolean isEmpty() {
    return Double.isNaN(mean);
  }

  /** Takes in a minibatch: weighted norms, so that the means are those of the whole set. */
  void observe(Minibatch batch, float[] norms) {
    java.util.Arrays.fill(batchNorms, 0);
    java.util.Arrays.fill(batchWeights, 0);
    double sum = 0;
    double weight = 0;
    for (int j = 0; j < norms.length; j++) {
      double w = batch.weights()[j];
      int k = labels[batch.indices()[j]];
      batchNorms[k] += w * norms[j];
      batchWeights[k] += w;
      sum += w * norms[j];
      weight += w;
    }
    double batchMean = sum / weight;
    mean = isEmpty() ? batchMean : mean + ALPHA * (batchMean - mean);
    for (int k = 0; k < means.length; k++) {
      if (batchWeights[k] > 0) {
        if (!seen[k]) {
          seen[k] = true;
          means[k] = mean;
        }
        double a = Math.min(CLASS_ALPHA_MAX, ALPHA * batchWeights[k]);
        means[k] += a * (batchNorms[k] / batchWeights[k] - means[k]);
      }
    }
  }

  /** Makes the current means the frozen ones. */
  void freeze() {
    frozenMean = (float) mean;
    for (int k = 0; k < means.length; k++) {
      frozen[k] = (float) (seen[k] ? means[k] : mean);
    }
  }

  /** Frozen ḡ. */
  float mean() {
    return frozenMean;
  }

  /** Frozen mean of an example's class. */
  float ofExample(int index) {
    return frozen[labels[index]];
  }

  /** Frozen mean of a class. */
  float ofClass(int k) {
    return frozen[k];
  }

  /** The mean over all examples of their class's frozen mean. */
  double meanOfClassMeans() {
    return mean(examples);
  }

  /** The same where an example that was visited counts as 0. */
  double neverSeenMean() {
    return mean(neverSeen);
  }

  private double mean(int[] counts) {
    double sum = 0;
    for (int k = 0; k < counts.length; k++) {
      sum += counts[k] * (double) frozen[k];
    }
    return sum / labels.length;
  }
}
