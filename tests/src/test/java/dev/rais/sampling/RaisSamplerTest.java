package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What RAIS promises whoever trains with it: no bias, repeatability, care with bad input. */
class RaisSamplerTest extends RandomTest {
  private static final int M = 32;

  private static RaisOptions options(DrawMode mode) {
    return RaisOptions.defaults().withDraw(mode).withRecordCapacity(1000);
  }

  private static RaisSampler sampler(Workload workload, DrawMode mode, long seed) {
    return new RaisSampler(workload.labels, workload.classes, seed, options(mode));
  }

  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void theWeightedMeanOverManyDrawsIsTheFullMean(DrawMode mode) {
    long seed = random("unbiased " + mode).nextLong();
    Workload workload = new Workload(997, 5, seed);
    try (RaisSampler sampler = sampler(workload, mode, seed)) {
      workload.train(sampler, 300, M);
      assertNotNull(sampler.uncertaintySet());
      // A vector-valued stand-in for the gradient: its mean over the data is known exactly.
      java.util.Random random = new java.util.Random(seed);
      double[] x = new double[workload.n];
      double mean = 0;
      for (int i = 0; i < x.length; i++) {
        x[i] = random.nextGaussian() + (i % 7 == 0 ? 3 : 0);
        mean += x[i] / x.length;
      }
      int batches = 6000;
      double sum = 0;
      double squares = 0;
      for (int t = 0; t < batches; t++) {
        Minibatch batch = sampler.draw(M);
        double g = 0;
        for (int j = 0; j < M; j++) {
          g += batch.weights()[j] * x[batch.indices()[j]] / M;
        }
        sum += g;
        squares += g * g;
        sampler.observe(batch, workload.observe(batch));
      }
      double found = sum / batches;
      double deviation = Math.sqrt((squares / batches - found * found) / batches);
      assertEquals(mean, found, 5.6 * deviation, "seed " + seed);
      assertTrue(deviation < 0.05, "the test must be able to see a bias: deviation " + deviation);
    }
  }

  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void examplesWithLargerNormsAreDrawnMoreOften(DrawMode mode) {
    Workload workload = new Workload(2000, 4, 11);
    try (RaisSampler sampler = sampler(workload, mode, 11)) {
      workload.train(sampler, 400, M);
      double small = 0;
      double large = 0;
      double[] before = workload.norms.clone();
      int[] visits = new int[workload.n];
      for (int t = 0; t < 200; t++) {
        Minibatch batch = sampler.draw(M);
        for (int i : batch.indices()) {
          visits[i]++;
        }
        sampler.observe(batch, workload.observe(batch));
      }
      double median = java.util.Arrays.stream(before).sorted().toArray()[workload.n / 2];
      for (int i = 0; i < workload.n; i++) {
        if (before[i] > median) {
          large += visits[i];
        } else {
          small += visits[i];
        }
      }
      assertTrue(large > 3 * small, "large " + large + ", small " + small);
      assertTrue(sampler.gainRatio() > 1.5, "gain ratio " + sampler.gainRatio());
      assertTrue(sampler.effectiveIterations() > 600);
    }
  }

  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void theSameSeedRepeatsEveryDraw(DrawMode mode) {
    Workload first = new Workload(700, 3, 2);
    Workload second = new Workload(700, 3, 2);
    try (RaisSampler a = sampler(first, mode, 8);
        RaisSampler b = sampler(second, mode, 8)) {
      for (int t = 0; t < 500; t++) {
        Minibatch x = a.draw(M);
        Minibatch y = b.draw(M);
        assertArrayEquals(x.indices(), y.indices(), "iteration " + t);
        assertArrayEquals(x.weights(), y.weights(), "iteration " + t);
        a.observe(x, first.observe(x));
        b.observe(y, second.observe(y));
        assertEquals(a.gainRatio(), b.gainRatio());
      }
      assertNotNull(a.uncertaintySet());
    }
  }

  @Test
  void drawsAreShuffledEpochsUntilEnoughExamplesWereSeenTwice() {
    Workload workload = new Workload(640, 3, 4);
    try (RaisSampler sampler = sampler(workload, DrawMode.ROUNDS, 4)) {
      int[] visits = new int[640];
      for (int t = 0; t < 640 / M; t++) {
        Minibatch batch = sampler.draw(M);
        for (int j = 0; j < M; j++) {
          visits[batch.indices()[j]]++;
          assertEquals(1f, batch.weights()[j]);
        }
        sampler.observe(batch, workload.observe(batch));
        assertEquals(1.0, sampler.gainRatio());
        assertNull(sampler.uncertaintySet());
      }
      for (int v : visits) {
        assertEquals(1, v);
      }
    }
  }

  @Test
  void noWeightExceedsAThousandTimesTheMean() {
    Workload workload = new Workload(3000, 3, 6);
    for (int i = 0; i < 1500; i++) {
      workload.norms[i] = 0;
    }
    try (RaisSampler sampler = sampler(workload, DrawMode.IID, 6)) {
      for (int t = 0; t < 800; t++) {
        Minibatch batch = sampler.draw(M);
        for (float w : batch.weights()) {
          assertTrue(w > 0 && w <= 1001, "weight " + w);
        }
        sampler.observe(batch, workload.observe(batch));
      }
    }
  }

