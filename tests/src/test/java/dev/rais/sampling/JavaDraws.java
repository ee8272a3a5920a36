package dev.rais.sampling;

import java.util.Arrays;
import java.util.stream.IntStream;

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

  /**
   * A round some of whose examples were retired after it was made: its slots, and what is taken of
   * them.
   */
  public record Taken(int[] slots, int[] taken) {}

  /** {@link Round#take}. */
  public static Taken round(float[] leaves, int[] retired, long seed, long number, int size) {
    try (Distribution distribution = distribution(leaves, -1)) {
      int[] slots = new int[size];
      Round all = Round.generate(distribution, seed, number, size);
      Arrays.setAll(slots, k -> all.take());
      Round round = Round.generate(distribution, seed, number, size);
      for (int index : retired) {
        distribution.retire(index);
      }
      return new Taken(
          slots, IntStream.generate(round::take).takeWhile(index -> index >= 0).toArray());
    }
  }

  /** Examples of shuffled epochs, and places in them: epoch · size + position. */
  public record Epochs(long from, int[] indices, long to) {}

  /**
   * {@link UniformDraws}, in epochs.
   *
   * @param skip examples taken before
   */
  public static Epochs epochs(int size, int[] retired, long seed, int skip, int count) {
    UniformDraws draws = new UniformDraws(population(size, null, retired), seed);
    draws.take(skip);
    long from = place(draws, size);
    int[] indices = draws.take(count);
    return new Epochs(from, indices, place(draws, size));
  }

  private static long place(UniformDraws draws, int size) {
    SamplerState state = new SamplerState("test");
    draws.save(state);
    long[] values = state.longs("shuffle", 3);
    return values[0] < 0 ? 0 : values[0] * size + values[1];
  }

  /** {@link UniformDraws}, independent. */
  public static int[] uniform(int size, int[] retired, long seed, long iteration, int count) {
    Minibatch batch = new Minibatch(null, iteration, count, 0, false);
    new UniformDraws(population(size, null, retired), seed).fill(batch, DrawMode.IID);
    return batch.indices();
  }

  /**
   * Weights of a minibatch.
   *
   * @param active n
   * @param weightSum Σ u of them
   */
  public record Weighed(
      float[] importance, float[] weights, float[] shadow, int active, double weightSum) {}

  /**
   * {@link Minibatch#set}, and the shadow of {@link RaisSampler}.
   *
   * @param leaves null for uniform draws
   * @param objective weights, or null
   */
  public static Weighed weigh(
      int size, float[] leaves, float[] objective, int[] retired, int[] indices) {
    Population population = population(size, objective, new int[0]);
    int m = indices.length;
    Minibatch batch = new Minibatch(null, 0, m, 0, true);
    float[] shadow = new float[m];
    try (Distribution distribution = new Distribution(population)) {
      distribution.build(i -> leaves == null ? 1 : leaves[(int) i]);
      for (int index : retired) {
        distribution.retire(index);
        population.retire(index);
      }
      for (int j = 0; j < m; j++) {
        int i = indices[j];
        double np = leaves == null ? 1 : distribution.np(i);
        double relative =
            leaves == null ? population.relativeWeight(i) : distribution.relativeWeight(i);
        batch.set(j, i, np, relative);
        shadow[j] = (float) np > 0 ? (float) np : 1;
      }
      return new Weighed(
          batch.importance, batch.weights(), shadow, population.active(), population.weightSum());
    }
  }

  private static Population population(int size, float[] objective, int[] retired) {
    Population population = new Population(size, objective);
    for (int index : retired) {
      population.retire(index);
    }
    return population;
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
