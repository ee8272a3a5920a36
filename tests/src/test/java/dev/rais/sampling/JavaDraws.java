package dev.rais.sampling;

import java.util.Arrays;

/** What the Java classes of this package draw, for tests of the kernels that must draw the same. */
public final class JavaDraws {
  private JavaDraws() {}

  /** Examples and their importance weights. */
  public record Drawn(int[] indices, float[] weights) {}

  /** {@link SumTree#sumsChecksum} of a tree with these leaves. */
  public static long sumsChecksum(float[] leaves) {
    try (SumTree tree = new SumTree(leaves.length)) {
      tree.build(i -> leaves[(int) i]);
      return tree.sumsChecksum();
    }
  }

  /** The same of sums that lie in memory as the tree's do. */
  public static long sumsChecksum(long[] bits) {
    long hash = 0;
    for (long b : bits) {
      hash = 31 * hash + b;
    }
    return hash;
  }

  /**
   * {@link IndependentDraws}.
   *
   * @param retired an example that is taken out first, or -1
   */
  public static Drawn independent(
      float[] leaves, int retired, long seed, long iteration, int count) {
    try (Distribution distribution = distribution(leaves, retired)) {
      Minibatch batch = new Minibatch(null, iteration, count, 0, false);
      new IndependentDraws(seed).fill(batch, distribution);
      return new Drawn(batch.indices(), batch.weights());
    }
  }

  /** {@link Round#generate}. */
  public static Drawn round(float[] leaves, int retired, long seed, long number, int size) {
    try (Distribution distribution = distribution(leaves, retired)) {
      Round round = Round.generate(distribution, seed, number, size);
      int[] indices = new int[size];
      Arrays.setAll(indices, k -> round.take());
      float[] weights = new float[size];
      for (int k = 0; k < size; k++) {
        weights[k] = (float) (1 / distribution.np(indices[k]));
      }
      return new Drawn(indices, weights);
    }
  }

  private static Distribution distribution(float[] leaves, int retired) {
    Population population = new Population(leaves.length, null);
    Distribution distribution = new Distribution(population);
    distribution.build(i -> leaves[(int) i]);
    if (retired >= 0) {
      distribution.retire(retired);
      population.retire(retired);
    }
    return distribution;
  }
}
