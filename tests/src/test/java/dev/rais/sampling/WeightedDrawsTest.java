package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Both ways of drawing give each example its share, and the weights undo that share. */
class WeightedDrawsTest extends RandomTest {
  private static SumTree randomTree(int n, Random random) {
    SumTree tree = new SumTree(n);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) Math.exp(2 * random.nextGaussian());
    }
    tree.build(i -> values[(int) i]);
    return tree;
  }

  @ParameterizedTest
  @CsvSource({"1,1", "7,21", "100,60", "1000,1000", "1000,512", "5000,20000"})
  void aRoundDrawsEveryExampleFloorOrCeilOfItsShare(int n, int size) {
    Random random = random("round " + n + "/" + size);
    try (SumTree tree = randomTree(n, random)) {
      WeightedDraws draws = new WeightedDraws(tree, random.nextLong());
      int[] counts = new int[n];
      draws.startRound(size);
      Minibatch batch = new Minibatch(0, size, 0);
      draws.fillFromRound(batch);
      assertEquals(0, draws.remaining());
      for (int i : batch.indices()) {
        counts[i]++;
      }
      for (int i = 0; i < n; i++) {
        double share = size * (double) tree.get(i) / tree.total();
        assertTrue(
            counts[i] >= Math.floor(share - 1e-9) && counts[i] <= Math.ceil(share + 1e-9),
            "example " + i + " has share " + share + " but was drawn " + counts[i] + " times");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1", "10", "1000", "60000"})
  void aUniformRoundIsAPermutationWithWeightsOfOne(int n) {
    try (SumTree tree = new SumTree(n)) {
      tree.build(i -> 0.7f);
      for (long seed = 0; seed < 20; seed++) {
        WeightedDraws draws = new WeightedDraws(tree, seed);
        draws.startRound(n);
        Minibatch batch = new Minibatch(0, n, 0);
        draws.fillFromRound(batch);
        int[] sorted = batch.indices().clone();
        java.util.Arrays.sort(sorted);
        for (int i = 0; i < n; i++) {
          assertEquals(i, sorted[i]);
          assertEquals(1f, batch.weights()[i], 1e-6f);
        }
      }
    }
  }

  @Test
  void roundsOfOneSeedDifferFromOneAnotherAndRepeatExactly() {
    try (SumTree tree = randomTree(500, new Random(3))) {
      int[][] first = new int[3][];
      for (int run = 0; run < 2; run++) {
        WeightedDraws draws = new WeightedDraws(tree, 99);
        for (int round = 0; round < 3; round++) {
          draws.startRound(256);
          Minibatch batch = new Minibatch(round, 256, 0);
          draws.fillFromRound(batch);
          if (run == 0) {
            first[round] = batch.indices();
          } else {
            assertArrayEquals(first[round], batch.indices());
          }
        }
      }
      assertTrue(!java.util.Arrays.equals(first[0], first[1]));
      assertTrue(!java.util.Arrays.equals(first[1], first[2]));
    }
  }

  @ParameterizedTest
  @CsvSource({"0", "0.02", "0.5", "1"})
  void independentDrawsFollowTheSmoothedDistribution(double smoothing) {
    Random random = random("iid, smoothing " + smoothing);
    int n = 300;
    int m = 1000;
    try (SumTree tree = randomTree(n, random)) {
      WeightedDraws draws = new WeightedDraws(tree, random.nextLong());
      long[] counts = new long[n];
      int batches = 500;
      for (int t = 0; t < batches; t++) {
        Minibatch batch = new Minibatch(t, m, 0);
        draws.fillIndependently(batch, smoothing);
        for (int j = 0; j < m; j++) {
          int i = batch.indices()[j];
          counts[i]++;
          double p = (1 - smoothing) * tree.get(i) / tree.total() + smoothing / n;
          assertEquals(1 / (n * p), batch.weights()[j], 1e-5 / (n * p));
        }
      }
      double[] expected = new double[n];
      for (int i = 0; i < n; i++) {
        double p = (1 - smoothing) * tree.get(i) / tree.total() + smoothing / n;
        expected[i] = p * m * batches;
      }
      assertCountsFit(counts, expected);
    }
  }

  @Test
  void whereAllValuesAreZeroDrawsAreUniform() {
    try (SumTree tree = new SumTree(40)) {
      WeightedDraws draws = new WeightedDraws(tree, seed());
      long[] counts = new long[40];
      for (int t = 0; t < 200; t++) {
        Minibatch batch = new Minibatch(t, 40, 0);
        draws.fillIndependently(batch, 0);
        for (int j = 0; j < 40; j++) {
          counts[batch.indices()[j]]++;
          assertEquals(1f, batch.weights()[j]);
        }
      }
      assertUniform(counts);
    }
  }
}
