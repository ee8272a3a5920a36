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

/** Candidates are selected with probability CDF(loss)^β, none is sent forward twice. */
class SelectiveBackpropSamplerTest extends RandomTest {
  private static ForwardPass losses(float[] loss) {
    return indices -> {
      float[] found = new float[indices.length];
      for (int j = 0; j < found.length; j++) {
        found[j] = loss[indices[j]];
      }
      return found;
    };
  }

  private static Observation observation(Minibatch batch) {
    return Observation.ofScores(new float[batch.size()]);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, 2, 0.5})
  void theProbabilityIsAPowerOfTheSharePerRank(double beta) {
    Random random = random("selection with β = " + beta);
    int n = 48;
    // An epoch is sent forward at once and is the whole history: CDF = rank/n exactly.
    float[] loss = new float[n];
    List<Integer> ranks = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      ranks.add(i + 1);
    }
    java.util.Collections.shuffle(ranks, random);
    for (int i = 0; i < n; i++) {
      loss[i] = (float) Math.log(ranks.get(i));
    }
    try (SelectiveBackpropSampler sampler =
        new SelectiveBackpropSampler(n, random.nextLong(), beta, n)) {
      long[] selected = new long[n];
      for (int t = 0; t < 3000; t++) {
        Minibatch batch = sampler.draw(n, losses(loss));
        for (int i : batch.indices()) {
          selected[ranks.get(i) - 1]++;
        }
        sampler.observe(batch, observation(batch));
      }
      for (int i : sampler.upcoming(Integer.MAX_VALUE)) {
        selected[ranks.get(i) - 1]++;
      }
      long epochs = sampler.candidates() / n;
      assertEquals(0, sampler.candidates() % n);
      assertEquals(epochs, selected[n - 1], "the largest loss is always selected");
      long[] counts = new long[2 * (n - 1)];
      double[] expected = new double[2 * (n - 1)];
      for (int r = 0; r < n - 1; r++) {
        expected[2 * r] = epochs * Math.pow((r + 1.0) / n, beta);
        expected[2 * r + 1] = epochs - expected[2 * r];
        counts[2 * r] = selected[r];
        counts[2 * r + 1] = epochs - selected[r];
      }
      assertCountsFit(counts, expected);
    }
  }

  @Test
  void theDefaultSelectsAThird() {
    Random random = random("selectivity");
    int n = 3000;
    float[] loss = new float[n];
    for (int i = 0; i < n; i++) {
      loss[i] = random.nextFloat();
    }
    try (SelectiveBackpropSampler sampler =
        new SelectiveBackpropSampler(n, random.nextLong(), SelectiveBackpropSampler.DEFAULT_BETA)) {
      int batches = 1000;
      for (int t = 0; t < batches; t++) {
        sampler.draw(64, losses(loss));
      }
      assertEquals(1 / 3.0, batches * 64.0 / sampler.candidates(), 0.02);
    }
  }

  @Test
  void candidatesComeInShuffledEpochsAndAreSentForwardOnce() {
    int n = 100;
    int m = 10;
    float[] loss = new float[n];
    Random random = random("candidates");
    for (int i = 0; i < n; i++) {
      loss[i] = random.nextFloat();
    }
    List<Integer> forwarded = new ArrayList<>();
    ForwardPass recording =
        indices -> {
          assertEquals(m, indices.length);
          for (int i : indices) {
            forwarded.add(i);
          }
          return losses(loss).scores(indices);
        };
    List<Integer> drawn = new ArrayList<>();
    try (SelectiveBackpropSampler sampler = new SelectiveBackpropSampler(n, random.nextLong(), 1)) {
      double charged = 0;
      for (int t = 0; t < 200; t++) {
        int[] waiting = sampler.upcoming(m);
        int before = forwarded.size();
        Minibatch batch = sampler.draw(m, recording);
        assertArrayEquals(waiting, Arrays.copyOf(batch.indices(), waiting.length));
        for (int j = 0; j < m; j++) {
          drawn.add(batch.indices()[j]);
          assertEquals(1f, batch.weights()[j]);
        }
        double worth = (forwarded.size() - before) / (double) m;
        charged += worth;
        sampler.observe(batch, observation(batch));
        assertEquals(charged, sampler.effectiveIterations(), "t̂ grows by candidates/m");
        assertEquals(1, sampler.gainRatio());
        assertEquals(0.1 * (charged - worth), sampler.learningRate(x -> 0.1 * x), 1e-9);
      }
      for (int i : sampler.upcoming(1000)) {
        drawn.add(i);
      }
    }
    for (int epoch = 0; epoch < forwarded.size() / n; epoch++) {
      assertEquals(n, forwarded.subList(epoch * n, (epoch + 1) * n).stream().distinct().count());
    }
    // What is drawn is a subsequence of what was sent forward: nothing twice, nothing lost.
    int at = 0;
    for (int i : drawn) {
      while (at < forwarded.size() && forwarded.get(at) != i) {
        at++;
      }
      assertTrue(at++ < forwarded.size(), "example " + i + " was drawn without being a candidate");
    }
  }

  @Test
  void equalLossesAreAllSelected() {
    try (SelectiveBackpropSampler sampler = new SelectiveBackpropSampler(100, 1, 2)) {
      for (int t = 0; t < 20; t++) {
        sampler.draw(10, losses(new float[100]));
      }
      assertEquals(200, sampler.candidates());
    }
  }

  @Test
  void refusesWhatIsOutOfRangeAndDrawsWithoutAForwardPass() {
    for (double beta : new double[] {-0.1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThrows(IllegalArgumentException.class, () -> new SelectiveBackpropSampler(9, 1, beta));
    }
    assertThrows(IllegalArgumentException.class, () -> new SelectiveBackpropSampler(9, 1, 1, 0));
    try (SelectiveBackpropSampler sampler = new SelectiveBackpropSampler(9, 1, 1)) {
      assertThrows(IllegalStateException.class, () -> sampler.draw(3));
    }
  }
}
