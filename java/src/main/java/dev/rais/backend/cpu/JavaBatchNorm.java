package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Batch norm in Java loops: each pass reads memory once, two passes forward and two backward.
 *
 * <p>{@link BatchNormRows} are what the loops run over; a block of them sums in floats, a few rows
 * at a time, and blocks are added in double, in order: results do not depend on the number of
 * threads.
 *
 * <p>The variance is Σ ω (x − k)² − (Σ ω (x − k))² with k the weighted mean of one position of
 * every example: close enough to the mean that nothing cancels, however large the mean is. Where it
 * is not, the sums are taken again.
 */
final class JavaBatchNorm extends BatchNorm {
  /**
   * Share of the mean's distance to k in Σ ω (x − k)² above which digits of the variance are lost.
   */
  private static final double FAR = 0.5;

  /** Values below which a second thread does not pay. */
  private static final int MINIMUM_ELEMENTS = 1 << 16;

  private final Workers workers;
  private final int channels;

  private final BatchNormPasses passes;
  private final BatchNormRows rows;

  /** Two sums per channel of every block. */
  private final double[] partial;

  JavaBatchNorm(BatchNormShape shape, Workers workers) {
    super(shape, DType.FLOAT32);
    this.workers = workers;
    channels = shape.channels();
    passes = BatchNormPasses.of(shape);
    rows = passes.rows;
    partial = new double[Math.multiplyExact(rows.blocks(), 2 * channels)];
  }

  private void eachBlock(BatchNormRows.Range work) {
    int minimum =
        Math.max(1, MINIMUM_ELEMENTS / Math.multiplyExact(rows.blockRows(), rows.width()));
    workers.run(rows.blocks(), minimum, (first, last) -> rows.eachBlock(first, last, work));
  }

  /** For a pass over what {@link #eachBlock} went over before. */
  private void eachBlockBackwards(BatchNormRows.Range work) {
    workers.run(
        rows.blocks(), minimum(), (first, last) -> rows.eachBlockBackwards(first, last, work));
  }

  private int minimum() {
    return Math.max(1, MINIMUM_ELEMENTS / Math.multiplyExact(rows.blockRows(), rows.width()));
  }

