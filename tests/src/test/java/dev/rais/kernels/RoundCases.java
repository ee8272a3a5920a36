package dev.rais.kernels;

import dev.rais.backend.cuda.Kernels;
import dev.rais.random.FeistelPermutation;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import dev.rais.reference.TreeReference;
import dev.rais.sampling.JavaDraws;
import java.util.ArrayList;
import java.util.List;

/** rais_round_generate: the bits of Java's Round. */
final class RoundCases implements KernelCases {
  private static final String FUNCTION = "rais_round_generate";

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int size : Trees.SIZES) {
      for (Trees.Leaves kind : Trees.Leaves.values()) {
        int slots = Math.max(1, size * 3 / 2);
        cases.add(
            new Case(
                FUNCTION,
                slots + " slots of " + size + " " + kind,
                t -> round(t, kind, size, slots)));
      }
    }
    for (int slots : new int[] {1, 2, 13, 31, 32, 33, 127, 256, 257, 1023, 1025, 50_000}) {
      cases.add(
          new Case(
              FUNCTION, slots + " slots", t -> round(t, Trees.Leaves.SPREAD, Trees.LARGE, slots)));
    }
    return cases;
  }

  private static void round(Trial t, Trees.Leaves kind, int size, int slots) {
    float[] all = Trees.leaves(t, kind, size);
    int retired = t.random().nextBoolean() ? Trees.retirable(all) : -1;
    float[] leaves = Trees.without(all, retired);
    long seed = t.random().nextLong();
    long number = t.random().nextLong() >>> t.random().nextInt(64);
    Trees.Tree tree = Trees.Tree.of(t, leaves);
    Operand counter = t.input("round", number);
    Operand indices = t.output("indices", Element.INT, slots);
    Operand weights = t.output("weights", Element.FLOAT, slots);
    t.run(
        (kernels, stream) ->
            kernels
                .sampling()
                .roundGenerate(
                    stream,
                    size,
                    tree.leaves().at(),
                    tree.sums().at(),
                    retired < 0 ? size : size - 1,
                    seed,
                    Streams.ROUND_OFFSET,
                    Streams.ROUND_ORDER,
                    counter.at(),
                    slots,
                    indices.at(),
                    weights.at()));
    JavaDraws.Drawn expected = JavaDraws.round(all, retired, seed, number, slots);
    t.bits(indices, expected.indices());
    t.bits(weights, expected.weights());
    isSystematic(t, leaves, seed, number, indices);
  }

  /** Every leaf has floor or ceil of K p_i slots, up to the rounding of sums at stratum borders. */
  private static void isSystematic(
      Trial t, float[] leaves, long seed, long number, Operand indices) {
    int slots = indices.count();
    double total = TreeReference.sums(leaves)[TreeReference.root(leaves.length)];
    int[] copies = new int[leaves.length];
    for (long index : indices.bits()) {
      copies[(int) index]++;
    }
    for (int i = 0; i < leaves.length; i++) {
      double expected = slots * (leaves[i] / total);
      boolean fits =
          copies[i] >= Math.floor(expected - 1e-9) && copies[i] <= Math.ceil(expected + 1e-9);
      t.check(fits, indices, i, "leaf " + i + " has " + copies[i] + " slots for " + expected);
    }
    double offset = new Philox(seed, Streams.ROUND_OFFSET).uniform(number, 0);
    var order = new FeistelPermutation(slots, seed, number, Streams.ROUND_ORDER);
    for (int k = 0; k < slots; k += 1 + slots / 32) {
      double x = (order.at(k) + offset) / slots * total;
      int index = (int) indices.bits()[k];
      t.check(Trees.holds(leaves, index, x), indices, k, "leaf " + index + " does not hold " + x);
    }
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            FUNCTION,
            GoodCall.size(40L, Kernels.MAX_TREE_SIZE),
            GoodCall.memory(48 * Float.BYTES, 16),
            GoodCall.memory(32 * Double.BYTES, 16),
            GoodCall.value(40L, 0L, -1L, 41L),
            GoodCall.value(7L),
            GoodCall.value(Streams.ROUND_OFFSET),
            GoodCall.value(Streams.ROUND_ORDER),
            GoodCall.memory(8, 8),
            GoodCall.size(3, Kernels.MAX_DRAWS),
            GoodCall.memory(12, 4),
            GoodCall.nullable(12, 4)));
  }
}
