package dev.rais.sampling;

/**
 * The last |D| observations (features before the visit, norm, weight), oldest overwritten first:
 * what the uncertainty set is trained on (docs/algorithm.md §3).
 */
final class RecordRing {
  private final int capacity;
  private final float[][] features;
  private final float[] norms;
  private final float[] weights;
  private long written;
  private int revisits;

  RecordRing(int capacity) {
    this.capacity = capacity;
    features = new float[ExampleHistory.FEATURES][capacity];
    norms = new float[capacity];
    weights = new float[capacity];
  }

  int capacity() {
    return capacity;
  }

  int count() {
    return (int) Math.min(written, capacity);
  }

  /** Records in the ring that were not an example's first visit. */
  int revisits() {
    return revisits;
  }

  /** Records row {@code j} of a minibatch with the norm observed for it. */
  void add(Minibatch batch, int j, float norm) {
    int at = (int) (written % capacity);
    if (written >= capacity && isRevisit(at)) {
      revisits--;
    }
    for (int k = 0; k < features.length; k++) {
      features[k][at] = batch.features[j * features.length + k];
    }
    norms[at] = norm;
    weights[at] = batch.importance[j];
    if (isRevisit(at)) {
      revisits++;
    }
    written++;
  }

  private boolean isRevisit(int at) {
    return features[ExampleHistory.NEVER_SEEN][at] == 0;
  }

  /**
   * Copies the records in order of age, oldest first, so that a ring restored from a checkpoint
   * gives the same sums.
   *
   * @param firstVisits whether records of first visits are wanted
   */
  Records copy(boolean firstVisits) {
    int size = count();
    double[][] f = new double[features.length][size];
    double[] v = new double[size];
    double[] w = new double[size];
    int kept = 0;
    for (int i = 0; i < size; i++) {
      int at = (int) ((written - size + i) % capacity);
      if (firstVisits || isRevisit(at)) {
        for (int k = 0; k < f.length; k++) {
          f[k][kept] = features[k][at];
        }
        v[kept] = norms[at];
        w[kept] = weights[at];
        kept++;
      }
    }
    return new Records(f, v, w, kept);
  }

  void save(SamplerState state) {
    state.put("ring", written, revisits);
    for (int k = 0; k < features.length; k++) {
      state.put("ring.features." + k, features[k]);
    }
    state.put("ring.norms", norms);
    state.put("ring.weights", weights);
  }

  void load(SamplerState state) {
    long[] counts = state.longs("ring", 2);
    written = counts[0];
    if (written < 0) {
      throw new IllegalArgumentException("a state has written " + written + " records");
    }
    revisits = SamplerState.count("the number of revisits", counts[1], capacity);
    for (int k = 0; k < features.length; k++) {
      System.arraycopy(state.floats("ring.features." + k, capacity), 0, features[k], 0, capacity);
    }
    System.arraycopy(state.floats("ring.norms", capacity), 0, norms, 0, capacity);
    System.arraycopy(state.floats("ring.weights", capacity), 0, weights, 0, capacity);
  }

  /**
   * Takes over what a device keeps.
   *
   * @param columns [8 · capacity] features, norms, weights
   */
  void load(long written, int revisits, float[] columns) {
    this.written = written;
    this.revisits = revisits;
    for (int k = 0; k < features.length; k++) {
      System.arraycopy(columns, k * capacity, features[k], 0, capacity);
    }
    System.arraycopy(columns, features.length * capacity, norms, 0, capacity);
    System.arraycopy(columns, (features.length + 1) * capacity, weights, 0, capacity);
  }

  /** A copy of the ring; only the first {@code count} entries of the columns are used. */
  record Records(double[][] features, double[] norms, double[] weights, int count) {}
}
