package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What a foreign training loop asks of RAIS beyond plain draws: minibatches drawn ahead, weights of
 * the objective, examples that come and go, indices known beforehand.
 */
class RaisSamplerDataTest extends RandomTest {
  private static final int M = 32;

  private static RaisOptions options(DrawMode mode) {
    return RaisOptions.defaults().withDraw(mode).withRecordCapacity(1000).withCaution(false);
  }

  /** Sum and sum of squares of what a weighted minibatch estimates. */
  private static final class Mean {
    double sum;
    double squares;
    int count;

    void add(double x) {
      sum += x;
      squares += x * x;
      count++;
    }

    void assertIs(double expected, double largestDeviation) {
      double found = sum / count;
      double deviation = Math.sqrt((squares / count - found * found) / count);
      assertTrue(deviation < largestDeviation, "cannot see a bias: deviation " + deviation);
      assertEquals(expected, found, 5.6 * deviation);
    }
  }

  private static double[] values(int n, Random random) {
    double[] x = new double[n];
    for (int i = 0; i < n; i++) {
      x[i] = random.nextGaussian() + (i % 7 == 0 ? 3 : 0);
    }
    return x;
  }

  private static double estimate(Minibatch batch, double[] x) {
    double g = 0;
    for (int j = 0; j < batch.size(); j++) {
      g += batch.weights()[j] * x[batch.indices()[j]] / batch.size();
    }
    return g;
  }

  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void minibatchesDrawnAheadStayUnbiased(DrawMode mode) {
    Random random = random("ahead " + mode);
    Workload workload = new Workload(997, 5, random.nextLong());
    try (RaisSampler sampler =
        new RaisSampler(workload.labels, 5, random.nextLong(), options(mode))) {
      double[] x = values(workload.n, random);
      Mean mean = new Mean();
      ArrayDeque<Minibatch> ahead = new ArrayDeque<>();
      for (int t = 0; t < 6000; t++) {
        while (ahead.size() < 8) {
          ahead.add(sampler.draw(M));
        }
        // Now and then out of order, as with several workers.
        Minibatch batch = t % 5 == 0 ? ahead.pollLast() : ahead.pollFirst();
        if (sampler.uncertaintySet() != null) {
          mean.add(estimate(batch, x));
        }
        sampler.observe(batch, workload.observe(batch));
      }
      assertNotNull(sampler.uncertaintySet());
      mean.assertIs(Arrays.stream(x).average().orElseThrow(), 0.05);
    }
  }

  @ParameterizedTest
  @CsvSource({"ROUNDS,false", "IID,false", "ROUNDS,true", "IID,true"})
  void weightsOfTheObjectiveKeepItsGradient(DrawMode mode, boolean uniform) {
    Random random = random("objective " + mode + " " + uniform);
    Workload workload = new Workload(600, 3, random.nextLong());
    float[] u = new float[workload.n];
    double[] x = values(workload.n, random);
    double sum = 0;
    double expected = 0;
    for (int i = 0; i < u.length; i++) {
      u[i] = i % 11 == 0 ? 0 : (float) Math.exp(random.nextGaussian());
      sum += u[i];
      expected += u[i] * x[i];
    }
    expected /= sum;
    long seed = random.nextLong();
    try (ImportanceSampler sampler =
        uniform
            ? new UniformSampler(workload.n, u, seed, mode, 1)
            : new RaisSampler(workload.labels, 3, u, seed, options(mode))) {
      workload.train(sampler, 200, M);
      Mean mean = new Mean();
      double zeroDraws = 0;
      for (int t = 0; t < 5000; t++) {
        Minibatch batch = sampler.draw(M);
        mean.add(estimate(batch, x));
        for (int i : batch.indices()) {
          zeroDraws += u[i] == 0 ? 1 : 0;
        }
        sampler.observe(batch, workload.observe(batch));
      }
      mean.assertIs(expected, 0.05);
      assertEquals(uniform, zeroDraws > 0, "weightless examples are drawn by uniform draws only");
      if (uniform) {
        assertEquals(1, sampler.gainRatio());
      }
    }
  }

