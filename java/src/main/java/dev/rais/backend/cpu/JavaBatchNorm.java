package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.backend.Buffer;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Batch norm in Java loops with double sums, a range of channels for each thread. */
class JavaBatchNorm extends BatchNorm {
  private final Workers workers;
  private final int rows;
  private final int channels;

  JavaBatchNorm(BatchNormShape shape, Workers workers) {
    super(shape);
    this.workers = workers;
    this.rows = Math.multiplyExact(shape.batch(), shape.positions());
    this.channels = shape.channels();
  }

  /** ω_j of every example. */
  private double[] normalised(Buffer exampleWeights) {
    double[] weights = new double[shape().batch()];
    Arrays.fill(weights, 1);
    if (exampleWeights != null) {
      MemorySegment given = CpuBuffer.segment(exampleWeights);
      for (int j = 0; j < weights.length; j++) {
        weights[j] = given.getAtIndex(JAVA_FLOAT, j);
      }
    }
    double sum = 0;
    for (double weight : weights) {
      sum += weight;
    }
    for (int j = 0; j < weights.length; j++) {
      weights[j] /= shape().positions() * sum;
    }
    return weights;
  }

  /** What the variance is divided by for the running one. */
  private double correction(double[] weights) {
    double squares = 0;
    for (double weight : weights) {
      squares += shape().positions() * weight * weight;
    }
    return squares >= 1 ? 1 : 1 - squares;
  }

  private void eachChannel(Workers.Body body) {
    workers.run(channels, 1, body);
  }

  @Override
  protected void doForward(
      Buffer x,
      Buffer exampleWeights,
      Buffer gamma,
      Buffer beta,
      Buffer residual,
      Buffer y,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer runningMean,
      Buffer runningVariance,
      float momentum) {
    MemorySegment in = CpuBuffer.segment(x);
    MemorySegment means = CpuBuffer.segment(mean);
    MemorySegment inverses = CpuBuffer.segment(inverseDeviation);
    MemorySegment runningMeans = CpuBuffer.segment(runningMean);
    MemorySegment runningVariances = CpuBuffer.segment(runningVariance);
    double[] weights = normalised(exampleWeights);
    double correction = correction(weights);
    double[] mu = new double[channels];
    double[] factor = new double[channels];
    eachChannel(
        (from, to) -> {
          for (int c = from; c < to; c++) {
            double sum = 0;
            for (int r = 0; r < rows; r++) {
              sum += weights[r / shape().positions()] * at(in, r, c);
            }
            double squares = 0;
            for (int r = 0; r < rows; r++) {
              double difference = at(in, r, c) - sum;
              squares += weights[r / shape().positions()] * difference * difference;
            }
            mu[c] = sum;
            factor[c] = 1 / Math.sqrt(squares + shape().epsilon());
            means.setAtIndex(JAVA_FLOAT, c, (float) sum);
            inverses.setAtIndex(JAVA_FLOAT, c, (float) factor[c]);
            move(runningMeans, c, sum, momentum);
            move(runningVariances, c, squares / correction, momentum);
          }
        });
    normalise(in, mu, factor, gamma, beta, residual, y);
  }

  private static void move(MemorySegment running, int c, double estimate, float momentum) {
    double before = running.getAtIndex(JAVA_FLOAT, c);
    running.setAtIndex(JAVA_FLOAT, c, (float) (before + momentum * (estimate - before)));
  }

  @Override
  protected void doForwardRunning(
      Buffer x,
      Buffer gamma,
      Buffer beta,
      Buffer runningMean,
      Buffer runningVariance,
      Buffer residual,
      Buffer y) {
    double[] mu = doubles(runningMean);
    double[] factor = inverses(runningVariance);
    normalise(CpuBuffer.segment(x), mu, factor, gamma, beta, residual, y);
  }

  private double[] inverses(Buffer variance) {
    double[] values = doubles(variance);
    for (int c = 0; c < channels; c++) {
      values[c] = 1 / Math.sqrt(values[c] + shape().epsilon());
    }
    return values;
  }

  private void normalise(
      MemorySegment in,
      double[] mu,
      double[] factor,
      Buffer gamma,
      Buffer beta,
      Buffer residual,
      Buffer y) {
    double[] scales = doubles(gamma);
    double[] shifts = doubles(beta);
    MemorySegment added = CpuBuffer.segmentOrNull(residual);
    MemorySegment out = CpuBuffer.segment(y);
    eachChannel(
        (from, to) -> {
          for (int r = 0; r < rows; r++) {
            for (int c = from; c < to; c++) {
              double value = scales[c] * (at(in, r, c) - mu[c]) * factor[c] + shifts[c];
              if (added != null) {
                value += at(added, r, c);
              }
              if (shape().fusion() != Fusion.NONE) {
                value = Math.max(value, 0);
              }
              out.setAtIndex(JAVA_FLOAT, (long) r * channels + c, (float) value);
            }
          }
        });
  }

