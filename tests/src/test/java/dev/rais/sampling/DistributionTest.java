package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Both ways of drawing give each example its share, and the weights undo that share. */
class DistributionTest extends RandomTest {
  private static Distribution random(int n, Random random) {
    Distribution distribution = new Distribution(new Population(n, null));
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) Math.exp(2 * random.nextGaussian());
    }
    distribution.build(i -> values[(int) i]);
    return distribution;
  }

  private static double share(Distribution distribution, int i) {
    return (double) distribution.tree().get(i) / distribution.tree().total();
  }

  private static int[] all(Round round) {
    int[] indices = new int[round.size()];
    for (int k = 0; k < indices.length; k++) {
      indices[k] = round.take();
    }
    assertEquals(-1, round.take());
    assertEquals(0, round.remaining());
    return indices;
  }

  @ParameterizedTest
  @CsvSource({"1,1", "7,21", "100,60", "1000,1000", "1000,512", "5000,20000"})
  void aRoundDrawsEveryExampleFloorOrCeilOfItsShare(int n, int size) {
    Random random = random("round " + n + "/" + size);
    try (Distribution distribution = random(n, random)) {
      int[] counts = new int[n];
      for (int i : all(Round.generate(distribution, random.nextLong(), 0, size))) {
        counts[i]++;
      }
      for (int i = 0; i < n; i++) {
        double share = size * share(distribution, i);
        assertTrue(
            counts[i] >= Math.floor(share - 1e-9) && counts[i] <= Math.ceil(share + 1e-9),
            "example " + i + " has share " + share + " but was drawn " + counts[i] + " times");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1", "10", "1000", "60000"})
  void aUniformRoundIsAPermutation(int n) {
    try (Distribution distribution = new Distribution(new Population(n, null))) {
      distribution.build(i -> 0.7f);
      for (long seed = 0; seed < 20; seed++) {
        int[] sorted = all(Round.generate(distribution, seed, 0, n));
        Arrays.sort(sorted);
        for (int i = 0; i < n; i++) {
          assertEquals(i, sorted[i]);
          assertEquals(1, distribution.np(i), 1e-6);
        }
      }
    }
  }

  @Test
  void roundsOfOneSeedDifferFromOneAnotherAndRepeatExactly() {
    try (Distribution distribution = random(500, new Random(3))) {
      int[][] first = new int[3][];
      for (int run = 0; run < 2; run++) {
        for (int number = 0; number < 3; number++) {
          int[] indices = all(Round.generate(distribution, 99, number, 256));
          if (run == 0) {
            first[number] = indices;
          } else {
            assertArrayEquals(first[number], indices);
          }
        }
      }
      assertTrue(!Arrays.equals(first[0], first[1]));
      assertTrue(!Arrays.equals(first[1], first[2]));
    }
  }

  /** 10^8 examples: a float CDF has no room for them, and a shuffled list of draws takes 400 MB. */
  @Test
  void aRoundOfAHundredMillionExamplesGivesEveryPartItsShare() {
    Random random = random("10^8 examples");
    int n = 100_000_000;
    int blocks = 10_000;
    int size = 1 << 20;
    long blockSize = n / blocks;
    try (Distribution distribution = new Distribution(new Population(n, null))) {
      // Values that differ by a factor of 100 from example to example, and between blocks.
      distribution.build(i -> 0.01f + (i * 2654435761L >>> 7 & 127) / 128f + i / blockSize % 3);
      double[] share = new double[blocks];
      double mean = 0;
      SumTree tree = distribution.tree();
      for (int b = 0; b < blocks; b++) {
        for (long i = b * blockSize; i < (b + 1) * blockSize; i++) {
          share[b] += tree.get(i);
        }
        mean += x(b) / blocks;
      }
      double estimate = 0;
      int rounds = 2;
      for (int r = 0; r < rounds; r++) {
        int[] counts = new int[blocks];
        for (int i : all(Round.generate(distribution, random.nextLong(), r, size))) {
          int b = (int) (i / blockSize);
          counts[b]++;
          estimate += x(b) / distribution.np(i) / ((double) size * rounds);
        }
        for (int b = 0; b < blocks; b++) {
          double expected = size * share[b] / tree.total();
          assertEquals(expected, counts[b], 1.001, "block " + b + " of round " + r);
        }
      }
      assertEquals(mean, estimate, 0.01);
    }
  }

  private static double x(int block) {
    return Math.sin(block);
  }

  @Test
  void independentDrawsFollowTheDistribution() {
    Random random = random("independent draws");
    int n = 300;
    int m = 1000;
    try (Distribution distribution = random(n, random);
        UniformSampler owner = new UniformSampler(n, 1, DrawMode.IID)) {
      IndependentDraws draws = new IndependentDraws(random.nextLong());
      long[] counts = new long[n];
      int batches = 500;
      for (int t = 0; t < batches; t++) {
        Minibatch batch = new Minibatch(owner, t, m, 0, false);
        draws.fill(batch, distribution);
        for (int j = 0; j < m; j++) {
          int i = batch.indices()[j];
          counts[i]++;
          double weight = 1 / (n * share(distribution, i));
          assertEquals(weight, batch.weights()[j], 1e-5 * weight);
        }
      }
      double[] expected = new double[n];
      for (int i = 0; i < n; i++) {
        expected[i] = share(distribution, i) * m * batches;
      }
      assertCountsFit(counts, expected);
    }
  }

  @Test
  void theRetiredAreNeverDrawnAndTheirShareGoesToTheOthers() {
    Random random = random("retired");
    int n = 400;
    Population population = new Population(n, null);
    try (Distribution distribution = new Distribution(population)) {
      float[] values = new float[n];
      double left = 0;
      for (int i = 0; i < n; i++) {
        values[i] = (float) Math.exp(random.nextGaussian());
        left += i % 3 == 0 ? 0 : values[i];
      }
      distribution.build(i -> values[(int) i]);
      Round before = Round.generate(distribution, seed(), 0, 4 * n);
      int active = n;
      for (int i = 0; i < n; i += 3) {
        distribution.retire(i);
        population.retire(i);
        active--;
      }
      assertEquals(active, distribution.active());
      for (int i = 0; i < n; i++) {
        double expected = i % 3 == 0 ? 0 : active * (double) values[i] / left;
        assertEquals(expected, distribution.np(i), 1e-9 * Math.max(1, expected));
      }
      int drawn = 0;
      for (int i = before.take(); i >= 0; i = before.take()) {
        assertTrue(i % 3 != 0, "example " + i + " was retired");
        drawn++;
      }
      assertTrue(drawn > n, "the others are still drawn");
    }
  }

  @Test
  void weightsOfTheObjectiveAreUndoneToo() {
    float[] u = {1, 0, 3, 0.5f};
    Population population = new Population(4, u);
    float[] v = {2, 5, 1, 4};
    try (Distribution distribution = new Distribution(population)) {
      distribution.build(i -> u[(int) i] * v[(int) i]);
      double total = 2 + 0 + 3 + 2;
      for (int i = 0; i < 4; i++) {
        double p = u[i] * v[i] / total;
        assertEquals(4 * p, distribution.np(i), 1e-12);
        if (p > 0) {
          // a = u / (p Σu)
          assertEquals(u[i] / (p * 4.5), distribution.relativeWeight(i) / distribution.np(i), 1e-9);
        }
      }
    }
  }
}
