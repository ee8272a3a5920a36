package dev.rais.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.LinearShape;
import dev.rais.backend.PoolShape;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Proves the reference itself: each backward operation against central differences of its forward
 * operation, in double precision.
 *
 * <p>The scalar differentiated is L = Σ c · y with random c, so dL/dy = c.
 */
class ReferenceGradientsTest {
  private static final double TOLERANCE = Differences.TOLERANCE;

  private final SplittableRandom random = new SplittableRandom(20180701);

  static Stream<ConvolutionShape> convolutions() {
    return Stream.of(
        new ConvolutionShape(2, 5, 4, 3, 2, 3, 1, 0),
        new ConvolutionShape(2, 5, 6, 2, 3, 3, 1, 1),
        new ConvolutionShape(1, 6, 5, 2, 2, 3, 2, 1),
        new ConvolutionShape(3, 4, 4, 2, 3, 1, 2, 0),
        new ConvolutionShape(1, 7, 7, 1, 2, 5, 1, 2));
  }

  @ParameterizedTest
  @MethodSource("convolutions")
  void convolutionGradientsMatchDifferences(ConvolutionShape s) {
    double[] x = uniform((int) s.inputCount());
    double[] w = uniform((int) s.weightCount());
    double[] b = uniform(s.outputChannels());
    double[] c = uniform((int) s.outputCount());
    var gradient = Reference.convolutionBackwardWeights(s, x, c);
    Differences.check(
        "dx",
        v -> Differences.dot(c, Reference.convolution(s, v, w, b)),
        x,
        Reference.convolutionBackwardData(s, c, w));
    Differences.check(
        "dw", v -> Differences.dot(c, Reference.convolution(s, x, v, b)), w, gradient.weights());
    Differences.check(
        "db", v -> Differences.dot(c, Reference.convolution(s, x, w, v)), b, gradient.bias());
  }

  @ParameterizedTest
  @MethodSource("convolutions")
  void convolutionNormsAreThoseOfSingleExamples(ConvolutionShape s) {
    double[] x = uniform((int) s.inputCount());
    double[] dy = uniform((int) s.outputCount());
    double[] norms = Reference.convolutionSquaredNorms(s, x, dy);
    var one =
        new ConvolutionShape(
            1,
            s.height(),
            s.width(),
            s.inputChannels(),
            s.outputChannels(),
            s.kernel(),
            s.stride(),
            s.padding());
    double[] w = uniform((int) s.weightCount());
    double[] b = uniform(s.outputChannels());
    for (int j = 0; j < s.batch(); j++) {
      double[] xj = part(x, j, (int) one.inputCount());
      double[] dyj = part(dy, j, (int) one.outputCount());
      double[] dw =
          Differences.of(v -> Differences.dot(dyj, Reference.convolution(one, xj, v, b)), w);
      double[] db =
          Differences.of(v -> Differences.dot(dyj, Reference.convolution(one, xj, w, v)), b);
      double expected = Reference.squaredNorm(dw) + Reference.squaredNorm(db);
      assertEquals(expected, norms[j], TOLERANCE * expected, "example " + j);
    }
  }

  @Test
  void linearGradientsMatchDifferences() {
    var s = new LinearShape(3, 5, 4);
    double[] x = uniform(15);
    double[] w = uniform(20);
    double[] b = uniform(4);
    double[] c = uniform(12);
    var gradient = Reference.linearBackwardWeights(s, x, c);
    Differences.check(
        "dx",
        v -> Differences.dot(c, Reference.linear(s, v, w, b)),
        x,
        Reference.linearBackwardData(s, c, w));
    Differences.check(
        "dw", v -> Differences.dot(c, Reference.linear(s, x, v, b)), w, gradient.weights());
    Differences.check(
        "db", v -> Differences.dot(c, Reference.linear(s, x, w, v)), b, gradient.bias());
    double[] norms = Reference.linearSquaredNorms(s, x, c);
    var one = new LinearShape(1, 5, 4);
    for (int j = 0; j < 3; j++) {
      double[] xj = part(x, j, 5);
      double[] cj = part(c, j, 4);
      double[] dw = Differences.of(v -> Differences.dot(cj, Reference.linear(one, xj, v, b)), w);
      double[] db = Differences.of(v -> Differences.dot(cj, Reference.linear(one, xj, w, v)), b);
      double expected = Reference.squaredNorm(dw) + Reference.squaredNorm(db);
      assertEquals(expected, norms[j], TOLERANCE * expected, "example " + j);
    }
  }

