package dev.rais.sampling;

/**
 * Running means of the gradient norm, over all examples (ḡ) and by class (docs/algorithm.md §3),
 * and how many active examples each class has.
 */
final class ClassMeans {
  private static final double ALPHA = 0.01;
  private static final double CLASS_ALPHA_MAX = 0.5;

  /** [at least n] class of each example. */
  private int[] labels;

  private final double[] means;
  private final boolean[] seen;
  private final double[] batchNorms;
  private final double[] batchWeights;

  /** [classes] examples, and those of them never visited. */
  private final int[] examples;

  private final int[] neverSeen;
  private double mean = Double.NaN;

  ClassMeans(int[] labels, int classes) {
    this.labels = labels;
    means = new double[classes];
    seen = new boolean[classes];
    batchNorms = new double[classes];
    batchWeights = new double[classes];
    examples = new int[classes];
    checkLabels(labels);
    for (int label : labels) {
      examples[label]++;
    }
    neverSeen = examples.clone();
  }

  /** Checks labels of examples, which are not taken over. */
  void checkLabels(int[] labels) {
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] < 0 || labels[i] >= means.length) {
        throw new IllegalArgumentException(
            "label %d in place %d is not in [0, %d)".formatted(labels[i], i, means.length));
      }
    }
  }

  int classes() {
    return means.length;
  }

  /** Takes in examples with indices from {@code from} on. */
  void append(int from, int[] more) {
    if (labels.length < from + more.length) {
      labels =
          java.util.Arrays.copyOf(
              labels, (int) Math.min(Integer.MAX_VALUE - 8L, 2L * (from + more.length)));
    }
    System.arraycopy(more, 0, labels, from, more.length);
    for (int label : more) {
      examples[label]++;
      neverSeen[label]++;
    }
  }

  /** Counts an example no more. */
  void retire(int index, boolean visited) {
    examples[labels[index]]--;
    if (!visited) {
      neverSeen[labels[index]]--;
    }
  }

  /** [at least n] class of each example; not to be modified. */
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

  /** The mean over all active examples of their class's frozen mean. */
  double meanOfClassMeans(FrozenMeans frozen) {
    return mean(examples, frozen);
  }

  /** The same where an example that was visited counts as 0. */
  double neverSeenMean(FrozenMeans frozen) {
    return mean(neverSeen, frozen);
  }

  private double mean(int[] counts, FrozenMeans frozen) {
    double sum = 0;
    long n = 0;
    for (int k = 0; k < counts.length; k++) {
      sum += counts[k] * (double) frozen.ofClass()[k];
      n += examples[k];
    }
    return sum / n;
  }

  void save(SamplerState state, Population population) {
    state.put("means.labels", java.util.Arrays.copyOf(labels, population.size()));
    state.put("means", means);
    int[] flags = new int[seen.length];
    for (int k = 0; k < flags.length; k++) {
      flags[k] = seen[k] ? 1 : 0;
    }
    state.put("means.seen", flags);
    state.put("means.mean", mean);
  }

  /** Takes over a state; the counts follow from the examples and their history. */
  void load(SamplerState state, Population population, ExampleHistory history) {
    int[] saved = state.ints("means.labels", population.size());
    checkLabels(saved);
    labels = saved;
    System.arraycopy(state.doubles("means", means.length), 0, means, 0, means.length);
    int[] flags = state.ints("means.seen", seen.length);
    for (int k = 0; k < flags.length; k++) {
      seen[k] = flags[k] != 0;
    }
    mean = state.rawDoubles("means.mean", 1)[0];
    java.util.Arrays.fill(examples, 0);
    java.util.Arrays.fill(neverSeen, 0);
    for (int i = 0; i < population.size(); i++) {
      if (population.isActive(i)) {
        examples[labels[i]]++;
        neverSeen[labels[i]] += history.visits(i) == 0 ? 1 : 0;
      }
    }
  }
}
