package dev.rais.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Proves {@link BatchNormReference}: backward passes against central differences of forward passes,
 * with unequal example weights, and the statistics against other ways to the same numbers.
 */
class BatchNormGradientsTest {
  private static final double EPSILON = 1e-3f;

  private final SplittableRandom random = new SplittableRandom(20180706);

  static Stream<BatchNormShape> shapes() {
    int[][] sizes = {{5, 1, 3}, {3, 4, 2}, {1, 6, 2}, {2, 3, 1}};
    return Stream.of(Fusion.values())
        .flatMap(
            f ->
                Arrays.stream(sizes)
                    .map(n -> new BatchNormShape(n[0], n[1], n[2], (float) EPSILON, f)));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void gradientsMatchDifferences(BatchNormShape s) {
    int count = (int) s.count();
    double[] x = uniform(count);
    double[] w = random.doubles(s.batch(), 0.1, 3).toArray();
    double[] gamma = uniform(s.channels());
    double[] beta = uniform(s.channels());
    double[] residual = s.fusion() == Fusion.ADD_RELU ? uniform(count) : null;
    double[] c = uniform(count);
    var forward = forward(s, x, w, gamma, beta, residual);
    var found =
        BatchNormReference.backward(
            s, x, forward.y(), c, w, gamma, forward.mean(), forward.inverseDeviation());
    Differences.check(
        "dx", v -> Differences.dot(c, forward(s, v, w, gamma, beta, residual).y()), x, found.dx());
    Differences.check(
        "dgamma",
        v -> Differences.dot(c, forward(s, x, w, v, beta, residual).y()),
        gamma,
        found.dgamma());
    Differences.check(
        "dbeta",
        v -> Differences.dot(c, forward(s, x, w, gamma, v, residual).y()),
        beta,
        found.dbeta());
    if (residual != null) {
      Differences.check(
          "dresidual",
          v -> Differences.dot(c, forward(s, x, w, gamma, beta, v).y()),
          residual,
          found.dresidual());
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void gradientsWithRunningStatisticsMatchDifferences(BatchNormShape s) {
    int count = (int) s.count();
    double[] x = uniform(count);
    double[] gamma = uniform(s.channels());
    double[] beta = uniform(s.channels());
    double[] mean = uniform(s.channels());
    double[] variance = random.doubles(s.channels(), 0.1, 3).toArray();
    double[] residual = s.fusion() == Fusion.ADD_RELU ? uniform(count) : null;
    double[] c = uniform(count);
    double[] y = BatchNormReference.forwardRunning(s, x, gamma, beta, mean, variance, residual);
    var found = BatchNormReference.backwardRunning(s, x, y, c, gamma, mean, variance);
    Differences.check(
        "dx",
        v ->
            Differences.dot(
                c, BatchNormReference.forwardRunning(s, v, gamma, beta, mean, variance, residual)),
        x,
        found.dx());
    if (residual != null) {
      Differences.check(
          "dresidual",
          v ->
              Differences.dot(
                  c, BatchNormReference.forwardRunning(s, x, gamma, beta, mean, variance, v)),
          residual,
          found.dresidual());
    }
    // The norm is that of one example's own gradient of gamma and beta.
    int perExample = count / s.batch();
    for (int j = 0; j < s.batch(); j++) {
      double[] own = new double[count];
      System.arraycopy(c, j * perExample, own, j * perExample, perExample);
      double[] dgamma =
          Differences.of(
              v ->
                  Differences.dot(
                      own,
                      BatchNormReference.forwardRunning(s, x, v, beta, mean, variance, residual)),
              gamma);
      double[] dbeta =
          Differences.of(
              v ->
                  Differences.dot(
                      own,
                      BatchNormReference.forwardRunning(s, x, gamma, v, mean, variance, residual)),
              beta);
      double expected = Reference.squaredNorm(dgamma) + Reference.squaredNorm(dbeta);
      assertEquals(expected, found.squaredNorms()[j], 1e-7 * (1 + expected), "example " + j);
    }
  }

  /** An example of weight 3 counts like three of weight 1; the running variance is unbiased. */
  @Test
  void anExampleOfWeightThreeCountsAsThree() {
    var s = new BatchNormShape(3, 2, 2, (float) EPSILON, Fusion.NONE);
    double[] x = uniform(12);
    var weighted = forward(s, x, new double[] {1, 3, 0}, new double[] {1, 1}, new double[2], null);
    double[] repeated = new double[16];
    System.arraycopy(x, 0, repeated, 0, 4);
    for (int i = 1; i <= 3; i++) {
      System.arraycopy(x, 4, repeated, 4 * i, 4);
    }
    var plain =
        forward(
            new BatchNormShape(4, 2, 2, (float) EPSILON, Fusion.NONE),
            repeated,
            null,
            new double[] {1, 1},
            new double[2],
            null);
    for (int c = 0; c < 2; c++) {
      assertEquals(plain.mean()[c], weighted.mean()[c], 1e-14);
      assertEquals(plain.inverseDeviation()[c], weighted.inverseDeviation()[c], 1e-13);
    }
  }

  /** With equal weights the estimate is the usual one, with one less than the count. */
  @Test
  void theRunningVarianceIsTheUnbiasedEstimate() {
    var s = new BatchNormShape(3, 2, 1, (float) EPSILON, Fusion.NONE);
    double[] x = uniform(6);
    var found =
        BatchNormReference.forward(
            s,
            x,
            new double[] {2, 2, 2},
            new double[] {1},
            new double[1],
            null,
            new double[1],
            new double[1],
            1);
    double mean = Arrays.stream(x).sum() / 6;
    double squares = Arrays.stream(x).map(v -> (v - mean) * (v - mean)).sum();
    assertEquals(mean, found.runningMean()[0], 1e-14);
    assertEquals(squares / 5, found.runningVariance()[0], 1e-14);
  }

  private static BatchNormReference.Forward forward(
      BatchNormShape s,
      double[] x,
      double[] weights,
      double[] gamma,
      double[] beta,
      double[] residual) {
    double[] running = new double[s.channels()];
    return BatchNormReference.forward(s, x, weights, gamma, beta, residual, running, running, 0.1);
  }

  private double[] uniform(int count) {
    return random.doubles(count, -1, 1).toArray();
  }
}
