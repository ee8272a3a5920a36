package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Epochs without some of the easy examples have the full sum of gradients as expectation. */
class InfoBatchSamplerTest extends RandomTest {
  private static Minibatch step(InfoBatchSampler sampler, int m, float[] loss) {
    Minibatch batch = sampler.draw(m);
    float[] scores = new float[m];
    for (int j = 0; j < m; j++) {
      scores[j] = loss[batch.indices()[j]];
    }
    sampler.observe(batch, Observation.ofScores(scores));
    return batch;
  }

  private static float[] losses(int n, Random random) {
    float[] loss = new float[n];
    for (int i = 0; i < n; i++) {
      loss[i] = (float) Math.exp(random.nextGaussian());
    }
    return loss;
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.5, 0.8})
  void theExpectedSumOverAnEpochIsTheFullSum(double ratio) {
    Random random = random("infobatch at " + ratio);
    int n = 60;
    float[] loss = losses(n, random);
    double mean = 0;
    double[] x = new double[n];
    double sum = 0;
    for (int i = 0; i < n; i++) {
      mean += loss[i] / (double) n;
      x[i] = loss[i] * (1 + random.nextGaussian());
      sum += x[i];
    }
    int epochs = 6000;
    double found = 0;
    double squares = 0;
    double visitsBelow = 0;
    int below = 0;
    for (float l : loss) {
      below += l < mean ? 1 : 0;
    }
    try (InfoBatchSampler sampler =
        new InfoBatchSampler(n, random.nextLong(), Long.MAX_VALUE, ratio, 1)) {
      for (int epoch = 0; epoch <= epochs; epoch++) {
        int[] visits = new int[n];
        double weighted = 0;
        int left = 1;
        for (int t = 0; t < left; t++) {
          int i = step(sampler, 1, loss).indices()[0];
          left = sampler.kept();
          boolean easy = epoch > 0 && loss[i] < mean;
          visits[i]++;
          visitsBelow += easy ? 1 : 0;
          weighted += x[i] * (easy ? 1 / (1 - ratio) : 1);
        }
        for (int i = 0; i < n; i++) {
          boolean easy = epoch > 0 && loss[i] < mean;
          assertTrue(visits[i] == 1 || easy && visits[i] == 0, "epoch " + epoch + ", " + visits[i]);
        }
        if (epoch > 0) {
          found += weighted / epochs;
          squares += weighted * weighted / epochs;
        } else {
          assertEquals(n, sampler.kept(), "the first epoch is whole");
        }
        assertEquals(n * (epoch + 1.0), sampler.effectiveIterations(), 1e-6 * n * (epoch + 1));
      }
    }
    double deviation = Math.sqrt((squares - found * found) / epochs);
    assertEquals(sum, found, 5.6 * deviation);
    double expected = (double) epochs * below;
    assertEquals(
        (1 - ratio) * expected,
        visitsBelow,
        5.6 * Math.sqrt(expected * ratio * (1 - ratio)),
        "easy examples that stay");
  }

  @Test
  void weightsMakeUpForWhatIsLeftOut() {
    Random random = random("infobatch weights");
    int n = 80;
    float[] loss = losses(n, random);
    double mean = 0;
    for (float l : loss) {
      mean += l / (double) n;
    }
    try (InfoBatchSampler sampler = new InfoBatchSampler(n, random.nextLong(), 1000, 0.6, 1)) {
      double t = 0;
      for (int k = 0; k < 50; k++) {
        Minibatch batch = step(sampler, 8, loss);
        for (int j = 0; j < 8; j++) {
          boolean easy = k >= 10 && loss[batch.indices()[j]] < mean;
          assertEquals(easy ? 2.5f : 1f, batch.weights()[j], 1e-6f, "step " + k);
        }
        double worth = sampler.effectiveIterations() - t;
        t = sampler.effectiveIterations();
        assertTrue(k < 10 ? worth == 1 : worth > 1 && worth <= n / 20.0, "worth " + worth);
        assertEquals(1, sampler.gainRatio());
        assertEquals(0.3, sampler.learningRate(x -> 0.3));
      }
    }
  }

  @Test
  void epochsAreWholeAtTheEndOfTheSchedule() {
    int n = 80;
    int m = 8;
    float[] loss = losses(n, random("infobatch annealing"));
    long length = 200; // twenty epochs, of which the last 12.5 % are two and a half
    try (InfoBatchSampler sampler =
        new InfoBatchSampler(n, seed(), length, 0.5, InfoBatchSampler.DEFAULT_ANNEAL)) {
      while (sampler.effectiveIterations() < length) {
        double t = sampler.effectiveIterations();
        step(sampler, m, loss);
        if (t > 12 && t < 174) {
          assertTrue(sampler.kept() < n, "at " + t);
        } else if (t < 8 || t > 188) {
          assertEquals(n, sampler.kept(), "at " + t);
        }
      }
      assertEquals(17, sampler.statistics().refreshes(), 1);
    }
  }

  @Test
  void withoutPruningItIsUniformSampling() {
    float[] loss = losses(103, random("infobatch without pruning"));
    try (InfoBatchSampler sampler = new InfoBatchSampler(103, seed(), 50, 0, 0.875);
        UniformSampler uniform = new UniformSampler(103, seed(), DrawMode.ROUNDS)) {
      for (int t = 0; t < 60; t++) {
        assertArrayEquals(uniform.draw(10).indices(), step(sampler, 10, loss).indices());
        assertEquals(t + 1, sampler.effectiveIterations());
      }
    }
  }

  @Test
  void equalLossesAreNotLeftOut() {
    float[] loss = new float[70];
    java.util.Arrays.fill(loss, 0.1f);
    try (InfoBatchSampler sampler = new InfoBatchSampler(70, 1, 1000, 0.5, 1)) {
      for (int t = 0; t < 50; t++) {
        step(sampler, 7, loss);
        assertEquals(70, sampler.kept());
      }
    }
  }

  @Test
  void upcomingEndsWithTheEpoch() {
    float[] loss = losses(80, random("infobatch upcoming"));
    try (InfoBatchSampler sampler = new InfoBatchSampler(80, seed(), 1000, 0.5, 1)) {
      assertEquals(0, sampler.upcoming(5).length);
      for (int t = 0; t < 10; t++) {
        step(sampler, 8, loss);
        assertEquals(80 - 8 * (t + 1), sampler.upcoming(1000).length);
      }
      step(sampler, 8, loss);
      assertEquals(sampler.kept() - 8, sampler.upcoming(1000).length);
    }
  }

  @Test
  void refusesWhatIsOutOfRange() {
    assertThrows(IllegalArgumentException.class, () -> new InfoBatchSampler(9, 1, 0, 0.5, 0.875));
    for (double ratio : new double[] {-0.1, 1, Double.NaN}) {
      assertThrows(
          IllegalArgumentException.class, () -> new InfoBatchSampler(9, 1, 9, ratio, 0.875));
    }
    for (double anneal : new double[] {-0.1, 1.1, Double.NaN}) {
      assertThrows(
          IllegalArgumentException.class, () -> new InfoBatchSampler(9, 1, 9, 0.5, anneal));
    }
  }
}
