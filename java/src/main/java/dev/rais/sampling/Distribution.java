package dev.rais.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * The distribution p_i = u_i v_i / Σ u_j v_j over the examples there were when it was made, less
 * those retired since. The leaves of its tree are u_i v_i.
 */
final class Distribution implements AutoCloseable {
  private final Population population;
  private SumTree tree;

  /** Examples that take part: indices below {@code size} that are active. */
  private int size;

  private int active;
  private double weightSum;

  Distribution(Population population) {
    this.population = population;
    tree = new SumTree(population.size());
  }

  SumTree tree() {
    return tree;
  }

  /** Indices that it covers. */
  int size() {
    return size;
  }

  /** n: active examples that it covers. */
  int active() {
    return active;
  }

  /** Gives every example of the population its leaf; the caller leaves retired ones at 0. */
  void build(SumTree.LeafValues leaves) {
    build(
        () ->
            (from, count, values) -> {
              for (int i = 0; i < count; i++) {
                values[i] = leaves.at(from + i);
              }
            });
  }

  /** The same, block by block. */
  void build(Supplier<SumTree.LeafBlock> leaves) {
    ensureCapacity(population.size());
    size = population.size();
    tree.build(() -> upTo(size, leaves.get()));
    active = population.active();
    weightSum = population.weightSum();
  }

  /** Leaves beyond {@code size}, room for examples to come, are 0. */
  private static SumTree.LeafBlock upTo(int size, SumTree.LeafBlock leaves) {
    return (from, count, values) -> {
      int used = Math.clamp(size - from, 0, count);
      if (used > 0) {
        leaves.fill(from, used, values);
      }
      Arrays.fill(values, used, count, 0);
    };
  }

  /** Room for more examples, at twice the size, so that growing costs O(1) per example. */
  private void ensureCapacity(int needed) {
    if (needed > tree.size()) {
      SumTree old = tree;
      tree = old.grownTo(Math.min(Integer.MAX_VALUE - 8L, 2L * needed));
      old.close();
    }
  }

  /** Takes in the examples that the population has gained, with leaves of 0. */
  void extend() {
    ensureCapacity(population.size());
    size = population.size();
    active = population.active();
    weightSum = population.weightSum();
  }

  /** Takes an active example out; call it before the population does. */
  void retire(int index) {
    if (index < size) {
      tree.set(index, 0);
      active--;
      weightSum -= population.weight(index);
    }
  }

  /** n p_i; positive wherever i can be drawn. */
  double np(int index) {
    return index < size ? active * (tree.get(index) / tree.total()) : 0;
  }

  /** u_i / ū. */
  double relativeWeight(int index) {
    return population.isWeighted() ? population.weight(index) * (active / weightSum) : 1;
  }

  void save(SamplerState state, String prefix) {
    state.put(prefix + "counts", size, active);
    state.put(prefix + "weightSum", weightSum);
    MemorySegment leaves =
        java.lang.foreign.Arena.ofAuto().allocate(Math.max(1, 4L * size), Float.BYTES);
    for (int i = 0; i < size; i++) {
      leaves.setAtIndex(ValueLayout.JAVA_FLOAT, i, tree.get(i));
    }
    state.put(prefix + "leaves", leaves);
  }

  void load(SamplerState state, String prefix) {
    long[] counts = state.longs(prefix + "counts", 2);
    MemorySegment leaves = state.bytes(prefix + "leaves");
    int found = SamplerState.count("the number of leaves", counts[0], population.size());
    if (leaves.byteSize() < 4L * found) {
      throw new IllegalArgumentException(
          "a state has %d bytes for %d leaves".formatted(leaves.byteSize(), found));
    }
    for (int i = 0; i < found; i++) {
      float leaf = leaves.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      if (!(leaf >= 0 && leaf < Float.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException("a state has the leaf %s at %d".formatted(leaf, i));
      }
    }
    ensureCapacity(found);
    size = found;
    tree.build(i -> i < found ? leaves.getAtIndex(ValueLayout.JAVA_FLOAT, i) : 0f);
    active = SamplerState.count("the number of active leaves", counts[1], found);
    weightSum = state.doubles(prefix + "weightSum", 1)[0];
  }

  @Override
  public void close() {
    tree.close();
  }
}