  @Test
  void normsThatAreAllZeroKeepDrawsUniform() {
    Workload workload = new Workload(500, 3, 7);
    java.util.Arrays.fill(workload.norms, 0);
    try (RaisSampler sampler = sampler(workload, DrawMode.ROUNDS, 7)) {
      for (int t = 0; t < 300; t++) {
        Minibatch batch = sampler.draw(M);
        for (float w : batch.weights()) {
          assertEquals(1f, w, 1e-6f);
        }
        sampler.observe(batch, workload.observe(batch));
      }
      assertEquals(1, sampler.gainRatio());
    }
  }

  @Test
  void aBadObservationNamesItsPlaceAndLeavesTheSamplerAsItWas() {
    Workload workload = new Workload(400, 3, 9);
    Workload twin = new Workload(400, 3, 9);
    try (RaisSampler sampler = sampler(workload, DrawMode.ROUNDS, 9);
        RaisSampler untouched = sampler(twin, DrawMode.ROUNDS, 9)) {
      for (int t = 0; t < 120; t++) {
        Minibatch batch = sampler.draw(M);
        Observation good = workload.observe(batch);
        for (float bad : new float[] {-1f, Float.NaN, Float.POSITIVE_INFINITY}) {
          float[] scores = good.scores().clone();
          scores[5] = bad;
          var e =
              assertThrows(
                  IllegalArgumentException.class,
                  () ->
                      sampler.observe(
                          batch, new Observation(scores, good.momentNormsSquared(), 1)));
          assertTrue(e.getMessage().contains("slot 5"), e.getMessage());
          assertTrue(e.getMessage().contains(Float.toString(bad)), e.getMessage());
        }
        sampler.observe(batch, good);
        assertThrows(IllegalArgumentException.class, () -> sampler.observe(batch, good));
        Minibatch other = untouched.draw(M);
        assertArrayEquals(other.indices(), batch.indices());
        untouched.observe(other, twin.observe(other));
      }
    }
  }

  @Test
  void asynchronousTrainingIsAppliedToo() throws InterruptedException {
    Workload workload = new Workload(600, 3, 10);
    RaisOptions async = options(DrawMode.IID).withAsync(true);
    try (RaisSampler sampler = new RaisSampler(workload.labels, 3, 10, async)) {
      for (int t = 0; t < 2000 && sampler.uncertaintySet() == null; t++) {
        workload.train(sampler, 1, M);
        Thread.sleep(1);
      }
      assertNotNull(sampler.uncertaintySet());
    }
  }

  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void normsAboveZeroAfterNothingButZerosTrainASet(DrawMode mode) {
    for (int zeros : new int[] {1, 3, 400}) {
      Workload workload = new Workload(300, 3, 8);
      try (RaisSampler sampler = sampler(workload, mode, 8)) {
        ArrayDeque<Minibatch> ahead = new ArrayDeque<>();
        for (int t = 0; t < zeros + 200; t++) {
          while (ahead.size() < 3) {
            ahead.add(sampler.draw(M));
          }
          Minibatch batch = ahead.poll();
          sampler.observe(
              batch,
              t < zeros ? new Observation(new float[M], new float[M], 0) : workload.observe(batch));
        }
        double[] ones = {1, 1, 1, 1, 1, 1};
        assertTrue(sampler.uncertaintySet().predict(ones) > 0, zeros + " minibatches of zeros");
        float[] np = sampler.relativeProbabilities();
        float largest = 0;
        for (float x : np) {
          largest = Math.max(largest, x);
        }
        assertTrue(largest > 1.5, "draws must follow the norms");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void aNegativeZeroIsAZero(DrawMode mode) {
    int n = 64;
    float[] weights = new float[n];
    Arrays.fill(weights, 1);
    Arrays.fill(weights, 0, n / 2, -0.0f);
    try (RaisSampler sampler =
        new RaisSampler(new int[n], 1, weights, 4, options(mode).withCaution(false))) {
      for (int t = 0; t < 300; t++) {
        Minibatch batch = sampler.draw(16);
        float[] scores = new float[16];
        for (int j = 0; j < scores.length; j++) {
          int i = batch.indices()[j];
          scores[j] = i % 2 == 0 ? -0.0f : 1 + i % 5;
          if (sampler.statistics().weightedIterations() > 0) {
            assertTrue(i >= n / 2, "example " + i + " has no weight");
          }
        }
        sampler.observe(batch, new Observation(scores, scores.clone(), 1));
      }
      assertNotNull(sampler.uncertaintySet());
    }
  }

  @Test
  void visitsAreCountedWhileARoundIsPrepared() {
    Workload workload = new Workload(300, 3, 6);
    try (RaisSampler sampler = sampler(workload, DrawMode.ROUNDS, 6)) {
      int[] expected = new int[workload.n];
      for (int t = 0; t < 150; t++) {
        Minibatch batch = sampler.draw(8);
        for (int i : batch.indices()) {
          expected[i]++;
        }
        sampler.observe(batch, workload.observe(batch));
        assertArrayEquals(expected, sampler.visits(), "step " + t);
        for (int i = 0; i < expected.length; i++) {
          assertEquals(expected[i], sampler.visits(i), "step " + t + ", example " + i);
        }
      }
    }
  }

  @Test
  void whatIsAbandonedMayHaveFailed() throws InterruptedException {
    try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
      Preparation preparation =
          new Preparation(
              executor,
              null,
              inputs -> {
                throw new IllegalArgumentException("norms of too many orders of magnitude");
              });
      preparation.start();
      assertThrows(IllegalStateException.class, preparation::result);
      preparation.abandon();
      assertTrue(preparation.isDone());
    }
  }
}
