package dev.rais.sampling;

/** Indices drawn for one step, with the weights that keep its gradient unbiased. */
public final class Minibatch {
  /** Which sampler drew it. */
  final ImportanceSampler sampler;

  private final long iteration;
  private final int[] indices;
  private final float[] weights;

  /** [m] w_j = 1/(n p_j); the same array as the weights where the objective has none. */
  final float[] importance;

  /** [m · features] features at draw time, row by row; empty where the sampler has none. */
  final float[] features;

  /**
   * [m] n p_j of the distribution that a cautious sampler would use if it trusted it; null where
   * draws follow it.
   */
  float[] shadow;

  /** What the sampler that drew it has to know of it when it is observed. */
  double note;

  Minibatch(
      ImportanceSampler sampler, long iteration, int m, int features, boolean weightedObjective) {
    this.sampler = sampler;
    this.iteration = iteration;
    this.indices = new int[m];
    this.weights = new float[m];
    this.importance = weightedObjective ? new float[m] : weights;
    this.features = new float[m * features];
  }

  /** Sets the example, n p_j and the factor u_j/ū of slot {@code j}. */
  void set(int j, int index, double np, double relativeWeight) {
    indices[j] = index;
    importance[j] = (float) (1 / np);
    weights[j] = (float) (relativeWeight / np); // the same value where they are one array
  }

  /** How many minibatches the sampler drew before this one. */
  public long iteration() {
    return iteration;
  }

  /** Number of examples m. */
  public int size() {
    return indices.length;
  }

  /** [m] which examples; not to be modified. */
  public int[] indices() {
    return indices;
  }

  /**
   * [m] factor of each example's loss, not to be modified: the importance weight w_j = 1/(n p_j),
   * or a_j = u_j/(p_j Σu) where the objective weights examples by u. Samplers that bias the
   * gradient on purpose put their own factor here.
   */
  public float[] weights() {
    return weights;
  }
}
