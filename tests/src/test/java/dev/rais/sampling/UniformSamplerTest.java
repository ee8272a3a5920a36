package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.time.Duration;
import java.util.BitSet;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Uniform sampling visits everything once an epoch, or draws independently. */
class UniformSamplerTest extends RandomTest {
  @Test
  void shuffledMinibatchesCrossEpochBordersAndStillVisitEachExampleOnceAnEpoch() {
    int n = 103;
    int m = 10;
    try (UniformSampler sampler = new UniformSampler(n, 5, DrawMode.ROUNDS)) {
      int[] stream = new int[5 * n / m * m];
      for (int t = 0; t < stream.length / m; t++) {
        System.arraycopy(sampler.draw(m).indices(), 0, stream, t * m, m);
      }
      for (int epoch = 0; epoch < 4; epoch++) {
        BitSet seen = new BitSet();
        for (int k = 0; k < n; k++) {
          seen.set(stream[epoch * n + k]);
        }
        assertEquals(n, seen.cardinality(), "distinct examples in epoch " + epoch);
      }
    }
  }

  @Test
  void independentDrawsAreUniform() {
    try (UniformSampler sampler = new UniformSampler(50, seed(), DrawMode.IID)) {
      long[] counts = new long[50];
      for (int t = 0; t < 1000; t++) {
        for (int i : sampler.draw(50).indices()) {
          counts[i]++;
        }
      }
      assertUniform(counts);
    }
  }

  @Test
  void everyStepCountsAsOne() {
    try (UniformSampler sampler = new UniformSampler(50, 1, DrawMode.ROUNDS)) {
      for (int t = 0; t < 7; t++) {
        sampler.observe(sampler.draw(8), Observation.NONE);
      }
      assertEquals(7, sampler.effectiveIterations());
      assertEquals(1, sampler.gainRatio());
      assertEquals(0.3 * 6, sampler.learningRate(t -> 0.3 * t), 1e-12);
    }
  }

  @Test
  void aShortenedScheduleCountsEachStepForMoreAndKeepsTheRate() {
    try (UniformSampler whole = new UniformSampler(50, 1, DrawMode.ROUNDS);
        UniformSampler shortened = new UniformSampler(50, null, 1, DrawMode.ROUNDS, 2)) {
      for (int t = 0; t < 20; t++) {
        Minibatch batch = shortened.draw(8);
        assertArrayEquals(whole.draw(8).indices(), batch.indices());
        shortened.observe(batch, Observation.NONE);
        assertEquals(2 * (t + 1), shortened.effectiveIterations());
        assertEquals(1, shortened.gainRatio());
        assertEquals(0.3 * 2 * t, shortened.learningRate(x -> 0.3 * x), 1e-12);
      }
    }
    for (double speedUp : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> new UniformSampler(50, null, 1, DrawMode.ROUNDS, speedUp));
    }
  }

  @Test
  void refusesMinibatchesThatAreEmptyOrLargerThanTheData() {
    try (UniformSampler sampler = new UniformSampler(50, 1, DrawMode.ROUNDS)) {
      for (int m : new int[] {-1, 0, 51}) {
        var e = assertThrows(IllegalArgumentException.class, () -> sampler.draw(m));
        assertTrue(e.getMessage().contains(Integer.toString(m)), e.getMessage());
      }
    }
  }

  @Test
  void aLoopThatNeverObservesIsTold() {
    try (UniformSampler sampler = new UniformSampler(10, 3, DrawMode.ROUNDS)) {
      Minibatch first = sampler.draw(1);
      for (int t = 1; t < AbstractSampler.MAX_OUTSTANDING; t++) {
        sampler.draw(1);
      }
      var e = assertThrows(IllegalStateException.class, () -> sampler.draw(1));
      assertTrue(e.getMessage().contains("not observed"), e.getMessage());
      sampler.observe(first, Observation.NONE);
      sampler.draw(1);
    }
  }

  @Test
  void independentDrawsOfHardlyAnyAmongManyEndAndAreUniform() {
    int n = 1 << 20;
    int[] left = {1000, n - 1};
    try (UniformSampler sampler = new UniformSampler(n, seed(), DrawMode.IID)) {
      sampler.retire(IntStream.range(0, n).filter(i -> i != left[0] && i != left[1]).toArray());
      long[] counts = new long[2];
      assertTimeoutPreemptively(
          Duration.ofMinutes(1),
          () -> {
            for (int t = 0; t < 100; t++) {
              for (int i : sampler.draw(2).indices()) {
                counts[i == left[0] ? 0 : 1]++;
                assertTrue(i == left[0] || i == left[1], "example " + i + " was retired");
              }
            }
          });
      assertUniform(counts);
    }
  }

  @Test
  void activeExamplesAreFoundByTheirRank() {
    Random random = random("ranks");
    Population population = new Population(300, null);
    for (int k = 0; k < 250; k++) {
      population.retire(random.nextInt(300));
    }
    int[] active = IntStream.range(0, 300).filter(population::isActive).toArray();
    int[] found = IntStream.range(0, population.active()).map(population::activeOf).toArray();
    assertArrayEquals(active, found);
  }

  @Test
  void theRateBeforeTheFirstStepIsTheOneAtTheBeginning() {
    try (UniformSampler sampler = new UniformSampler(50, 1, DrawMode.ROUNDS)) {
      assertEquals(0.3, sampler.learningRate(t -> 0.3 + t));
    }
  }
}
