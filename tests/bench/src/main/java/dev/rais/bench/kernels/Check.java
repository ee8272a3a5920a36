package dev.rais.bench.kernels;

import java.util.function.IntToDoubleFunction;

/** Comparison of results with what is expected of them. */
final class Check {
  private Check() {}

  /**
   * Compares all values.
   *
   * @param tolerance largest error, relative to the largest value
   * @throws IllegalStateException if a value is off, with its place
   */
  static void values(String what, float[] found, IntToDoubleFunction expected, double tolerance) {
    double largest = 1e-30;
    for (int i = 0; i < found.length; i++) {
      largest = Math.max(largest, Math.abs(expected.applyAsDouble(i)));
    }
    for (int i = 0; i < found.length; i++) {
      double value = expected.applyAsDouble(i);
      if (!(Math.abs(found[i] - value) <= tolerance * largest)) {
        throw new IllegalStateException(
            "%s: element %d is %s, but should be %s".formatted(what, i, found[i], value));
      }
    }
  }

  /**
   * Compares losses, norms and gradients with softmax cross-entropy as it is defined.
   *
   * @throws IllegalStateException if a value is off, with its place
   */
  static void lossLayer(
      String what,
      int classes,
      float[] logits,
      int[] labels,
      float[] weights,
      double scale,
      float[] losses,
      float[] norms,
      float[] gradients) {
    double[] s = new double[classes];
    for (int j = 0; j < labels.length; j++) {
      int row = j * classes;
      double sum = 0;
      for (int k = 0; k < classes; k++) {
        s[k] = Math.exp(logits[row + k]);
        sum += s[k];
      }
      double squares = 0;
      for (int k = 0; k < classes; k++) {
        double difference = s[k] / sum - (k == labels[j] ? 1 : 0);
        squares += difference * difference;
        double expected = scale * weights[j] * difference;
        near(what + ": gradient", row + k, gradients[row + k], expected, 1e-9 * scale);
      }
      double loss = Math.log(sum) - logits[row + labels[j]];
      near(what + ": loss", j, losses[j], loss, 1e-5);
      near(what + ": norm", j, norms[j], Math.sqrt(squares), 1e-5);
    }
  }

  private static void near(String what, int at, float found, double expected, double floor) {
    if (!(Math.abs(found - expected) <= 1e-4 * Math.abs(expected) + floor)) {
      throw new IllegalStateException(
          "%s %d is %s, but should be %s".formatted(what, at, found, expected));
    }
  }
}
