package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** The gain ratio: formula, bounds, and its exact value of 1 under uniform weights. */
class GainEstimatorTest {
  @Test
  void uniformWeightsGiveExactlyOne() {
    GainEstimator gain = new GainEstimator(10);
    Random random = new Random(1);
    for (int t = 0; t < 500; t++) {
      float[] norms = new float[17];
      for (int j = 0; j < norms.length; j++) {
        norms[j] = random.nextFloat() * 100;
      }
      float[] ones = new float[17];
      java.util.Arrays.fill(ones, 1f);
      gain.observe(ones, norms, random.nextDouble());
      assertEquals(1.0, gain.gainRatio());
    }
    assertEquals(500.0, gain.effectiveIterations());
  }

  @Test
  void constantMomentsGiveTheFormulaFromTheFirstMinibatchOn() {
    GainEstimator gain = new GainEstimator(10);
    float[] w = {0.5f, 2f};
    float[] squares = {9f, 1f};
    double u = (0.5 * 9 + 2 * 1) / 2;
    double r = (0.25 * 9 + 4 * 1) / 2;
    double g = 0.25;
    double expected = 1 + (u - r) / (2 * g);
    for (int t = 0; t < 50; t++) {
      gain.observe(w, squares, g);
      assertEquals(expected, gain.gainRatio(), 1e-12);
    }
    assertEquals(50 * expected, gain.effectiveIterations(), 1e-9);
  }

  @Test
  void theRatioStaysWithinItsBoundsAndHitsAreCounted() {
    GainEstimator gain = new GainEstimator(3);
    gain.observe(new float[] {0.1f}, new float[] {100f}, 1e-6);
    assertEquals(3, gain.gainRatio());
    assertEquals(1, gain.boundHits());
    assertEquals(1, gain.boundShare());
    GainEstimator worse = new GainEstimator(3);
    worse.observe(new float[] {10f}, new float[] {100f}, 1e-6);
    assertEquals(1, worse.gainRatio());
    assertEquals(0, worse.boundHits());
  }

  @Test
  void aVanishedGradientGivesOne() {
    GainEstimator gain = new GainEstimator(3);
    gain.observe(new float[] {0.1f}, new float[] {0f}, 0);
    assertEquals(1, gain.gainRatio());
  }

  @Test
  void refusesABoundBelowOne() {
    for (double bound : new double[] {0.99, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThrows(IllegalArgumentException.class, () -> new GainEstimator(bound));
    }
    assertTrue(new GainEstimator(1).gainRatio() == 1);
  }
}