  @Override
  protected void doBackward(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer exampleWeights,
      Buffer gamma,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer dx,
      Buffer dgamma,
      Buffer dbeta,
      Buffer dresidual) {
    MemorySegment in = CpuBuffer.segment(x);
    MemorySegment outs = outputs(y);
    MemorySegment gradients = CpuBuffer.segment(dy);
    MemorySegment masked = CpuBuffer.segmentOrNull(dresidual);
    MemorySegment to = CpuBuffer.segmentOrNull(dx);
    MemorySegment gammaGradients = CpuBuffer.segment(dgamma);
    MemorySegment betaGradients = CpuBuffer.segment(dbeta);
    double[] weights = normalised(exampleWeights);
    double[] scales = doubles(gamma);
    double[] mu = doubles(mean);
    double[] factor = doubles(inverseDeviation);
    eachChannel(
        (first, last) -> {
          for (int c = first; c < last; c++) {
            double sum = 0;
            double products = 0;
            for (int r = 0; r < rows; r++) {
              double delta = delta(outs, gradients, r, c);
              sum += delta;
              products += delta * (at(in, r, c) - mu[c]) * factor[c];
            }
            betaGradients.setAtIndex(JAVA_FLOAT, c, (float) sum);
            gammaGradients.setAtIndex(JAVA_FLOAT, c, (float) products);
            for (int r = 0; r < rows; r++) {
              double delta = delta(outs, gradients, r, c);
              if (masked != null) {
                masked.setAtIndex(JAVA_FLOAT, (long) r * channels + c, (float) delta);
              }
              if (to != null) {
                double normal = (at(in, r, c) - mu[c]) * factor[c];
                double weight = weights[r / shape().positions()];
                double value = delta - weight * (sum + normal * products);
                to.setAtIndex(
                    JAVA_FLOAT, (long) r * channels + c, (float) (scales[c] * factor[c] * value));
              }
            }
          }
        });
  }

  @Override
  protected void doBackwardRunning(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer gamma,
      Buffer runningMean,
      Buffer runningVariance,
      Buffer dx,
      Buffer dresidual,
      Buffer squaredNorms) {
    MemorySegment in = CpuBuffer.segment(x);
    MemorySegment outs = outputs(y);
    MemorySegment gradients = CpuBuffer.segment(dy);
    MemorySegment masked = CpuBuffer.segmentOrNull(dresidual);
    MemorySegment to = CpuBuffer.segmentOrNull(dx);
    MemorySegment norms = CpuBuffer.segment(squaredNorms);
    double[] scales = doubles(gamma);
    double[] mu = doubles(runningMean);
    double[] factor = inverses(runningVariance);
    workers.run(
        shape().batch(),
        1,
        (first, last) -> {
          for (int j = first; j < last; j++) {
            double norm = 0;
            for (int c = 0; c < channels; c++) {
              double sum = 0;
              double products = 0;
              for (int r = j * shape().positions(); r < (j + 1) * shape().positions(); r++) {
                double delta = delta(outs, gradients, r, c);
                sum += delta;
                products += delta * (at(in, r, c) - mu[c]) * factor[c];
                if (masked != null) {
                  masked.setAtIndex(JAVA_FLOAT, (long) r * channels + c, (float) delta);
                }
                if (to != null) {
                  double value = scales[c] * factor[c] * delta;
                  to.setAtIndex(JAVA_FLOAT, (long) r * channels + c, (float) value);
                }
              }
              norm += sum * sum + products * products;
            }
            norms.setAtIndex(JAVA_FLOAT, j, (float) (norms.getAtIndex(JAVA_FLOAT, j) + norm));
          }
        });
  }

  /** y where its sign is needed. */
  private MemorySegment outputs(Buffer y) {
    MemorySegment segment = CpuBuffer.segmentOrNull(y); // which notices if it is closed
    return shape().fusion() == Fusion.NONE ? null : segment;
  }

  /** The gradient before the rectifier. */
  private double delta(MemorySegment outputs, MemorySegment gradients, int r, int c) {
    return outputs == null || at(outputs, r, c) > 0 ? at(gradients, r, c) : 0;
  }

  private float at(MemorySegment values, int r, int c) {
    return values.getAtIndex(JAVA_FLOAT, (long) r * channels + c);
  }

  private double[] doubles(Buffer perChannel) {
    double[] values = new double[channels];
    MemorySegment from = CpuBuffer.segment(perChannel);
    for (int c = 0; c < channels; c++) {
      values[c] = from.getAtIndex(JAVA_FLOAT, c);
    }
    return values;
  }

  @Override
  public void close() {
    // Nothing native is held.
  }
}
