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

/** The history, its mean features and the values made from it, against one example at a time. */
class ExampleHistoryTest extends RandomTest {
  private static final int CLASSES = 7;
  private static final int FEATURES = ExampleHistory.FEATURES;

  private static final ImportanceSampler OWNER = new UniformSampler(1, 1, DrawMode.IID);

  /**
   * A history in which some examples were visited, some often, most never, and a few were retired.
   */
  private static final class Visited implements AutoCloseable {
    final int n;
    final int[] labels;
    final ClassMeans classes;
    final FrozenMeans means;
    final ExampleHistory history;
    final Population population;

    Visited(int n, float[] weights, Random random) {
      this.n = n;
      population = new Population(n, weights);
      labels = random.ints(n, 0, CLASSES).toArray();
      classes = new ClassMeans(labels, CLASSES);
      history = new ExampleHistory(n);
      Minibatch batch = new Minibatch(OWNER, 0, 64, 0, false);
      float[] norms = new float[64];
      for (int step = 0; step < 1 + n / 200; step++) {
        for (int j = 0; j < 64; j++) {
          batch.indices()[j] = random.nextInt(Math.max(1, n / (1 + random.nextInt(4))));
          batch.weights()[j] = 0.1f + random.nextFloat();
          norms[j] = random.nextInt(9) == 0 ? 0 : (float) Math.exp(3 * random.nextGaussian());
        }
        classes.observe(batch, norms);
        for (int j = 0; j < 64; j++) {
          if (history.visit(batch.indices()[j], norms[j])) {
            classes.firstVisit(batch.indices()[j]);
          }
        }
      }
      means = classes.freeze();
      for (int i = 5; i < n; i += 1 + random.nextInt(50)) {
        classes.retire(i, history.visits(i) > 0);
        history.retire(i);
        population.retire(i);
      }
    }

    float[] features(int i) {
      float[] features = new float[FEATURES];
      history.features(i, means.mean(), means.ofClass()[labels[i]], features, 0);
      return features;
    }

    @Override
    public void close() {
      history.close();
    }
  }

  @Test
  void remembersTheLastNormTheOneBeforeAndAnAverage() {
    try (ExampleHistory history = new ExampleHistory(3000)) {
      float[] features = new float[FEATURES];
      history.features(2999, 5, 4, features, 0);
      assertArrayEquals(new float[] {5, 4, 4, 4, 4, 4}, features);
      assertTrue(history.visit(2999, 2));
      history.features(2999, 5, 4, features, 0);
      assertArrayEquals(new float[] {5, 4, 2, 2, 2, 0}, features);
      assertTrue(!history.visit(2999, 6));
      history.features(2999, 5, 4, features, 0);
      assertArrayEquals(new float[] {5, 4, 6, 2, 4, 0}, features);
      assertEquals(2, history.visits(2999));
      assertEquals(0, history.visits(2998));
      assertEquals(2999 / 3000.0, history.unseenShare());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 100, 1023, 1024, 1025, 30_001})
  void theMeanFeaturesAreThoseOfAllExamples(int n) {
    try (Visited visited = new Visited(n, null, random("theMeanFeatures"))) {
      double[] expected = new double[FEATURES];
      int[] all = new int[n];
      for (int i = 0; i < n; i++) {
        float[] features = visited.features(i);
        for (int k = 0; k < FEATURES; k++) {
          double share = 1.0 / visited.population.active();
          expected[k] += visited.population.isActive(i) ? features[k] * share : 0;
        }
        all[i] = i;
      }
      double[] mean = visited.history.meanFeatures(visited.classes, visited.means);
      for (int k = 0; k < FEATURES; k++) {
        assertEquals(expected[k], mean[k], 1e-12 * expected[k]);
      }
      float[] together = new float[n * FEATURES];
      visited.history.features(all, n, visited.labels, visited.means, together);
      for (int i = 0; i < n; i++) {
        for (int k = 0; k < FEATURES; k++) {
          assertEquals(visited.features(i)[k], together[i * FEATURES + k]);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 255, 1024, 4095, 4097, 70_001})
  void theRobustValuesAreTheSameOneByOneAndAllAtOnce(int n) {
    Random random = random("theRobustValues");
    double[] c = random.doubles(FEATURES).toArray();
    double[] dHat = random.doubles(FEATURES).toArray();
    UncertaintySet set = new UncertaintySet(c, dHat, 0.7);
    float[] weights = null;
    if (n % 2 == 1) {
      weights = new float[n];
      for (int i = 0; i < n; i++) {
        weights[i] = 0.5f + random.nextFloat();
      }
    }
    try (Visited visited = new Visited(n, weights, random);
        Distribution distribution = new Distribution(visited.population)) {
      double errorScale =
          set.errorScale(visited.history.meanFeatures(visited.classes, visited.means));
      float floor = 2 * visited.means.mean(); // so high that many are below it
      RobustValues values =
          new RobustValues(
              visited.history,
              visited.labels,
              visited.population,
              visited.means,
              set,
              errorScale,
              floor);
      long raised = values.build(distribution);
      int raisedOneByOne = 0;
      float[] value = new float[1];
      double[] features = new double[FEATURES];
      for (int i = 0; i < n; i++) {
        raisedOneByOne += values.at(new int[] {i}, 1, value);
        assertEquals(value[0], distribution.tree().get(i));
        if (!visited.population.isActive(i)) {
          assertEquals(0, value[0]);
          continue;
        }
        float[] s = visited.features(i);
        for (int k = 0; k < FEATURES; k++) {
          features[k] = s[k];
        }
        double expected =
            visited.population.weight(i) * Math.max(floor, set.robustValue(features, errorScale));
        assertEquals(expected, value[0], 5e-7 * expected);
      }
      assertEquals(raisedOneByOne, raised);
    }
  }

  @Test
  void growsWithoutForgetting() {
    Random random = random("growsWithoutForgetting");
    try (ExampleHistory grown = new ExampleHistory(1);
        ExampleHistory large = new ExampleHistory(5000)) {
      for (int n = 1; n <= 5000; n++) {
        grown.grow(n);
        int i = random.nextInt(n);
        float norm = random.nextFloat();
        grown.visit(i, norm);
        large.visit(i, norm);
      }
      for (int i = 0; i < 5000; i++) {
        assertEquals(large.visits(i), grown.visits(i));
        assertEquals(large.last(i), grown.last(i));
        assertEquals(large.previous(i), grown.previous(i));
        assertEquals(large.average(i), grown.average(i));
      }
      assertEquals(large.unseenShare(), grown.unseenShare());
      String message =
          assertThrows(IllegalArgumentException.class, () -> grown.grow(4999)).getMessage();
      assertEquals("a history of 5000 examples cannot shrink to 4999", message);
    }
  }

  @Test
  void refusesToBeUsedAfterClose() {
    ExampleHistory history = new ExampleHistory(10);
    history.close();
    history.close();
    assertThrows(IllegalStateException.class, () -> history.visit(0, 1));
  }
}