  @Test
  void theGainOfAWeightedObjectiveIsThatOfItsExactMoments() {
    Random random = random("gain of an objective");
    int n = 300;
    float[] u = new float[n];
    float[] norms = new float[n];
    double sumU = 0;
    for (int i = 0; i < n; i++) {
      u[i] = 0.2f + 2 * random.nextFloat();
      norms[i] = (float) Math.exp(random.nextGaussian());
      sumU += u[i];
    }
    double uniformMoment = 0;
    double total = 0;
    for (int i = 0; i < n; i++) {
      double a = n * u[i] / sumU;
      uniformMoment += a * a * norms[i] * norms[i] / n;
      total += u[i] * norms[i];
    }
    // p = u N / Σ u N: every a N is Σ u N / Σ u.
    double weightedMoment = total * total / (sumU * sumU);
    double g = 0.5;
    double expected = 1 + (uniformMoment - weightedMoment) / (M * g);
    try (OracleSampler sampler =
        new OracleSampler(n, u, random.nextLong(), DrawMode.IID, Integer.MAX_VALUE, 100)) {
      sampler.setNorms(norms);
      double mean = 0;
      int batches = 6000;
      for (int t = 0; t < batches + 500; t++) {
        Minibatch batch = sampler.draw(M);
        float[] squares = new float[M];
        for (int j = 0; j < M; j++) {
          float norm = norms[batch.indices()[j]];
          squares[j] = norm * norm;
        }
        sampler.observe(batch, new Observation(new float[0], squares, g));
        mean += t < 500 ? 0 : sampler.gainRatio() / batches;
      }
      assertEquals(expected, mean, 0.02 * expected);
    }
  }

  @Test
  void balancedClassesCountAlike() {
    int[] labels = {0, 0, 0, 2, 0, 2};
    float[] u = ClassWeights.balanced(labels, 4);
    assertArrayEquals(new float[] {0.75f, 0.75f, 0.75f, 1.5f, 0.75f, 1.5f}, u);
  }

  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void theRetiredAreNeverDrawnAgainAndTheRestStaysUnbiased(DrawMode mode) {
    Random random = random("retire " + mode);
    Workload workload = new Workload(900, 4, random.nextLong());
    try (RaisSampler sampler =
        new RaisSampler(workload.labels, 4, random.nextLong(), options(mode))) {
      double[] x = values(workload.n, random);
      boolean[] gone = new boolean[workload.n];
      int left = workload.n;
      Mean mean = new Mean();
      for (int t = 0; t < 4000; t++) {
        Minibatch batch = sampler.draw(M);
        for (int i : batch.indices()) {
          assertFalse(gone[i], "example " + i + " was retired");
        }
        // Also before the first set, and in the middle of rounds and preparations.
        if (t < 800 && t % 9 == 0) {
          int[] retired = {random.nextInt(workload.n), random.nextInt(workload.n)};
          sampler.retire(retired);
          for (int i : retired) {
            left -= gone[i] ? 0 : 1;
            gone[i] = true;
          }
          assertEquals(left, sampler.size());
          assertEquals(workload.n, sampler.indexBound());
        }
        if (t >= 800) {
          mean.add(estimate(batch, x));
        }
        sampler.observe(batch, workload.observe(batch));
      }
      double expected = 0;
      for (int i = 0; i < x.length; i++) {
        expected += gone[i] ? 0 : x[i] / left;
      }
      mean.assertIs(expected, 0.06);
      assertNotNull(sampler.uncertaintySet());
    }
  }

  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void addedExamplesAreDrawnAndKeepTheMeanUnbiased(DrawMode mode) {
    Random random = random("append " + mode);
    int total = 900;
    Workload workload = new Workload(total, 4, random.nextLong());
    int[] first = Arrays.copyOf(workload.labels, 300);
    try (RaisSampler sampler = new RaisSampler(first, 4, random.nextLong(), options(mode))) {
      double[] x = values(total, random);
      Mean mean = new Mean();
      boolean[] seen = new boolean[total];
      for (int t = 0; t < 4000; t++) {
        Minibatch batch = sampler.draw(M);
        for (int i : batch.indices()) {
          assertTrue(i < sampler.indexBound());
          seen[i] = true;
        }
        if (t < 600 && t % 10 == 5) {
          int from = sampler.indexBound();
          sampler.append(Arrays.copyOfRange(workload.labels, from, from + 10), null);
        }
        if (t >= 800) {
          mean.add(estimate(batch, x));
        }
        sampler.observe(batch, workload.observe(batch));
      }
      assertEquals(total, sampler.size());
      for (int i = 0; i < total; i++) {
        assertTrue(seen[i], "example " + i + " was never drawn");
      }
      mean.assertIs(Arrays.stream(x).average().orElseThrow(), 0.06);
    }
  }