  @Test
  void maxPoolGradientMatchesDifferences() {
    for (var s :
        new PoolShape[] {new PoolShape(2, 6, 5, 3, 2, 2), new PoolShape(2, 7, 7, 2, 3, 2)}) {
      double[] x = uniform((int) s.inputCount());
      double[] c = uniform((int) s.outputCount());
      Differences.check(
          "dx",
          v -> Differences.dot(c, Reference.maxPool(s, v)),
          x,
          Reference.maxPoolBackward(s, x, c));
    }
  }

  @Test
  void globalAveragePoolGradientMatchesDifferences() {
    double[] x = uniform(3 * 4 * 2);
    double[] c = uniform(3 * 2);
    Differences.check(
        "dx",
        v -> Differences.dot(c, Reference.globalAveragePool(3, 4, 2, v)),
        x,
        Reference.globalAveragePoolBackward(3, 4, 2, c));
  }

  @Test
  void maxPoolTiesGoToTheFirstInRowMajorOrder() {
    var s = new PoolShape(1, 2, 2, 1, 2, 2);
    assertEquals(1, Reference.maxPoolWinners(s, new double[] {0, 3, 3, 3})[0]);
  }

  @Test
  void reluGradientMatchesDifferences() {
    double[] x = uniform(50);
    double[] c = uniform(50);
    Differences.check(
        "dx",
        v -> Differences.dot(c, Reference.relu(v)),
        x,
        Reference.reluBackward(Reference.relu(x), c));
  }

  @ParameterizedTest
  @MethodSource("classes")
  void lossGradientMatchesDifferences(int classes) {
    int rows = 4;
    double[] logits = uniform(rows * classes);
    int[] labels = new int[rows];
    double[] weights = uniform(rows);
    for (int j = 0; j < rows; j++) {
      labels[j] = random.nextInt(classes);
      for (int k = 0; k < classes; k++) {
        logits[j * classes + k] *= 4;
      }
    }
    double scale = 0.25;
    var loss = Reference.lossLayer(rows, classes, logits, labels, weights, scale);
    Differences.check(
        "dz",
        v ->
            scale
                * Differences.dot(
                    weights, Reference.lossLayer(rows, classes, v, labels, null, 1).losses()),
        logits,
        loss.gradients());
    // The norm is that of one row's own unweighted gradient.
    for (int j = 0; j < rows; j++) {
      double[] row = part(loss.gradients(), j, classes);
      double expected = Math.sqrt(Reference.squaredNorm(row)) / Math.abs(scale * weights[j]);
      assertEquals(expected, loss.norms()[j], 1e-12 * expected, "norm of row " + j);
    }
  }

  static Stream<Integer> classes() {
    return Stream.of(2, 3, 10, 100);
  }

  @Test
  void nearlyCertainRowsKeepTheirSmallNorms() {
    var loss = Reference.lossLayer(1, 2, new double[] {80, -80}, new int[] {0}, null, 1);
    double s = Math.exp(-160);
    assertEquals(Math.sqrt(2) * s, loss.norms()[0], 1e-12 * s);
    assertEquals(s, loss.losses()[0], 1e-12 * s);
    assertEquals(-s, loss.gradients()[0], 1e-12 * s);
  }

  @Test
  void sgdIsItsFormula() {
    var step = Reference.sgd(new double[] {2}, new double[] {3}, new double[] {5}, 0.1, 0.9, 0.01);
    assertEquals(0.9 * 3 - 0.1 * (5 + 0.01 * 2), step.u()[0], 1e-15);
    assertEquals(2 + step.u()[0], step.w()[0], 1e-15);
  }

  private double[] uniform(int count) {
    return random.doubles(count, -1, 1).toArray();
  }

  private static double[] part(double[] values, int j, int count) {
    return java.util.Arrays.copyOfRange(values, j * count, (j + 1) * count);
  }
}
