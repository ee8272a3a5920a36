package dev.rais.sampling;

/** Indices drawn for one step, with the weights that keep its gradient unbiased. */
public final class Minibatch {
  private final long iteration;
  private final int[] indices;
  private final float[] weights;

  /** [m · features] features at draw time, row by row; empty where the sampler has none. */
  final float[] features;

  boolean observed;

  Minibatch(long iteration, int m, int features) {
    this.iteration = iteration;
    this.indices = new int[m];
    this.weights = new float[m];
    this.features = new float[m * features];
  }

  /** How many minibatches the sampler drew before this one. */
  public long iteration() {
    return iteration;
  }

  /** Number of examples m. */
  public int size() {
    return indices.length;
  }

  /** [m] which examples, each in [0, n); not to be modified. */
  public int[] indices() {
    return indices;
  }

  /** [m] importance weights w_j = 1/(n p_j); not to be modified. */
  public float[] weights() {
    return weights;
  }
}
