package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The gain of a large minibatch is that of its gradient's exact moments, from 1 to S. */
class AdaScaleSamplerTest extends RandomTest {
  private static final int M = 32;
  private static final int DIMENSIONS = 12;

  /** Examples whose gradients are a common mean of norm μ and noise of variance {@code trace}. */
  private static Observation gradients(int m, double mean, double trace, Random random) {
    float[] squares = new float[m];
    double[] sum = new double[DIMENSIONS];
    for (int j = 0; j < m; j++) {
      double square = 0;
      for (int k = 0; k < DIMENSIONS; k++) {
        double g = Math.sqrt(trace / DIMENSIONS) * random.nextGaussian() + (k == 0 ? mean : 0);
        sum[k] += g / m;
        square += g * g;
      }
      squares[j] = (float) square;
    }
    double batch = 0;
    for (double g : sum) {
      batch += g * g;
    }
    return new Observation(new float[0], squares, batch);
  }

  @ParameterizedTest
  @CsvSource({"4, 1, 20", "4, 1, 100", "16, 0.5, 10", "2, 1, 32", "1, 1, 32", "32, 1, 50"})
  void theRatioIsThatOfTheExactMoments(double scale, double mean, double trace) {
    Random random = random("adascale " + scale);
    double variance = trace / (M / scale); // of a minibatch of the base size
    double square = mean * mean;
    double expected = (variance + square) / (variance / scale + square);
    try (AdaScaleSampler sampler = new AdaScaleSampler(1000, random.nextLong(), scale)) {
      double sum = 0;
      int steps = 20_000;
      for (int t = -2000; t < steps; t++) {
        sampler.observe(sampler.draw(M), gradients(M, mean, trace, random));
        assertTrue(sampler.gainRatio() >= 1 && sampler.gainRatio() <= scale);
        sum += t < 0 ? 0 : sampler.gainRatio();
      }
      assertEquals(expected, sum / steps, 0.03 * expected);
    }
  }

  @Test
  void withoutNoiseAStepIsWorthOneAndWithNothingElseS() {
    Random random = random("adascale bounds");
    try (AdaScaleSampler exact = new AdaScaleSampler(1000, 1, 8);
        AdaScaleSampler noisy = new AdaScaleSampler(1000, 1, 8)) {
      float[] same = new float[M];
      java.util.Arrays.fill(same, 4f);
      for (int t = 0; t < 3000; t++) {
        exact.observe(exact.draw(M), new Observation(new float[0], same, 4));
        assertEquals(1, exact.gainRatio());
        noisy.observe(noisy.draw(M), gradients(M, 0, 10, random));
        assertTrue(noisy.gainRatio() <= 8);
      }
      assertEquals(8, noisy.gainRatio(), 1.0);
      assertEquals(3000 / 8.0, exact.effectiveIterations(), 1e-9);
      assertTrue(noisy.effectiveIterations() > 2700, "t̂ " + noisy.effectiveIterations());
    }
  }

  @Test
  void theRateIsScaledByTheRatioAndTheScheduleAdvancesByItsShareOfS() {
    Random random = random("adascale schedule");
    try (AdaScaleSampler sampler = new AdaScaleSampler(1000, 1, 4)) {
      double t = 0;
      for (int k = 0; k < 100; k++) {
        sampler.observe(sampler.draw(M), gradients(M, 1, 20, random));
        double r = sampler.gainRatio();
        double before = t;
        assertEquals(r / (1 + before), sampler.learningRate(x -> 1 / (1 + x)), 1e-9);
        t += r / 4;
        assertEquals(t, sampler.effectiveIterations(), 1e-9);
      }
    }
  }

  @Test
  void aVanishedGradientIsWorthOne() {
    try (AdaScaleSampler sampler = new AdaScaleSampler(1000, 1, 4)) {
      sampler.observe(sampler.draw(M), new Observation(new float[0], new float[M], 0));
      assertEquals(1, sampler.gainRatio());
    }
  }

  @Test
  void refusesScalesThatMinibatchesCannotHave() {
    for (double scale : new double[] {0.5, 11, Double.NaN}) {
      assertThrows(IllegalArgumentException.class, () -> new AdaScaleSampler(10, 1, scale));
    }
    try (AdaScaleSampler sampler = new AdaScaleSampler(10, 1, 4)) {
      var e = assertThrows(IllegalArgumentException.class, () -> sampler.draw(3));
      assertTrue(e.getMessage().contains("minibatch of 3"), e.getMessage());
      assertEquals(4, sampler.draw(4).size());
    }
    try (AdaScaleSampler sampler = new AdaScaleSampler(10, 1, 1)) {
      sampler.observe(sampler.draw(1), new Observation(new float[0], new float[] {2}, 2));
      assertEquals(1, sampler.gainRatio());
      assertEquals(1, sampler.effectiveIterations());
    }
  }
}