  private float[][] arrays() {
    int length = passes.repeated + BatchNormPasses.STAGGER;
    return workers.scratch().rows(Scratch.Use.ROW, BatchNormPasses.ARRAYS, length);
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

  /** Sums over all blocks: {@code [0, channels)} the first of the two, then the second. */
  private double[] total() {
    double[] sums = new double[2 * channels];
    for (int block = 0; block < rows.blocks(); block++) {
      for (int i = 0; i < sums.length; i++) {
        sums[i] += partial[block * sums.length + i];
      }
    }
    return sums;
  }

  /** Adds up what a block has in its first two arrays. */
  private void store(int firstRow, float[][] arrays) {
    int at = firstRow / rows.blockRows() * 2 * channels;
    Arrays.fill(partial, at, at + 2 * channels, 0);
    fold(arrays, partial, at);
  }

  private void fold(float[][] arrays, double[] sums, int at) {
    BatchNormLoops.fold(arrays[0], passes.repeated, sums, at, channels);
    BatchNormLoops.fold(arrays[1], passes.repeated, sums, at + channels, channels);
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
    double[] sums = moments(in, weights);
    double[] mu = new double[channels];
    double[] factor = new double[channels];
    for (int c = 0; c < channels; c++) {
      double variance = Math.max(0, sums[channels + c] - sums[c] * sums[c]);
      double estimate = passes.mean[c] + sums[c];
      // As floats, which is how backward has them, so that it finds the same y.
      mu[c] = (float) estimate;
      factor[c] = (float) (1 / Math.sqrt(variance + shape().epsilon()));
      means.setAtIndex(JAVA_FLOAT, c, (float) mu[c]);
      inverses.setAtIndex(JAVA_FLOAT, c, (float) factor[c]);
      move(runningMeans, c, estimate, momentum);
      move(runningVariances, c, variance / correction, momentum);
    }
    setAffine(mu, factor, doubles(gamma), doubles(beta));
    normalise(in, residual, y);
  }

  private static void move(MemorySegment running, int c, double estimate, float momentum) {
    double before = running.getAtIndex(JAVA_FLOAT, c);
    running.setAtIndex(JAVA_FLOAT, c, (float) (before + momentum * (estimate - before)));
  }

  /** Σ ω (x − k) and Σ ω (x − k)² of every channel; leaves k in {@link BatchNormPasses#mean}. */
  private double[] moments(MemorySegment in, double[] weights) {
    float[] mean = passes.mean;
    Arrays.fill(mean, 0f);
    for (int j = 0; j < weights.length; j++) {
      FloatBuffer position = CpuBuffer.floats(in, (long) j * rows.size(), channels);
      BatchNormLoops.add(position, 0, (float) (weights[j] * shape().positions()), mean, channels);
    }
    double[] sums = momentsAroundMean(in, weights);
    boolean far = false;
    for (int c = 0; c < channels; c++) {
      far |= sums[c] * sums[c] > FAR * sums[channels + c];
    }
    if (!far) {
      return sums;
    }
    // An outlier in the position that k was taken from: again, around what was found.
    for (int c = 0; c < channels; c++) {
      mean[c] += (float) sums[c];
    }
    return momentsAroundMean(in, weights);
  }

  private double[] momentsAroundMean(MemorySegment in, double[] weights) {
    passes.repeat(passes.mean);
    eachBlock(
        (from, to) -> {
          float[][] arrays = arrays();
          passes.moments(in, weights, from, to, arrays);
          store(from, arrays);
        });
    return total();
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
    setAffine(doubles(runningMean), inverses(runningVariance), doubles(gamma), doubles(beta));
    normalise(CpuBuffer.segment(x), residual, y);
  }

  private double[] inverses(Buffer variance) {
    double[] values = doubles(variance);
    for (int c = 0; c < channels; c++) {
      values[c] = 1 / Math.sqrt(values[c] + shape().epsilon());
    }
    return values;
  }

  /** Sets scale and offset of y. */
  private void setAffine(double[] mu, double[] factor, double[] gamma, double[] beta) {
    for (int c = 0; c < channels; c++) {
      passes.scale[c] = (float) (gamma[c] * factor[c]);
      passes.offset[c] = (float) (beta[c] - mu[c] * passes.scale[c]);
    }
    passes.repeat(passes.scale);
    passes.repeat(passes.offset);
  }

  private void normalise(MemorySegment in, Buffer residual, Buffer y) {
    MemorySegment added = CpuBuffer.segmentOrNull(residual);
    MemorySegment out = CpuBuffer.segment(y);
    eachBlockBackwards((from, to) -> passes.normalise(in, added, out, from, to, arrays()));
  }

  @Override
  protected void doBackward(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer exampleWeights,
      Buffer gamma,
      Buffer beta,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer dx,
      Buffer dgamma,
      Buffer dbeta,
      Buffer dresidual) {
    BatchNormPasses.Gradients of = new BatchNormPasses.Gradients(x, y, dy, dx, dresidual);
    double[] weights = normalised(exampleWeights);
    double[] scales = doubles(gamma);
    double[] mu = doubles(mean);
    double[] factor = doubles(inverseDeviation);
    MemorySegment gammaGradients = CpuBuffer.segment(dgamma);
    MemorySegment betaGradients = CpuBuffer.segment(dbeta);
    setMean(mu);
    setAffine(mu, factor, scales, doubles(beta));
    eachBlock(
        (from, to) -> {
          float[][] arrays = arrays();
          passes.reduce(of, from, to, arrays);
          store(from, arrays);
        });
    double[] sums = total();
    for (int c = 0; c < channels; c++) {
      double products = sums[channels + c] * factor[c];
      betaGradients.setAtIndex(JAVA_FLOAT, c, (float) sums[c]);
      gammaGradients.setAtIndex(JAVA_FLOAT, c, (float) products);
      double all = scales[c] * factor[c];
      passes.slope[c] = (float) (-all * factor[c] * products);
      passes.shift[c] = (float) (-all * sums[c] - mu[c] * passes.slope[c]);
    }
    if (dx == null) {
      return;
    }
    passes.repeat(passes.slope);
    passes.repeat(passes.shift);
    eachBlockBackwards((from, to) -> passes.differentiate(of, weights, from, to, arrays()));
  }

  private void setMean(double[] mu) {
    for (int c = 0; c < channels; c++) {
      passes.mean[c] = (float) mu[c];
    }
    passes.repeat(passes.mean);
  }

  @Override
  protected void doBackwardRunning(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer gamma,
      Buffer beta,
      Buffer runningMean,
      Buffer runningVariance,
      Buffer dx,
      Buffer dresidual,
      Buffer squaredNorms) {
    BatchNormPasses.Gradients of = new BatchNormPasses.Gradients(x, y, dy, dx, dresidual);
    MemorySegment norms = CpuBuffer.segment(squaredNorms);
    double[] mu = doubles(runningMean);
    double[] factor = inverses(runningVariance);
    setMean(mu);
    setAffine(mu, factor, doubles(gamma), doubles(beta));
    workers.run(
        shape().batch(),
        Math.max(1, MINIMUM_ELEMENTS / rows.size()),
        (first, last) -> {
          float[][] arrays = arrays();
          double[] sums = new double[2 * channels];
          for (int j = first; j < last; j++) {
            int from = j * rows.perExample();
            int to = from + rows.perExample();
            passes.reduce(of, from, to, arrays);
            Arrays.fill(sums, 0);
            fold(arrays, sums, 0);
            double norm = 0;
            for (int c = 0; c < channels; c++) {
              double products = sums[channels + c] * factor[c];
              norm += sums[c] * sums[c] + products * products;
            }
            norms.setAtIndex(JAVA_FLOAT, j, (float) (norms.getAtIndex(JAVA_FLOAT, j) + norm));
            if (of.dx != null) {
              passes.scale(of, from, to, arrays);
            }
          }
        });
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
