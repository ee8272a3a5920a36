package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Presampling is unbiased, draws candidates by their scores, and knows when not to. */
class PresampleSamplerTest extends RandomTest {
  private static final int M = 16;

  /** A few examples with nearly all of the gradient. */
  private static float[] skewed(int n, Random random) {
    float[] scores = new float[n];
    for (int i = 0; i < n; i++) {
      scores[i] = (float) Math.exp(2.2 * random.nextGaussian());
    }
    return scores;
  }

  private static ForwardPass forward(float[] scores) {
    return indices -> {
      float[] found = new float[indices.length];
      for (int j = 0; j < found.length; j++) {
        found[j] = scores[indices[j]];
      }
      return found;
    };
  }

  private static void observe(PresampleSampler sampler, Minibatch batch, float[] scores) {
    sampler.observe(batch, Observation.ofScores(forward(scores).scores(batch.indices())));
  }

  /** Steps until τ is above its threshold. */
  private static void warmUp(PresampleSampler sampler, float[] scores) {
    for (int t = 0; sampler.statistics().weightedIterations() == 0; t++) {
      assertTrue(t < 1000, "presampling must switch on, but τ is " + sampler.tau());
      observe(sampler, sampler.draw(M, forward(scores)), scores);
    }
  }

  @Test
  void theWeightedMeanIsTheFullMean() {
    Random random = random("presample unbiased");
    int n = 331;
    float[] scores = skewed(n, random);
    double[] x = new double[n];
    double mean = 0;
    for (int i = 0; i < n; i++) {
      // Partly in line with the scores, as gradients are.
      x[i] = scores[i] * (0.5 + random.nextDouble()) + 0.1 * random.nextGaussian();
      mean += x[i] / n;
    }
    try (PresampleSampler sampler = new PresampleSampler(n, random.nextLong(), 3)) {
      warmUp(sampler, scores);
      int batches = 20_000;
      double sum = 0;
      double squares = 0;
      for (int t = 0; t < batches; t++) {
        Minibatch batch = sampler.draw(M, forward(scores));
        double g = 0;
        for (int j = 0; j < M; j++) {
          g += batch.weights()[j] * x[batch.indices()[j]] / M;
        }
        sum += g;
        squares += g * g;
        observe(sampler, batch, scores);
      }
      double found = sum / batches;
      double deviation = Math.sqrt((squares / batches - found * found) / batches);
      assertEquals(mean, found, 5.6 * deviation);
      assertTrue(deviation < 0.02 * mean, "the test must be able to see a bias: " + deviation);
      assertEquals(batches + 1L, sampler.statistics().weightedIterations(), 0.05 * batches);
    }
  }

  @Test
  void candidatesAreDrawnInProportionToTheirScores() {
    Random random = random("presample frequencies");
    int n = 100;
    float[] scores = skewed(n, random);
    scores[3] = 0;
    scores[5] = 60;
    scores[6] = 100;
    try (PresampleSampler sampler = new PresampleSampler(n, random.nextLong(), 4)) {
      warmUp(sampler, scores);
      long[] counts = new long[n];
      double[] expected = new double[n];
      double[] sum = new double[1];
      for (int t = 0; t < 4000; t++) {
        sum[0] = 0;
        ForwardPass recording =
            candidates -> {
              for (int i : candidates) {
                sum[0] += scores[i];
              }
              for (int i : candidates) {
                expected[i] += M * scores[i] / sum[0];
              }
              assertEquals(4 * M, candidates.length);
              return forward(scores).scores(candidates);
            };
        Minibatch batch = sampler.draw(M, recording);
        for (int j = 0; sum[0] > 0 && j < M; j++) {
          int i = batch.indices()[j];
          counts[i]++;
          double w = sum[0] / (4 * M) / scores[i];
          assertEquals(w, batch.weights()[j], 1e-5 * w);
        }
        observe(sampler, batch, scores);
      }
      assertTrue(sampler.statistics().weightedIterations() > 3000);
      assertEquals(0, counts[3], "a score of 0 is never drawn");
      // Left out of the comparison, which divides by what is expected.
      counts[3] = 1;
      expected[3] = 1;
      assertCountsFit(counts, expected);
    }
  }

  @Test
  void tauSwitchesPresamplingOnAndOff() {
    int n = 200;
    float[] equal = new float[n];
    Arrays.fill(equal, 1f);
    float[] unequal = equal.clone();
    for (int i = 0; i < n; i += 20) {
      unequal[i] = 100;
    }
    try (PresampleSampler sampler = new PresampleSampler(n, 4, 3)) {
      ForwardPass none =
          indices -> {
            throw new AssertionError("no forward pass is worth it");
          };
      for (int t = 0; t < 100; t++) {
        Minibatch batch = sampler.draw(M, none);
        for (float w : batch.weights()) {
          assertEquals(1f, w);
        }
        observe(sampler, batch, equal);
      }
      assertEquals(1, sampler.tau(), 1e-3);
      warmUp(sampler, unequal);
      assertTrue(sampler.tau() > 2, "τ_th of B = 3m is (3 + 3)/3, τ is " + sampler.tau());
      int[] asked = {0};
      for (int t = 0; t < 200; t++) {
        observe(
            sampler,
            sampler.draw(
                M,
                indices -> {
                  assertEquals(3 * M, indices.length);
                  asked[0]++;
                  return forward(equal).scores(indices);
                }),
            equal);
      }
      assertTrue(asked[0] > 0 && asked[0] < 20, "it must switch off: " + asked[0]);
      assertEquals(301, sampler.effectiveIterations(), 50);
      assertEquals(1, sampler.gainRatio());
    }
  }

  @Test
  void tauIsThePapersFormula() {
    Random random = random("τ");
    float[] scores = skewed(50, random);
    try (PresampleSampler sampler = new PresampleSampler(50, random.nextLong(), 3)) {
      double expected = 0;
      for (int t = 0; t < 5; t++) {
        Minibatch batch = sampler.draw(M, forward(scores));
        if (sampler.statistics().weightedIterations() > 0) {
          return;
        }
        double sum = 0;
        for (int i : batch.indices()) {
          sum += scores[i];
        }
        double distance = 0;
        double square = 0;
        for (int i : batch.indices()) {
          double g = scores[i] / sum;
          distance += (g - 1.0 / M) * (g - 1.0 / M);
          square += g * g;
        }
        expected = 0.9 * expected + 0.1 / Math.sqrt(1 - distance / square);
        observe(sampler, batch, scores);
        assertEquals(expected, sampler.tau(), 1e-6 * expected);
      }
    }
  }

  @Test
  void scoresThatAreAllZeroDrawUniformly() {
    float[] scores = new float[100];
    Arrays.fill(scores, 1f);
    for (int i = 0; i < 100; i += 25) {
      scores[i] = 1000;
    }
    try (PresampleSampler sampler = new PresampleSampler(100, 4, 3)) {
      warmUp(sampler, scores);
      Minibatch batch = sampler.draw(M, forward(new float[100]));
      for (float w : batch.weights()) {
        assertEquals(1f, w);
      }
    }
  }

  @Test
  void refusesLessThanOneCandidateForEachExampleDrawn() {
    for (double presample : new double[] {0.99, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThrows(IllegalArgumentException.class, () -> new PresampleSampler(9, 1, presample));
    }
  }
}
