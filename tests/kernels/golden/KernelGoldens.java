package dev.rais.sampling; // for Round and Distribution

import dev.rais.random.FeistelPermutation;
import dev.rais.random.Philox;
import dev.rais.random.Streams;

/**
 * Writes golden.h: what the Java classes give where the kernels must give the same bits. From the
 * repository's root, after {@code mvn -pl java compile}:
 *
 * <pre>
 *   javac -cp java/target/classes -d java/target/golden tests/kernels/golden/KernelGoldens.java
 *   java -cp java/target/classes:java/target/golden dev.rais.sampling.KernelGoldens \
 *     > tests/kernels/golden.h
 * </pre>
 */
final class KernelGoldens {
  private static final long SEED = 0x0123456789ABCDEFL;

  /** The hash of a sequence, also computed by the tests: h = 31 h + next, from 0. */
  private static final class Hash {
    private long value;

    void add(long next) {
      value = 31 * value + next;
    }
  }

  public static void main(String[] arguments) {
    line("// Values from the Java classes Philox, FeistelPermutation, SumTree, Distribution and");
    line("// Round, written by golden/KernelGoldens.java, which says how; not edited by hand.");
    line("// clang-format off");
    line("#pragma once");
    line("");
    line("#include <cstdint>");
    line("");
    line("namespace golden {");
    line("");
    line("constexpr int64_t kSeed = 0x%016x;", SEED);
    line("constexpr int32_t kWeightedDraw = %d;", Streams.WEIGHTED_DRAW);
    line("constexpr int32_t kRoundOffset = %d;", Streams.ROUND_OFFSET);
    line("constexpr int32_t kRoundOrder = %d;", Streams.ROUND_ORDER);
    philox();
    feistel();
    trees();
    line("");
    line("}  // namespace golden");
  }

  private static void philox() {
    line("");
    line("// bits and highBits of a place, and the bits of the uniform deviate there.");
    line("struct PhiloxCase {");
    line("  int64_t seed;");
    line("  int32_t stream;");
    line("  int64_t iteration;");
    line("  int32_t slot;");
    line("  uint64_t bits, highBits, uniform;");
    line("};");
    line("constexpr PhiloxCase kPhilox[] = {");
    long[][] places = {
      {0, 0, 0, 0}, {SEED, 4, 0, 0}, {SEED, 4, 1, 127}, {-1, -1, -1, -1}, {7, 5, 5_000_000_000L, 3}
    };
    for (long[] p : places) {
      Philox philox = new Philox(p[0], (int) p[1]);
      int slot = (int) p[3];
      line(
          "    {%s, %d, %dLL, %d, %s, %s,%n     %s},",
          signed(p[0]),
          (int) p[1],
          p[2],
          slot,
          hex(philox.bits(p[2], slot)),
          hex(philox.highBits(p[2], slot)),
          hex(Double.doubleToRawLongBits(philox.uniform(p[2], slot))));
    }
    line("};");
  }

  private static void feistel() {
    line("");
    line(
        "// The hash of the images of the first min(size, 5000) indices, and the last index's"
            + " image.");
    line("struct FeistelCase {");
    line("  int64_t size, seed, round;");
    line("  int32_t stream;");
    line("  uint64_t hash;");
    line("  int64_t last;");
    line("};");
    line("constexpr FeistelCase kFeistel[] = {");
    for (long size : new long[] {1, 2, 255, 256, 257, 60_000, 1 << 20, (1L << 40) + 12345}) {
      long round = size * 1_000_003;
      FeistelPermutation permutation =
          new FeistelPermutation(size, SEED, round, Streams.ROUND_ORDER);
      Hash hash = new Hash();
      for (long i = 0; i < Math.min(size, 5000); i++) {
        hash.add(permutation.at(i));
      }
      line(
          "    {%dLL, %s, %dLL, %d, %s, %dLL},",
          size,
          signed(SEED),
          round,
          Streams.ROUND_ORDER,
          hex(hash.value),
          permutation.at(size - 1));
    }
    line("};");
  }

  /** A third of the leaves is 0, the others spread over many orders of magnitude. */
  private static float leaf(Philox philox, long i) {
    float u = philox.uniformFloat(1, (int) i);
    return i % 3 == 1 ? 0 : u * u * u * u + 1e-6f;
  }

  private static void trees() {
    line("");
    line(
        "// A tree of size leaves (leaf i: 0 if i mod 3 is 1, else u*u*u*u + 1e-6f in float, with"
            + " u");
    line(
        "// the upper 24 bits of Philox(kSeed, 100) at (1, i)), after a build, and then after"
            + " updates");
    line(
        "// of 200 leaves (index j: Philox(kSeed, 101) below size at (0, j); value u there); draws"
            + " in");
    line("// iteration 12 and a round of number 9 from the updated tree. Hashes are of the bits.");
    line("struct TreeCase {");
    line("  int64_t size;");
    line("  uint64_t built, updated;");
    line("  int32_t draws;");
    line("  uint64_t drawIndices, drawWeights;");
    line("  int32_t roundSize;");
    line("  uint64_t roundIndices;");
    line("};");
    line("constexpr TreeCase kTrees[] = {");
    for (int n : new int[] {1, 2, 16, 17, 256, 257, 1000, 70_000}) {
      tree(n);
    }
    line("};");
  }

  private static void tree(int n) {
    Philox values = new Philox(SEED, 100);
    try (Distribution distribution = new Distribution(new Population(n, null))) {
      distribution.build(i -> leaf(values, i));
      SumTree tree = distribution.tree();
      long built = tree.sumsChecksum();
      int[] indices = new int[200];
      float[] updates = new float[200];
      Philox places = new Philox(SEED, 101);
      for (int j = 0; j < indices.length; j++) {
        indices[j] = places.below(n, 0, j);
        updates[j] = places.uniformFloat(0, j);
      }
      tree.update(indices, updates, indices.length);
      long updated = tree.sumsChecksum();
      int draws = 500;
      Philox uniform = new Philox(SEED, Streams.WEIGHTED_DRAW);
      Hash drawIndices = new Hash();
      Hash drawWeights = new Hash();
      for (int j = 0; j < draws; j++) {
        int index = (int) tree.find(uniform.uniform(12, j) * tree.total());
        drawIndices.add(index);
        drawWeights.add(Float.floatToRawIntBits((float) (1 / distribution.np(index))));
      }
      int roundSize = Math.min(2 * n, 50_000);
      Round round = Round.generate(distribution, SEED, 9, roundSize);
      Hash roundIndices = new Hash();
      for (int k = 0; k < roundSize; k++) {
        roundIndices.add(round.take());
      }
      line(
          "    {%d, %s, %s, %d, %s,%n     %s, %d, %s},",
          n,
          hex(built),
          hex(updated),
          draws,
          hex(drawIndices.value),
          hex(drawWeights.value),
          roundSize,
          hex(roundIndices.value));
    }
  }

  private static String hex(long bits) {
    return "0x%016x".formatted(bits);
  }

  private static String signed(long value) {
    return value == SEED ? "kSeed" : value + "LL";
  }

  private static void line(String format, Object... arguments) {
    System.out.printf(format + "%n", arguments);
  }
}
