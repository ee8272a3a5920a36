package dev.rais.reference;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;

/** Batch norm with weighted statistics, like {@link Reference}: slow, in double, by definition. */
public final class BatchNormReference {
  private BatchNormReference() {}

  /** What the forward pass of a minibatch leaves. */
  public record Forward(
      double[] y,
      double[] mean,
      double[] inverseDeviation,
      double[] runningMean,
      double[] runningVariance) {}

  /** What the backward pass of a minibatch finds. */
  public record Backward(double[] dx, double[] dgamma, double[] dbeta, double[] dresidual) {}

  /** What the backward pass with running statistics finds. */
  public record RunningBackward(double[] dx, double[] dresidual, double[] squaredNorms) {}

  /**
   * ω of every element of a channel, in order: w_j / (P Σw).
   *
   * @param weights null for all 1
   */
  public static double[] elementWeights(BatchNormShape s, double[] weights) {
    double sum = 0;
    for (int j = 0; j < s.batch(); j++) {
      sum += weights == null ? 1 : weights[j];
    }
    double[] all = new double[s.batch() * s.positions()];
    for (int i = 0; i < all.length; i++) {
      int j = i / s.positions();
      all[i] = (weights == null ? 1 : weights[j]) / (s.positions() * sum);
    }
    return all;
  }

  /** {@code residual} is null unless it is added. */
  public static Forward forward(
      BatchNormShape s,
      double[] x,
      double[] weights,
      double[] gamma,
      double[] beta,
      double[] residual,
      double[] runningMean,
      double[] runningVariance,
      double momentum) {
    double[] omega = elementWeights(s, weights);
    double squaredWeights = Reference.squaredNorm(omega);
    double[] mean = new double[s.channels()];
    double[] variance = new double[s.channels()];
    double[] inverse = new double[s.channels()];
    double[] newMean = new double[s.channels()];
    double[] newVariance = new double[s.channels()];
    for (int c = 0; c < s.channels(); c++) {
      for (int i = 0; i < omega.length; i++) {
        mean[c] += omega[i] * x[i * s.channels() + c];
      }
      for (int i = 0; i < omega.length; i++) {
        double difference = x[i * s.channels() + c] - mean[c];
        variance[c] += omega[i] * difference * difference;
      }
      inverse[c] = 1 / Math.sqrt(variance[c] + s.epsilon());
      double estimate = squaredWeights < 1 ? variance[c] / (1 - squaredWeights) : variance[c];
      newMean[c] = (1 - momentum) * runningMean[c] + momentum * mean[c];
      newVariance[c] = (1 - momentum) * runningVariance[c] + momentum * estimate;
    }
    double[] y = normalised(s, x, mean, inverse, gamma, beta, residual);
    return new Forward(y, mean, inverse, newMean, newVariance);
  }

  /** y from statistics that are given. */
  public static double[] forwardRunning(
      BatchNormShape s,
      double[] x,
      double[] gamma,
      double[] beta,
      double[] runningMean,
      double[] runningVariance,
      double[] residual) {
    return normalised(s, x, runningMean, inverses(s, runningVariance), gamma, beta, residual);
  }

  /** 1 / √(variance + ε). */
  public static double[] inverses(BatchNormShape s, double[] variance) {
    double[] inverse = new double[s.channels()];
    for (int c = 0; c < s.channels(); c++) {
      inverse[c] = 1 / Math.sqrt(variance[c] + s.epsilon());
    }
    return inverse;
  }

  private static double[] normalised(
      BatchNormShape s,
      double[] x,
      double[] mean,
      double[] inverse,
      double[] gamma,
      double[] beta,
      double[] residual) {
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int c = i % s.channels();
      y[i] = gamma[c] * (x[i] - mean[c]) * inverse[c] + beta[c];
      if (s.fusion() == Fusion.ADD_RELU) {
        y[i] += residual[i];
      }
      if (s.fusion() != Fusion.NONE && !(y[i] > 0)) {
        y[i] = 0;
      }
    }
    return y;
  }

  /** dy behind the rectifier. */
  private static double[] behindRectifier(BatchNormShape s, double[] y, double[] dy) {
    return s.fusion() == Fusion.NONE ? dy.clone() : Reference.reluBackward(y, dy);
  }

  /** {@code mean} and {@code inverse} are those of the forward pass. */
  public static Backward backward(
      BatchNormShape s,
      double[] x,
      double[] y,
      double[] dy,
      double[] weights,
      double[] gamma,
      double[] mean,
      double[] inverse) {
    double[] omega = elementWeights(s, weights);
    double[] delta = behindRectifier(s, y, dy);
    double[] dgamma = new double[s.channels()];
    double[] dbeta = new double[s.channels()];
    for (int i = 0; i < x.length; i++) {
      int c = i % s.channels();
      dbeta[c] += delta[i];
      dgamma[c] += delta[i] * (x[i] - mean[c]) * inverse[c];
    }
    double[] dx = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int c = i % s.channels();
      double w = omega[i / s.channels()];
      double normal = (x[i] - mean[c]) * inverse[c];
      dx[i] = gamma[c] * inverse[c] * (delta[i] - w * dbeta[c] - w * normal * dgamma[c]);
    }
    return new Backward(dx, dgamma, dbeta, delta);
  }

  /** The same where the statistics are constants. */
  public static RunningBackward backwardRunning(
      BatchNormShape s,
      double[] x,
      double[] y,
      double[] dy,
      double[] gamma,
      double[] runningMean,
      double[] runningVariance) {
    double[] inverse = inverses(s, runningVariance);
    double[] delta = behindRectifier(s, y, dy);
    double[] dx = new double[x.length];
    double[] norms = new double[s.batch()];
    int perExample = s.positions() * s.channels();
    for (int j = 0; j < s.batch(); j++) {
      double[] dgamma = new double[s.channels()];
      double[] dbeta = new double[s.channels()];
      for (int i = j * perExample; i < (j + 1) * perExample; i++) {
        int c = i % s.channels();
        dx[i] = gamma[c] * inverse[c] * delta[i];
        dbeta[c] += delta[i];
        dgamma[c] += delta[i] * (x[i] - runningMean[c]) * inverse[c];
      }
      norms[j] = Reference.squaredNorm(dgamma) + Reference.squaredNorm(dbeta);
    }
    return new RunningBackward(dx, delta, norms);
  }
}
