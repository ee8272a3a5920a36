package dev.rais.sampling;

/**
 * Running means of the gradient norm, over all examples (ḡ) and by class (docs/algorithm.md §3).
 */
final class ClassMeans {
  private static final double ALPHA = 0.01;
  private static final double CLASS_ALPHA_MAX = 0.5;

  private final double[] means;
  private final boolean[] seen;
  private final double[] batchNorms;
  private final double[] batchWeights;
  private double mean = Double.NaN;

  ClassMeans(int classes) {
    means = new double[classes];
    seen = new boolean[classes];
    batchNorms = new double[classes];
    batchWeights = new double[classes];
  }

  boolean isEmpty() {
    return Double.isNaN(mean);
  }

  /** Takes in a minibatch: weighted norms, so that the means are those of the whole set. */
  void observe(Minibatch batch, int[] labels, float[] norms) {
    java.util.Arrays.fill(batchNorms, 0);
    java.util.Arrays.fill(batchWeights, 0);
    double sum = 0;
    double weight = 0;
    for (int j = 0; j < norms.length; j++) {
      double w = batch.importance[j];
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

  /** The means as they stand. */
  FrozenMeans freeze() {
    float[] ofClass = new float[means.length];
    for (int k = 0; k < means.length; k++) {
      ofClass[k] = (float) (seen[k] ? means[k] : mean);
    }
    return new FrozenMeans((float) mean, ofClass);
  }

  void save(SamplerState state) {
    state.put("means", means);
    int[] flags = new int[seen.length];
    for (int k = 0; k < flags.length; k++) {
      flags[k] = seen[k] ? 1 : 0;
    }
    state.put("means.seen", flags);
    state.put("means.mean", mean);
  }

  void load(SamplerState state) {
    System.arraycopy(state.doubles("means", means.length), 0, means, 0, means.length);
    int[] flags = state.ints("means.seen", seen.length);
    for (int k = 0; k < flags.length; k++) {
      seen[k] = flags[k] != 0;
    }
    mean = state.doubles("means.mean", 1)[0];
  }
}
