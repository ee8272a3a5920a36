package dev.rais.example;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class SoftmaxTest {
  @Test
  void gradientsAreProbabilitiesLessTheLabel() {
    float[] logits = {0, 0, 0, (float) Math.log(2), 0, 0};
    assertArrayEquals(
        new float[] {1 / 3f, -2 / 3f, 1 / 3f, -0.5f, 0.25f, 0.25f},
        Softmax.logitGradients(logits, new int[] {1, 0}, 3),
        1e-7f);
  }

  @Test
  void wellLearnedExamplesKeepTheirTinyGradients() {
    float[] gradients = Softmax.logitGradients(new float[] {1040, 1000}, new int[] {0}, 2);
    assertEquals(Math.exp(-40), gradients[1], 1e-6 * Math.exp(-40));
    assertEquals(-gradients[1], gradients[0]);
  }

  @Test
  void oneLogitThatIsNotFiniteSpoilsItsRowAlone() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      float[] gradients = Softmax.logitGradients(new float[] {bad, 0, 1, 2}, new int[] {1, 0}, 2);
      assertTrue(Float.isNaN(gradients[0]) && Float.isNaN(gradients[1]));
      assertTrue(Float.isFinite(gradients[2]) && Float.isFinite(gradients[3]));
    }
  }
}
