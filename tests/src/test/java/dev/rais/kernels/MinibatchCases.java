package dev.rais.kernels;

import dev.rais.backend.cuda.Kernels;
import dev.rais.random.Streams;
import dev.rais.sampling.JavaDraws;
import java.util.ArrayList;
import java.util.List;

/** rais_round_take, rais_epoch_take, rais_uniform_draw, rais_draw_weights: Java's draws. */
final class MinibatchCases implements KernelCases {
  /** Of which every example of some number is retired; 0 for none. */
  private static final int[] RETIRED = {0, 9, 2};

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int every : RETIRED) {
      String name = every == 0 ? "" : ", one of " + every + " retired";
      for (int count : new int[] {1, 31, 129, 1025}) {
        cases.add(
            new Case("rais_round_take", count + " slots" + name, t -> takeRound(t, count, every)));
        cases.add(
            new Case("rais_epoch_take", count + " slots" + name, t -> takeEpoch(t, count, every)));
        cases.add(
            new Case("rais_uniform_draw", count + " slots" + name, t -> uniform(t, count, every)));
      }
      for (boolean weighted : new boolean[] {false, true}) {
        String kind = (weighted ? "weighted" : "plain") + name;
        cases.add(new Case("rais_draw_weights", kind, t -> weigh(t, 1025, every, weighted, false)));
        cases.add(
            new Case(
                "rais_draw_weights",
                kind + ", uniform draws",
                t -> weigh(t, 33, every, weighted, true)));
      }
    }
    return cases;
  }

  /** Every {@code every}th example, but never all of a set. */
  static int[] retired(int size, int every) {
    List<Integer> retired = new ArrayList<>();
    for (int i = 1; every > 0 && i < size; i += every) {
      retired.add(i);
    }
    return retired.stream().mapToInt(Integer::intValue).toArray();
  }

  /** As the kernels take them: a bit for each example. */
  static Operand bits(Trial t, int size, int[] retired) {
    int[] words = new int[(size + 31) / 32];
    for (int index : retired) {
      words[index / 32] |= 1 << index % 32;
    }
    return t.input("retired", words);
  }

  private static void takeRound(Trial t, int count, int every) {
    int size = 300;
    float[] leaves = Trees.leaves(t, Trees.Leaves.SPREAD, size);
    int[] retired = retired(size, every);
    int slots = count * (1 + t.random().nextInt(4));
    JavaDraws.Taken java =
        JavaDraws.round(leaves, retired, t.random().nextLong(), t.random().nextLong(), slots);
    for (int index : retired) {
      leaves[index] = 0;
    }
    // From somewhere within a minibatch on.
    int first = t.random().nextInt(count);
    int taken = Math.min(count - first, java.taken().length);
    int used = 0;
    for (int left = taken; left > 0; used++) {
      left -= leaves[java.slots()[used]] > 0 ? 1 : 0;
    }
    int[] before = t.below(size, count);
    int[] expected = before.clone();
    System.arraycopy(java.taken(), 0, expected, first, taken);
    Operand round = t.input("slots", java.slots());
    Operand tree = t.input("leaves", leaves);
    Operand position = t.updated("position", 0L);
    Operand filled = t.updated("filled", first);
    Operand indices = t.updated("indices", before);
    t.run(
        (kernels, stream) ->
            kernels
                .sampling()
                .roundTake(
                    stream,
                    slots,
                    round.at(),
                    size,
                    tree.at(),
                    position.at(),
                    count,
                    filled.at(),
                    indices.at()));
    t.bits(indices, expected);
    t.bits(filled, new int[] {first + taken});
    t.bits(position, new long[] {first + taken < count ? slots : used});
  }

  private static void takeEpoch(Trial t, int count, int every) {
    int size = 2 + t.random().nextInt(700);
    int[] retired = retired(size, every);
    long seed = t.random().nextLong();
    JavaDraws.Epochs java =
        JavaDraws.epochs(size, retired, seed, t.random().nextInt(3 * size), count);
    Operand gone = bits(t, size, retired);
    Operand position = t.updated("position", java.from());
    Operand indices = t.output("indices", Element.INT, count);
    t.run(
        (kernels, stream) ->
            kernels
                .sampling()
                .epochTake(
                    stream,
                    size,
                    every == 0 ? Trial.at(null) : gone.at(),
                    seed,
                    Streams.SHUFFLE,
                    position.at(),
                    count,
                    indices.at()));
    t.bits(indices, java.indices());
    t.bits(position, new long[] {java.to()});
  }

  private static void uniform(Trial t, int count, int every) {
    int size = 2 + t.random().nextInt(70_000);
    int[] retired = retired(size, every);
    long seed = t.random().nextLong();
    long iteration = t.random().nextLong() >>> 20;
    Operand gone = bits(t, size, retired);
    Operand counter = t.input("iteration", iteration);
    Operand indices = t.output("indices", Element.INT, count);
    t.run(
        (kernels, stream) ->
            kernels
                .sampling()
                .uniformDraw(
                    stream,
                    size,
                    every == 0 ? Trial.at(null) : gone.at(),
                    seed,
                    Streams.UNIFORM_DRAW,
                    counter.at(),
                    count,
                    indices.at()));
    t.bits(indices, JavaDraws.uniform(size, retired, seed, iteration, count));
  }

  private static void weigh(Trial t, int count, int every, boolean weighted, boolean uniform) {
    int size = 2 + t.random().nextInt(5000);
    float[] leaves = Trees.leaves(t, Trees.Leaves.SPREAD, size);
    float[] objective = weighted ? t.uniform(size, 0.01, 3) : null;
    int[] retired = retired(size, every);
    int[] indices = t.below(size, count);
    for (int j = 0; j < count; j++) {
      while (every > 0 && indices[j] % every == 1 % every) {
        indices[j] = t.random().nextInt(size);
      }
    }
    JavaDraws.Weighed java =
        JavaDraws.weigh(size, uniform ? null : leaves, objective, retired, indices);
    for (int index : retired) {
      leaves[index] = 0;
    }
    Trees.Tree tree = Trees.Tree.of(t, leaves);
    Operand us = t.input("objective", weighted ? objective : new float[1]);
    Operand which = t.input("indices", indices);
    Operand importance = t.output("importance", Element.FLOAT, count);
    Operand weights = t.output("weights", Element.FLOAT, count);
    Operand shadow = uniform ? null : t.output("shadow", Element.FLOAT, count);
    t.run(
        (kernels, stream) ->
            kernels
                .sampling()
                .drawWeights(
                    stream,
                    size,
                    uniform ? Trial.at(null) : tree.leaves().at(),
                    uniform ? Trial.at(null) : tree.sums().at(),
                    java.active(),
                    weighted ? us.at() : Trial.at(null),
                    java.weightSum(),
                    count,
                    which.at(),
                    importance.at(),
                    weights.at(),
                    Trial.at(shadow)));
    t.bits(importance, java.importance());
    t.bits(weights, java.weights());
    if (!uniform) {
      t.bits(shadow, java.shadow());
    }
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            "rais_round_take",
            GoodCall.size(10, Kernels.MAX_DRAWS),
            GoodCall.memory(40, 4),
            GoodCall.size(40L, Kernels.MAX_TREE_SIZE),
            GoodCall.memory(160, 4),
            GoodCall.memory(8, 8),
            GoodCall.size(3, Kernels.MAX_DRAWS),
            GoodCall.memory(4, 4),
            GoodCall.memory(12, 4)),
        GoodCall.of(
            "rais_epoch_take",
            GoodCall.size(40L, Kernels.MAX_TREE_SIZE),
            GoodCall.nullable(8, 4),
            GoodCall.value(7L),
            GoodCall.value(Streams.SHUFFLE),
            GoodCall.memory(8, 8),
            GoodCall.size(3, Kernels.MAX_DRAWS),
            GoodCall.memory(12, 4)),
        GoodCall.of(
            "rais_uniform_draw",
            GoodCall.size(40L, Kernels.MAX_TREE_SIZE),
            GoodCall.nullable(8, 4),
            GoodCall.value(7L),
            GoodCall.value(Streams.UNIFORM_DRAW),
            GoodCall.memory(8, 8),
            GoodCall.size(3, Kernels.MAX_DRAWS),
            GoodCall.memory(12, 4)),
        GoodCall.of(
            "rais_draw_weights",
            GoodCall.size(40L, Kernels.MAX_TREE_SIZE),
            GoodCall.memory(48 * Float.BYTES, 16),
            GoodCall.memory(32 * Double.BYTES, 16),
            GoodCall.value(40L, 0L, -1L, 41L),
            GoodCall.nullable(160, 4),
            GoodCall.value(40.0, 0.0, -1.0, Double.NaN, Double.POSITIVE_INFINITY),
            GoodCall.size(3, Kernels.MAX_DRAWS),
            GoodCall.memory(12, 4),
            GoodCall.nullable(12, 4),
            GoodCall.nullable(12, 4),
            GoodCall.nullable(12, 4)));
  }
}
