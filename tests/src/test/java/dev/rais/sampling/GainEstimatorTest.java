package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** The gain ratio: formula, bounds, and its exact value of 1 under uniform weights. */
class GainEstimatorTest {
  private static final ImportanceSampler OWNER = new UniformSampler(1, 1, DrawMode.IID);

  private static Minibatch batch(float... weights) {
    Minibatch batch = new Minibatch(OWNER, 0, weights.length, 0, false);
    for (int j = 0; j < weights.length; j++) {
      batch.set(j, 0, 1.0 / weights[j], 1);
    }
    return batch;
  }

  private static Observation observed(double batchNorm, float... squares) {
    return new Observation(new float[squares.length], squares, batchNorm);
  }

  @Test
  void uniformWeightsGiveExactlyOne() {
    GainEstimator gain = new GainEstimator(10);
    Random random = new Random(1);
    float[] ones = new float[17];
    java.util.Arrays.fill(ones, 1f);
    for (int t = 0; t < 500; t++) {
      float[] norms = new float[17];
      for (int j = 0; j < norms.length; j++) {
        norms[j] = random.nextFloat() * 100;
      }
      assertEquals(1.0, gain.observe(batch(ones), observed(random.nextDouble(), norms)));
    }
  }

  @Test
  void uniformDrawsOfAWeightedObjectiveGiveExactlyOne() {
    GainEstimator gain = new GainEstimator(10);
    Random random = new Random(2);
    for (int t = 0; t < 200; t++) {
      Minibatch batch = new Minibatch(OWNER, t, 9, 0, true);
      float[] norms = new float[9];
      for (int j = 0; j < 9; j++) {
        batch.set(j, 0, 1, 0.1 + 3 * random.nextDouble());
        norms[j] = random.nextFloat();
      }
      assertEquals(1.0, gain.observe(batch, observed(random.nextDouble(), norms)));
    }
  }

  @Test
  void constantMomentsGiveTheFormulaFromTheFirstMinibatchOn() {
    GainEstimator gain = new GainEstimator(10);
    double u = (0.5 * 9 + 2 * 1) / 2;
    double r = (0.25 * 9 + 4 * 1) / 2;
    double g = 0.25;
    double expected = 1 + (u - r) / (2 * g);
    for (int t = 0; t < 50; t++) {
      assertEquals(expected, gain.observe(batch(0.5f, 2f), observed(g, 9, 1)), 1e-12);
    }
  }

  @Test
  void aShadowIsMeasuredAndNotApplied() {
    // Two examples with N² of 9 and 1, drawn uniformly; p' = (3/4, 1/4) is the best there is.
    GainEstimator gain = new GainEstimator(10);
    double u = (9 + 1) / 2.0;
    double r = (9 / 1.5 + 1 / 0.5) / 2;
    double g = 3;
    double expected = 1 + (u - r) / (2 * (g - (u - r) / 2));
    for (int t = 0; t < 50; t++) {
      Minibatch batch = batch(1, 1);
      batch.shadow = new float[] {1.5f, 0.5f};
      assertEquals(1, gain.observe(batch, observed(g, 9, 1)));
      assertEquals(expected, gain.estimate(), 1e-12);
    }
    assertTrue(expected > 1.1);
  }

  @Test
  void theRatioStaysWithinItsBoundsAndHitsAreCounted() {
    GainEstimator gain = new GainEstimator(3);
    assertEquals(3, gain.observe(batch(0.1f), observed(1e-6, 100)));
    assertEquals(1, gain.boundHits());
    assertEquals(1, gain.boundShare());
    GainEstimator worse = new GainEstimator(3);
    assertEquals(1, worse.observe(batch(10f), observed(1e-6, 100)));
    assertTrue(worse.estimate() < 1);
    assertEquals(0, worse.boundHits());
  }

  @Test
  void aVanishedGradientGivesOne() {
    assertEquals(1, new GainEstimator(3).observe(batch(0.1f), observed(0, 0)));
  }

  @Test
  void refusesABoundBelowOne() {
    for (double bound : new double[] {0.99, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThrows(IllegalArgumentException.class, () -> new GainEstimator(bound));
    }
    assertEquals(1, new GainEstimator(1).estimate());
  }
}