  @Test
  void refusedChangesOfTheDataChangeNothing() {
    Workload workload = new Workload(200, 3, 5);
    try (RaisSampler sampler = new RaisSampler(workload.labels, 3, 5, options(DrawMode.ROUNDS))) {
      var label =
          assertThrows(
              IllegalArgumentException.class, () -> sampler.append(new int[] {1, 3}, null));
      assertTrue(label.getMessage().contains("label 3 in place 1"), label.getMessage());
      var weight =
          assertThrows(
              IllegalArgumentException.class,
              () -> sampler.append(new int[] {1, 2}, new float[] {1, Float.NaN}));
      assertTrue(weight.getMessage().contains("example 1"), weight.getMessage());
      assertThrows(IndexOutOfBoundsException.class, () -> sampler.retire(3, 200));
      float[] u = {1, 0, 0};
      try (RaisSampler weighted = new RaisSampler(new int[3], 1, u, 5, options(DrawMode.ROUNDS))) {
        assertThrows(IllegalArgumentException.class, () -> weighted.retire(0));
        weighted.retire(1);
        assertEquals(2, weighted.size());
      }
      int[] all = new int[200];
      Arrays.setAll(all, i -> i);
      assertThrows(IllegalArgumentException.class, () -> sampler.retire(all));
      assertEquals(200, sampler.size());
      assertEquals(200, sampler.indexBound());
    }
  }

  @ParameterizedTest
  @CsvSource({"rais", "uniform"})
  void upcomingIsWhatIsDrawn(String name) {
    Workload workload = new Workload(640, 3, 4);
    try (ImportanceSampler sampler =
        name.equals("rais")
            ? new RaisSampler(workload.labels, 3, 4, options(DrawMode.ROUNDS))
            : new UniformSampler(640, 4, DrawMode.ROUNDS)) {
      int known = 0;
      for (int t = 0; t < 200; t++) {
        int[] upcoming = sampler.upcoming(3 * M);
        List<Minibatch> batches = new ArrayList<>();
        for (int b = 0; b < 3; b++) {
          batches.add(sampler.draw(M));
        }
        int[] drawn = batches.stream().flatMapToInt(b -> Arrays.stream(b.indices())).toArray();
        assertTrue(upcoming.length <= drawn.length);
        // The first set may be taken over in between; then what was known no longer holds.
        if (sampler.statistics().weightedIterations() != 1
            && sampler.statistics().weightedIterations() != 2) {
          assertArrayEquals(upcoming, Arrays.copyOf(drawn, upcoming.length), "step " + t);
        }
        known += upcoming.length;
        batches.forEach(b -> sampler.observe(b, workload.observe(b)));
      }
      assertTrue(known > 200 * M, "most indices are known ahead: " + known);
    }
  }

  @Test
  void refusesMinibatchesOfOthersAndSecondObservations() {
    Workload workload = new Workload(200, 3, 5);
    try (RaisSampler a = new RaisSampler(workload.labels, 3, 5, options(DrawMode.ROUNDS));
        RaisSampler b = new RaisSampler(workload.labels, 3, 5, options(DrawMode.ROUNDS))) {
      Minibatch batch = a.draw(M);
      Observation observation = workload.observe(batch);
      var foreign =
          assertThrows(IllegalArgumentException.class, () -> b.observe(batch, observation));
      assertTrue(foreign.getMessage().contains("another sampler"), foreign.getMessage());
      a.observe(batch, observation);
      var twice = assertThrows(IllegalArgumentException.class, () -> a.observe(batch, observation));
      assertTrue(twice.getMessage().contains("observed before"), twice.getMessage());
    }
  }

  @Test
  void logitGradientsAloneGiveTheMomentsOfTheFinalBias() {
    try (UniformSampler sampler = new UniformSampler(4, 1, DrawMode.ROUNDS)) {
      Minibatch batch = sampler.draw(2);
      float[] delta = {3, 4, 0, 0, -1, 0};
      Observation observation = Observation.ofLogitGradients(batch, delta, 3);
      assertArrayEquals(new float[] {5, 1}, observation.scores());
      assertArrayEquals(new float[] {25, 1}, observation.momentNormsSquared());
      assertEquals((3 * 3 + 3 * 3) / 4.0, observation.batchGradientNormSquared(), 1e-12);
      assertThrows(
          IllegalArgumentException.class, () -> Observation.ofLogitGradients(batch, delta, 2));
    }
  }

