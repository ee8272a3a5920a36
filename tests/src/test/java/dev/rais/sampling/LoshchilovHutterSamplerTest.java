package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Selection probabilities fall exponentially with the rank of the loss, less and less so. */
class LoshchilovHutterSamplerTest extends RandomTest {
  private static final int M = 16;

  /** Losses whose order is random: rank[i] is the place of example i, the largest loss first. */
  private static int[] ranks(int n, Random random) {
    Integer[] order = new Integer[n];
    Arrays.setAll(order, i -> i);
    java.util.Collections.shuffle(Arrays.asList(order), random);
    int[] rank = new int[n];
    for (int r = 0; r < n; r++) {
      rank[order[r]] = r;
    }
    return rank;
  }

  /** Losses of both signs in the order of the ranks. */
  private static ForwardPass losses(int[] rank) {
    return indices -> {
      float[] losses = new float[indices.length];
      for (int j = 0; j < losses.length; j++) {
        losses[j] = 3 - 10f * rank[indices[j]] / rank.length;
      }
      return losses;
    };
  }

  private static Minibatch step(LoshchilovHutterSampler sampler, ForwardPass losses) {
    Minibatch batch = sampler.draw(M, losses);
    sampler.observe(batch, Observation.ofScores(losses.scores(batch.indices())));
    return batch;
  }

  @ParameterizedTest
  @ValueSource(doubles = {100, 8, 1})
  void selectionFrequenciesFallExponentiallyWithTheRank(double pressure) {
    Random random = random("ranks at pressure " + pressure);
    int n = 45;
    int[] rank = ranks(n, random);
    ForwardPass losses = losses(rank);
    try (LoshchilovHutterSampler sampler =
        new LoshchilovHutterSampler(n, random.nextLong(), 1000, pressure, pressure, 0, 1)) {
      for (int t = 0; t < 3; t++) {
        step(sampler, losses);
      }
      int batches = 8000;
      long[] counts = new long[n];
      for (int t = 0; t < batches; t++) {
        for (int i : step(sampler, losses).indices()) {
          counts[rank[i]]++;
        }
      }
      double[] expected = new double[n];
      double sum = 0;
      for (int r = 0; r < n; r++) {
        expected[r] = 1 / Math.pow(Math.exp(Math.log(pressure) / n), r + 1);
        sum += expected[r];
      }
      for (int r = 0; r < n; r++) {
        expected[r] *= batches * M / sum;
      }
      assertCountsFit(counts, expected);
      assertEquals(pressure, sampler.selectionPressure());
    }
  }

  @Test
  void thePressureIsAnnealedExponentiallyToUniform() {
    int n = 64;
    int[] rank = ranks(n, random("annealing"));
    ForwardPass losses = losses(rank);
    long length = 4000;
    try (LoshchilovHutterSampler sampler =
        new LoshchilovHutterSampler(n, seed(), length, 100, 1, 0, 1)) {
      long[] counts = new long[n];
      for (int t = 0; t < 2 * length; t++) {
        Minibatch batch = step(sampler, losses);
        double expected = 100 * Math.pow(0.01, Math.min(1, t / (double) length));
        assertEquals(expected, sampler.selectionPressure(), 0.01 * expected, "step " + t);
        if (t >= length) {
          for (int i : batch.indices()) {
            counts[i]++;
          }
        }
      }
      assertUniform(counts);
      assertEquals(2 * length, sampler.effectiveIterations());
    }
  }

  @Test
  void theFirstEpochIsShuffledAndWeightsAreOne() {
    int n = 4 * M;
    ForwardPass losses = losses(ranks(n, random("first epoch")));
    try (LoshchilovHutterSampler sampler = new LoshchilovHutterSampler(n, seed(), 100, 100)) {
      int[] visits = new int[n];
      for (int t = 0; t < 4; t++) {
        assertEquals(M, sampler.upcoming(M).length);
        Minibatch batch = step(sampler, losses);
        for (int j = 0; j < M; j++) {
          visits[batch.indices()[j]]++;
        }
      }
      int[] ones = new int[n];
      Arrays.fill(ones, 1);
      assertArrayEquals(ones, visits);
      assertEquals(0, sampler.upcoming(M).length);
      for (float w : step(sampler, losses).weights()) {
        assertEquals(1f, w);
      }
    }
  }

  @Test
  void lossesOfThoseThatRankFirstAreComputedAnewNowAndThen() {
    int n = 160;
    int[] rank = ranks(n, random("computed anew"));
    ForwardPass losses = losses(rank);
    List<int[]> asked = new ArrayList<>();
    ForwardPass counting =
        indices -> {
          asked.add(indices.clone());
          return losses.scores(indices);
        };
    try (LoshchilovHutterSampler sampler =
        new LoshchilovHutterSampler(n, seed(), 1000, 100, 1, 2, 0.25)) {
      int epochs = 10;
      for (int t = 0; t < epochs * n / M; t++) {
        Minibatch batch = sampler.draw(M, counting);
        sampler.observe(batch, Observation.ofScores(losses.scores(batch.indices())));
      }
      assertEquals(2 * (epochs - 1) - 1, asked.size(), "twice an epoch, the first apart");
      for (int[] indices : asked) {
        boolean[] seen = new boolean[n];
        for (int i : indices) {
          seen[rank[i]] = true;
        }
        assertEquals(n / 4, indices.length);
        for (int r = 0; r < n / 4; r++) {
          assertTrue(seen[r], "the loss of rank " + r + " is computed");
        }
      }
    }
  }

  @Test
  void refusesWhatIsOutOfRange() {
    assertThrows(IllegalArgumentException.class, () -> new LoshchilovHutterSampler(9, 1, 0, 100));
    for (double pressure : new double[] {0.99, Double.NaN, Double.POSITIVE_INFINITY}) {
      var e =
          assertThrows(
              IllegalArgumentException.class,
              () -> new LoshchilovHutterSampler(9, 1, 10, pressure));
      assertTrue(e.getMessage().contains(Double.toString(pressure)), e.getMessage());
    }
    assertThrows(
        IllegalArgumentException.class, () -> new LoshchilovHutterSampler(9, 1, 10, 100, 1, -1, 1));
    assertThrows(
        IllegalArgumentException.class,
        () -> new LoshchilovHutterSampler(9, 1, 10, 100, 1, 1, 1.01));
  }
}
