package dev.rais.sampling;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Which examples there are: how many indices were given out, which of them are retired, and the
 * weights u_i of the objective F = Σ u_i f_i / Σ u_i over the active ones.
 */
final class Population {
  private final BitSet retired = new BitSet();
  private int size;
  private int active;

  /** [at least size] u_i; null where all are 1. */
  private float[] weights;

  private double weightSum;

  /**
   * @param size number of examples
   * @param weights [size] u_i, or null; copied
   */
  Population(int size, float[] weights) {
    if (size < 1) {
      throw new IllegalArgumentException("a sampler needs at least 1 example, not " + size);
    }
    this.size = size;
    active = size;
    if (weights != null) {
      checkWeights(weights, size);
      this.weights = weights.clone();
    }
    weightSum = sum();
    if (!(weightSum > 0)) {
      throw new IllegalArgumentException("all weights of the objective are 0");
    }
  }

  private static void checkWeights(float[] weights, int size) {
    if (weights.length != size) {
      throw new IllegalArgumentException(
          "%d examples need as many weights, not %d".formatted(size, weights.length));
    }
    for (int i = 0; i < size; i++) {
      if (!(weights[i] >= 0 && weights[i] <= Float.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "the weight of example %d must be finite and not negative, but is %s"
                .formatted(i, weights[i]));
      }
    }
  }

  private double sum() {
    if (weights == null) {
      return active;
    }
    double sum = 0;
    for (int i = 0; i < size; i++) {
      sum += isActive(i) ? weights[i] : 0;
    }
    return sum;
  }

  /** Indices given out. */
  int size() {
    return size;
  }

  /** n: examples that are not retired. */
  int active() {
    return active;
  }

  boolean isActive(int index) {
    return !retired.get(index);
  }

  /** The first retired index from {@code from} on, or -1. */
  int nextRetired(int from) {
    return retired.nextSetBit(from);
  }

  /**
   * The active example before which there are {@code rank} others; a pass over the retired.
   *
   * @param rank 0 to below {@link #active}
   */
  int activeOf(int rank) {
    int from = retired.nextClearBit(0);
    for (int end = retired.nextSetBit(from); end >= 0 && rank >= end - from; ) {
      rank -= end - from;
      from = retired.nextClearBit(end);
      end = retired.nextSetBit(from);
    }
    return from + rank;
  }

  boolean isWeighted() {
    return weights != null;
  }

  /** u_i. */
  float weight(int index) {
    return weights == null ? 1f : weights[index];
  }

  /** Σ u over the active examples. */
  double weightSum() {
    return weightSum;
  }

  /** u_i / ū. */
  double relativeWeight(int index) {
    return weights == null ? 1 : weights[index] * (active / weightSum);
  }

  /** Adds examples; {@code more} holds their weights or is null for 1 each. */
  void append(int count, float[] more) {
    if (count < 0 || count > Integer.MAX_VALUE - 8 - size) {
      throw new IllegalArgumentException("cannot add %d examples to %d".formatted(count, size));
    }
    if (more != null) {
      checkWeights(more, count);
    }
    if (more != null || weights != null) {
      float[] old = weights;
      if (old == null) {
        old = new float[size];
        Arrays.fill(old, 1f);
      }
      if (old.length < size + count) {
        old = Arrays.copyOf(old, (int) Math.min(Integer.MAX_VALUE - 8L, 2L * (size + count)));
      }
      for (int i = 0; i < count; i++) {
        old[size + i] = more == null ? 1f : more[i];
      }
      weights = old;
    }
    for (int i = 0; i < count; i++) {
      weightSum += more == null ? 1 : more[i];
    }
    size += count;
    active += count;
  }

  /** Checks a request to retire; changes nothing. */
  void checkRetire(int[] indices) {
    BitSet gone = new BitSet();
    for (int index : indices) {
      if (index < 0 || index >= size) {
        throw new IndexOutOfBoundsException("example " + index + " is not in [0, " + size + ")");
      }
      if (isActive(index)) {
        gone.set(index);
      }
    }
    if (gone.cardinality() == active) {
      throw new IllegalArgumentException("cannot retire all " + active + " examples that are left");
    }
    for (int i = 0; weights != null; i++) {
      if (i == size) {
        throw new IllegalArgumentException("all examples left would have a weight of 0");
      }
      if (weights[i] > 0 && isActive(i) && !gone.get(i)) {
        break;
      }
    }
  }

  /** Retires one example; false if it was before. */
  boolean retire(int index) {
    if (!isActive(index)) {
      return false;
    }
    retired.set(index);
    active--;
    weightSum = weights == null ? active : weightSum - weights[index];
    return true;
  }

  void save(SamplerState state) {
    state.put("population", size, active);
    state.put("population.retired", retired.toLongArray());
    if (weights != null) {
      state.put("population.weights", Arrays.copyOf(weights, size));
    }
    state.put("population.weightSum", weightSum);
  }

  void load(SamplerState state) {
    long[] counts = state.longs("population", 2);
    retired.clear();
    retired.or(BitSet.valueOf(state.longs("population.retired", -1)));
    size = SamplerState.count("the number of examples", counts[0], Integer.MAX_VALUE);
    active = SamplerState.count("the number of active examples", counts[1], size);
    if (size < 1 || retired.length() > size || size - retired.cardinality() != active) {
      throw new IllegalArgumentException("the examples of a state do not add up");
    }
    weights = state.has("population.weights") ? state.floats("population.weights", size) : null;
    weightSum = state.doubles("population.weightSum", 1)[0];
  }
}