  @Test
  void logitGradientsAreProbabilitiesLessTheLabel() {
    float[] logits = {0, 0, 0, (float) Math.log(2), 0, 0};
    assertArrayEquals(
        new float[] {1 / 3f, -2 / 3f, 1 / 3f, -0.5f, 0.25f, 0.25f},
        Observation.logitGradients(logits, new int[] {1, 0}, 3),
        1e-7f);
    float[] tiny = Observation.logitGradients(new float[] {1040, 1000}, new int[] {0}, 2);
    assertEquals(Math.exp(-40), tiny[1], 1e-6 * Math.exp(-40));
    assertEquals(-tiny[1], tiny[0]);
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      float[] gradients =
          Observation.logitGradients(new float[] {bad, 0, 1, 2}, new int[] {1, 0}, 2);
      assertTrue(Float.isNaN(gradients[0]) && Float.isNaN(gradients[1]));
      assertTrue(Float.isFinite(gradients[2]) && Float.isFinite(gradients[3]));
    }
  }

  @Test
  void logitsOfWellLearnedExamplesKeepTheirTinyGradients() {
    try (UniformSampler sampler = new UniformSampler(4, 1, DrawMode.ROUNDS)) {
      Minibatch batch = sampler.draw(2);
      float[] logits = {0, 30, 0, 1, 2, 3};
      Observation observation = Observation.ofLogits(batch, logits, new int[] {1, 0}, 3);
      double tiny = Math.exp(-30) / (1 + 2 * Math.exp(-30));
      assertEquals(tiny * Math.sqrt(6), observation.scores()[0], 1e-6 * tiny);
      double[] e = {Math.exp(-2), Math.exp(-1), 1};
      double sum = e[0] + e[1] + e[2];
      double square =
          Math.pow((e[1] + e[2]) / sum, 2) + Math.pow(e[1] / sum, 2) + Math.pow(e[2] / sum, 2);
      assertEquals(square, observation.momentNormsSquared()[1], 1e-6);
      logits[4] = Float.NaN;
      var e2 =
          assertThrows(
              IllegalArgumentException.class,
              () -> Observation.ofLogits(batch, logits, new int[] {1, 0}, 3));
      assertTrue(e2.getMessage().contains("in slot 1 (example "), e2.getMessage());
      assertThrows(
          IllegalArgumentException.class,
          () -> Observation.ofLogits(batch, new float[6], new int[] {1, 3}, 3));
    }
  }

  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void cautionFallsBackToShuffledEpochsAndReturns(DrawMode mode) {
    Random random = random("caution " + mode);
    int n = 640;
    int[] labels = new int[n];
    RaisOptions cautious = options(mode).withCaution(true);
    try (RaisSampler sampler = new RaisSampler(labels, 1, random.nextLong(), cautious)) {
      boolean[] hard = new boolean[n];
      for (int i = 0; i < n; i++) {
        hard[i] = random.nextInt(10) == 0;
      }
      // Norms that say nothing about the next ones: importance sampling cannot pay.
      step(sampler, 1500, i -> (float) Math.exp(0.7 * random.nextGaussian()));
      assertTrue(sampler.statistics().cautious(), "must have fallen back");
      assertEquals(1, sampler.gainRatio());
      assertTrue(sampler.statistics().cautiousIterations() > 500);
      double t = sampler.effectiveIterations();
      int[] visits = new int[n];
      for (int b = 0; b < n / M; b++) {
        Minibatch batch = sampler.draw(M);
        for (int j = 0; j < M; j++) {
          visits[batch.indices()[j]]++;
          assertEquals(1f, batch.weights()[j]);
        }
        observe(sampler, batch, i -> (float) Math.exp(0.7 * random.nextGaussian()));
      }
      assertEquals(t + n / M, sampler.effectiveIterations(), 1e-9);
      assertTrue(Arrays.stream(visits).max().orElseThrow() <= 2, "epochs are shuffled");
      // Now a tenth of the examples has nearly all of the gradient: it pays.
      step(sampler, 3000, i -> hard[i] ? 3f : 0.02f);
      assertFalse(sampler.statistics().cautious(), "must have returned");
      assertTrue(sampler.gainRatio() > 1.5, "gain " + sampler.gainRatio());
    }
  }

  private interface Norms {
    float of(int index);
  }

  private static void step(RaisSampler sampler, int iterations, Norms norms) {
    for (int t = 0; t < iterations; t++) {
      observe(sampler, sampler.draw(M), norms);
    }
  }

  private static void observe(RaisSampler sampler, Minibatch batch, Norms norms) {
    float[] scores = new float[M];
    float[] squares = new float[M];
    double g = 0;
    for (int j = 0; j < M; j++) {
      scores[j] = norms.of(batch.indices()[j]);
      squares[j] = scores[j] * scores[j];
      double w = batch.weights()[j];
      g += w * w * squares[j] / ((double) M * M);
    }
    sampler.observe(batch, scores, squares, g);
  }
}
