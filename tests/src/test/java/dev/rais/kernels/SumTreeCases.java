package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.backend.cuda.Kernels;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import dev.rais.reference.TreeReference;
import dev.rais.sampling.JavaDraws;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** rais_sum_tree_…: the bits of Java's SumTree and IndependentDraws. */
final class SumTreeCases implements KernelCases {
  /** Above this, levels of sums get launches of their own. */
  private static final int LAUNCH_PER_LEVEL = 1_200_003;

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (String function :
        List.of("rais_sum_tree_leaves", "rais_sum_tree_sums", "rais_sum_tree_root")) {
      cases.add(new Case(function, "all sizes", SumTreeCases::memory));
    }
    for (int size : Trees.SIZES) {
      for (Trees.Leaves kind : Trees.Leaves.values()) {
        cases.add(new Case("rais_sum_tree_build", size + " " + kind, t -> build(t, kind, size)));
        cases.add(new Case("rais_sum_tree_draw", size + " " + kind, t -> draw(t, kind, size, 129)));
      }
      for (int count : new int[] {1, 33, 1025}) {
        cases.add(
            new Case(
                "rais_sum_tree_update",
                count + " of " + size,
                t -> update(t, size, count, count > 1)));
      }
    }
    for (int size : new int[] {Trees.LARGE, LAUNCH_PER_LEVEL}) {
      cases.add(
          new Case(
              "rais_sum_tree_build", size + " SPREAD", t -> build(t, Trees.Leaves.SPREAD, size)));
    }
    for (int count : new int[] {1, 2, 13, 127, 1023, 4099}) {
      cases.add(
          new Case(
              "rais_sum_tree_draw",
              count + " of many",
              t -> draw(t, Trees.Leaves.SPREAD, Trees.LARGE, count)));
      cases.add(
          new Case(
              "rais_sum_tree_update",
              count + " of many",
              t -> update(t, Trees.LARGE, count, false)));
    }
    cases.add(new Case("rais_sum_tree_draw", "from zeros", SumTreeCases::drawFromZeros));
    return cases;
  }

  private static void memory(Trial t) {
    var kernels = t.kernels().sampling();
    for (int size : Trees.SIZES) {
      float[] leaves = new float[size];
      assertEquals(TreeReference.padded(leaves).length, kernels.sumTreeLeaves(size));
      assertEquals(TreeReference.sums(leaves).length, kernels.sumTreeSums(size));
      assertEquals(TreeReference.root(size), kernels.sumTreeRoot(size));
    }
    for (long size : new long[] {0, -1, Long.MIN_VALUE, Kernels.MAX_TREE_SIZE + 1L}) {
      assertEquals(0, kernels.sumTreeLeaves(size));
      assertEquals(0, kernels.sumTreeSums(size));
      assertEquals(0, kernels.sumTreeRoot(size));
    }
  }

  /** Leaves that no tree may hold. */
  private static float badValue(Random random) {
    float[] bad = {-1, -Float.MIN_VALUE, Float.NaN, Float.POSITIVE_INFINITY, -3e38f};
    return bad[random.nextInt(bad.length)];
  }

  private static void build(Trial t, Trees.Leaves kind, int size) {
    float[] good = Trees.leaves(t, kind, size);
    float[] given = good.clone();
    int bad = 0;
    for (int i = 0; i < size; i++) {
      if (t.random().nextInt(10) == 0) {
        given[i] = badValue(t.random());
        good[i] = 0;
        bad++;
      }
    }
    // The padding need not be cleared before.
    float[] memory = Trees.nans(TreeReference.padded(given).length);
    System.arraycopy(given, 0, memory, 0, size);
    Operand leaves = t.updated("leaves", memory);
    double[] expected = TreeReference.sums(good);
    Operand sums = t.output("sums", Element.DOUBLE, expected.length);
    Operand invalid = t.updated("invalid_count", 10);
    t.run(
        (kernels, stream) ->
            kernels.sampling().sumTreeBuild(stream, size, leaves.at(), sums.at(), invalid.at()));
    t.bits(leaves, TreeReference.padded(good));
    t.bits(sums, expected);
    t.bits(invalid, new int[] {10 + bad});
    assertEquals(
        JavaDraws.sumsChecksum(good), JavaDraws.sumsChecksum(sums.bits()), "the Java tree's sums");
  }

  private static void update(Trial t, int size, int count, boolean withBad) {
    float[] before = Trees.leaves(t, Trees.Leaves.SPREAD, size);
    int[] indices = t.below(size, count);
    float[] values = t.uniform(count, 0, 1);
    float[] after = before.clone();
    int bad = 0;
    for (int j = 0; j < count; j++) {
      // Some twice or more: the last value holds.
      if (j % 5 == 4) {
        indices[j] = indices[j - 4];
      }
      float value = values[j];
      if (withBad && j % 7 == 3) {
        values[j] = badValue(t.random());
        value = 0;
        bad++;
      } else if (withBad && j % 25 == 21) { // never repeated
        indices[j] = new int[] {-1, size, Integer.MAX_VALUE, Integer.MIN_VALUE}[j % 4];
        bad++;
        continue;
      }
      after[indices[j]] = value;
    }
    Operand leaves = t.updated("leaves", TreeReference.padded(before));
    Operand sums = t.updated("sums", TreeReference.sums(before));
    Operand which = t.input("indices", indices);
    Operand what = t.input("values", values);
    Operand invalid = t.updated("invalid_count", -3);
    t.run(
        (kernels, stream) ->
            kernels
                .sampling()
                .sumTreeUpdate(
                    stream,
                    size,
                    leaves.at(),
                    sums.at(),
                    count,
                    which.at(),
                    what.at(),
                    invalid.at()));
    t.bits(leaves, TreeReference.padded(after));
    t.bits(sums, TreeReference.sums(after));
    t.bits(invalid, new int[] {-3 + bad});
    assertEquals(
        JavaDraws.sumsChecksum(after), JavaDraws.sumsChecksum(sums.bits()), "the Java tree's sums");
  }

  private static void draw(Trial t, Trees.Leaves kind, int size, int count) {
    float[] all = Trees.leaves(t, kind, size);
    int retired = t.random().nextBoolean() ? Trees.retirable(all) : -1;
    float[] leaves = Trees.without(all, retired);
    long seed = t.random().nextLong();
    long iteration = t.random().nextLong() >>> t.random().nextInt(64);
    Trees.Tree tree = Trees.Tree.of(t, leaves);
    Operand counter = t.input("iteration", iteration);
    Operand indices = t.output("indices", Element.INT, count);
    Operand weights = t.output("weights", Element.FLOAT, count);
    t.run(
        (kernels, stream) ->
            kernels
                .sampling()
                .sumTreeDraw(
                    stream,
                    size,
                    tree.leaves().at(),
                    tree.sums().at(),
                    retired < 0 ? size : size - 1,
                    seed,
                    Streams.WEIGHTED_DRAW,
                    counter.at(),
                    count,
                    indices.at(),
                    weights.at()));
    JavaDraws.Drawn expected = JavaDraws.independent(all, retired, seed, iteration, count);
    t.bits(indices, expected.indices());
    t.bits(weights, expected.weights());
    double total = TreeReference.sums(leaves)[TreeReference.root(size)];
    Philox philox = new Philox(seed, Streams.WEIGHTED_DRAW);
    for (int j = 0; j < count; j += 1 + count / 32) {
      double x = philox.uniform(iteration, j) * total;
      int index = (int) indices.bits()[j];
      t.check(Trees.holds(leaves, index, x), indices, j, "leaf " + index + " does not hold " + x);
    }
  }

  private static void drawFromZeros(Trial t) {
    Trees.Tree tree = Trees.Tree.of(t, new float[40]);
    Operand counter = t.input("iteration", 5L);
    Operand indices = t.output("indices", Element.INT, 33);
    Operand weights = t.output("weights", Element.FLOAT, 33);
    t.run(
        (kernels, stream) ->
            kernels
                .sampling()
                .sumTreeDraw(
                    stream,
                    40,
                    tree.leaves().at(),
                    tree.sums().at(),
                    40,
                    1,
                    Streams.WEIGHTED_DRAW,
                    counter.at(),
                    33,
                    indices.at(),
                    weights.at()));
    t.bits(indices, new int[33]);
    t.close(weights, nans(33), new double[33]);
  }

  static double[] nans(int count) {
    double[] nans = new double[count];
    java.util.Arrays.fill(nans, Double.NaN);
    return nans;
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            "rais_sum_tree_build",
            GoodCall.size(40L, Kernels.MAX_TREE_SIZE),
            GoodCall.memory(48 * Float.BYTES, 16),
            GoodCall.memory(32 * Double.BYTES, 16),
            GoodCall.nullable(4, 4)),
        GoodCall.of(
            "rais_sum_tree_update",
            GoodCall.size(40L, Kernels.MAX_TREE_SIZE),
            GoodCall.memory(48 * Float.BYTES, 16),
            GoodCall.memory(32 * Double.BYTES, 16),
            GoodCall.size(3, Kernels.MAX_DRAWS),
            GoodCall.memory(12, 4),
            GoodCall.memory(12, 4),
            GoodCall.nullable(4, 4)),
        GoodCall.of(
            "rais_sum_tree_draw",
            GoodCall.size(40L, Kernels.MAX_TREE_SIZE),
            GoodCall.memory(48 * Float.BYTES, 16),
            GoodCall.memory(32 * Double.BYTES, 16),
            GoodCall.value(40L, 0L, -1L, 41L),
            GoodCall.value(7L),
            GoodCall.value(Streams.WEIGHTED_DRAW),
            GoodCall.memory(8, 8),
            GoodCall.size(3, Kernels.MAX_DRAWS),
            GoodCall.memory(12, 4),
            GoodCall.nullable(12, 4)));
  }
}
