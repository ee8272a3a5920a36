package dev.rais.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import org.junit.jupiter.api.Test;

/** DJL's network does with indices, weights and rates what the loop means. */
class DjlTrainerTest {
  private final Dataset data = Datasets.load("fashion-mnist-sample", null);
  private final RunSettings settings = new RunSettings("rais", 1, 4, 0.01, 0.9, 0, 1);

  @Test
  void theLossIsTheMeanOfTheWeightedLosses() {
    int[] indices = {5, 17, 4000, 17};
    float[] weights = {0.25f, 3, 1, 0.5f};
    double[] expected = new double[1];
    try (DjlTrainer trainer = new DjlTrainer(data, settings)) {
      double loss =
          trainer.step(
              indices,
              weights,
              deltas -> {
                for (int j = 0; j < 4; j++) {
                  float label = deltas[j * 10 + data.train().label(indices[j])];
                  expected[0] += weights[j] * -Math.log1p(label) / 4;
                }
                return 0;
              });
      assertEquals(expected[0], loss, 1e-4 * expected[0]);
    }
  }

  @Test
  void aWeightOf2IsTheSameExampleTwice() {
    double once = lossAfterAStep(new int[] {5, 5, 17, 17}, new float[] {1, 1, 1, 1});
    double weighted = lossAfterAStep(new int[] {5, 9, 17, 9}, new float[] {2, 0, 2, 0});
    assertEquals(once, weighted, 1e-5 * once);
    assertNotEquals(once, lossAfterAStep(new int[] {5, 9, 17, 9}, new float[] {1, 1, 1, 1}), 1e-4);
  }

  private double lossAfterAStep(int[] indices, float[] weights) {
    try (DjlTrainer trainer = new DjlTrainer(data, settings)) {
      trainer.step(indices, weights, deltas -> 0.01);
      return trainer.trainLoss();
    }
  }
}
