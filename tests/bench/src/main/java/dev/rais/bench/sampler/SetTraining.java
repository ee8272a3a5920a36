package dev.rais.bench.sampler;

import dev.rais.sampling.UncertaintySet;
import dev.rais.sampling.UncertaintySetSolver;
import java.util.Arrays;
import java.util.Random;

/**
 * Training c and d on one core.
 *
 * @param millis of a training, median
 * @param gap how far the objective h lies above that of a slow first-order method, relative
 */
record SetTraining(double millis, double gap) {
  private static final int FEATURES = 6;
  private static final int MAX_SWEEPS = 20_000;
  private static final int CHECK_EVERY = 500;

  static SetTraining measure(int records, int repetitions) {
    Random random = new Random(1);
    double[][] s = new double[FEATURES][records];
    double[] norms = new double[records];
    double[] weights = new double[records];
    double[] mean = new double[FEATURES];
    for (int j = 0; j < records; j++) {
      // Lagged gradient norms, as a run records them.
      double difficulty = -Math.log(1 - random.nextDouble());
      double classMean = 0.3 + 0.1 * random.nextInt(10);
      boolean unseen = random.nextInt(10) == 0;
      double last = unseen ? classMean : difficulty * Math.exp(0.5 * random.nextGaussian());
      double before = unseen ? classMean : difficulty * Math.exp(0.5 * random.nextGaussian());
      norms[j] = difficulty * Math.exp(0.5 * random.nextGaussian());
      weights[j] = 0.2 - Math.log(1 - random.nextDouble());
      s[0][j] = 0.7;
      s[1][j] = classMean;
      s[2][j] = last;
      s[3][j] = before;
      s[4][j] = 0.6 * last + 0.4 * before * Math.exp(0.3 * random.nextGaussian());
      s[5][j] = unseen ? classMean : 0;
    }
    for (int k = 0; k < FEATURES; k++) {
      mean[k] = Arrays.stream(s[k]).average().orElseThrow();
    }
    boolean[] used = new boolean[FEATURES];
    Arrays.fill(used, true);
    double[] millis = new double[repetitions];
    UncertaintySet set = null;
    for (int r = -2 * repetitions; r < repetitions; r++) {
      long start = System.nanoTime();
      set = UncertaintySetSolver.solve(s, norms, weights, records, mean, used, null);
      millis[Math.max(r, 0)] = (System.nanoTime() - start) / 1e6;
    }
    double reference = reference(s, norms, weights, mean);
    double h = h(s, norms, weights, set.c(), set.dHat());
    return new SetTraining(StepTimes.median(millis), h / reference - 1);
  }

  /** h by its definition (docs/algorithm.md §3). */
  private static double h(
      double[][] s, double[] norms, double[] weights, double[] c, double[] dHat) {
    double sum = 0;
    double weightSum = 0;
    for (int j = 0; j < norms.length; j++) {
      double r = -norms[j];
      double q = 0;
      for (int k = 0; k < FEATURES; k++) {
        r += c[k] * s[k][j];
        q += dHat[k] * s[k][j];
      }
      sum += weights[j] * r * r / q;
      weightSum += weights[j];
    }
    return sum / weightSum;
  }

  /** The alternating scheme of docs/algorithm.md §3: least squares in c, a scaling step in d̂. */
  private static double reference(double[][] s, double[] norms, double[] weights, double[] mean) {
    double[] c = new double[FEATURES];
    double[] d = new double[FEATURES];
    for (int k = 0; k < FEATURES; k++) {
      d[k] = 1 / (FEATURES * mean[k]);
    }
    double before = Double.POSITIVE_INFINITY;
    for (int sweep = 1; sweep <= MAX_SWEEPS; sweep++) {
      double[][] a = new double[FEATURES][FEATURES];
      double[] b = new double[FEATURES];
      for (int j = 0; j < norms.length; j++) {
        double share = weights[j] / dot(d, s, j);
        for (int k = 0; k < FEATURES; k++) {
          b[k] += share * s[k][j] * norms[j];
          for (int l = 0; l < FEATURES; l++) {
            a[k][l] += share * s[k][j] * s[l][j];
          }
        }
      }
      for (int pass = 0; pass < 30; pass++) {
        for (int k = 0; k < FEATURES; k++) {
          double slope = -b[k];
          for (int l = 0; l < FEATURES; l++) {
            slope += a[k][l] * c[l];
          }
          c[k] = Math.max(0, c[k] - slope / a[k][k]);
        }
      }
      double[] g = new double[FEATURES];
      for (int j = 0; j < norms.length; j++) {
        double alpha = (dot(c, s, j) - norms[j]) / dot(d, s, j);
        for (int k = 0; k < FEATURES; k++) {
          g[k] += weights[j] * alpha * alpha * s[k][j];
        }
      }
      double sum = 0;
      for (int k = 0; k < FEATURES; k++) {
        d[k] *= Math.sqrt(g[k] / mean[k]);
        sum += d[k] * mean[k];
      }
      for (int k = 0; k < FEATURES; k++) {
        d[k] /= sum;
      }
      if (sweep % CHECK_EVERY == 0) {
        double now = h(s, norms, weights, c, d);
        if (before - now < 1e-9 * now) {
          break;
        }
        before = now;
      }
    }
    return h(s, norms, weights, c, d);
  }

  private static double dot(double[] coefficients, double[][] s, int j) {
    double sum = 0;
    for (int k = 0; k < FEATURES; k++) {
      sum += coefficients[k] * s[k][j];
    }
    return sum;
  }
}
