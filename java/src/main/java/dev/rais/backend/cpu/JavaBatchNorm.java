package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
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
   * Added to the arrays' length. Arrays of a power of two would lie at the same place modulo 4096,
   * where a load waits for an earlier store to what the processor takes for the same address.
   */
  private static final int STAGGER = 140;

  /**
   * Share of the mean's distance to k in Σ ω (x − k)² above which digits of the variance are lost.
   */
  private static final double FAR = 0.5;

  /** Values below which a second thread does not pay. */
  private static final int MINIMUM_ELEMENTS = 1 << 16;

  private final Workers workers;
  private final int channels;

  private final BatchNormRows rows;
  private final int width;

  /**
   * Per-channel numbers, once for every position of a row: y = scale x + offset, and with ω of the
   * row's example dx = scale δ + ω (slope x + shift).
   */
  private final float[] mean;

  private final float[] scale;
  private final float[] offset;
  private final float[] slope;
  private final float[] shift;

  /** Two sums per channel of every block. */
  private final double[] partial;

  JavaBatchNorm(BatchNormShape shape, Workers workers) {
    super(shape, DType.FLOAT32);
    this.workers = workers;
    channels = shape.channels();
    rows = BatchNormRows.of(shape);
    width = rows.width();
    mean = new float[width + STAGGER];
    scale = new float[width + STAGGER];
    offset = new float[width + STAGGER];
    slope = new float[width + STAGGER];
    shift = new float[width + STAGGER];
    partial = new double[Math.multiplyExact(rows.blocks(), 2 * channels)];
  }

  private void eachBlock(BatchNormRows.Range work) {
    int minimum = Math.max(1, MINIMUM_ELEMENTS / Math.multiplyExact(rows.blockRows(), width));
    workers.run(rows.blocks(), minimum, (first, last) -> rows.eachBlock(first, last, work));
  }

  private float[][] arrays() {
    return workers.scratch().rows(Scratch.Use.ROW, 5, width + STAGGER);
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

  /** Repeats what lies in the first position for all positions of a row. */
  private void spread(float[] perChannel) {
    for (int at = channels; at < width; at += channels) {
      System.arraycopy(perChannel, 0, perChannel, at, channels);
    }
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

  /** Adds up what a block has in two arrays. */
  private void store(int firstRow, float[] first, float[] second) {
    int at = firstRow / rows.blockRows() * 2 * channels;
    Arrays.fill(partial, at, at + 2 * channels, 0);
    BatchNormLoops.fold(first, width, partial, at, channels);
    BatchNormLoops.fold(second, width, partial, at + channels, channels);
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
      double estimate = this.mean[c] + sums[c];
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

  /** Σ ω (x − k) and Σ ω (x − k)² of every channel; leaves k in {@link #mean}. */
  private double[] moments(MemorySegment in, double[] weights) {
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
    spread(mean);
    eachBlock(
        (from, to) -> {
          float[][] arrays = arrays();
          float[] sum = cleared(arrays[0]);
          float[] squares = cleared(arrays[1]);
          float[] sums = cleared(arrays[2]);
          float[] allSquares = cleared(arrays[3]);
          FloatBuffer values = rows.view(in, from, to);
          long base = rows.start(from);
          for (int row = from; row < to; row++) {
            float weight = (float) weights[rows.example(row)];
            int at = (int) (rows.start(row) - base);
            BatchNormLoops.moments(values, at, weight, mean, sum, squares, rows.length(row));
            if (rows.endsRun(row, from, to)) {
              BatchNormLoops.flush(sum, sums, width);
              BatchNormLoops.flush(squares, allSquares, width);
            }
          }
          store(from, sums, allSquares);
        });
    return total();
  }

  private float[] cleared(float[] values) {
    Arrays.fill(values, 0, width, 0f);
    return values;
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
      scale[c] = (float) (gamma[c] * factor[c]);
      offset[c] = (float) (beta[c] - mu[c] * scale[c]);
    }
    spread(scale);
    spread(offset);
  }

  private void normalise(MemorySegment in, Buffer residual, Buffer y) {
    MemorySegment added = CpuBuffer.segmentOrNull(residual);
    MemorySegment out = CpuBuffer.segment(y);
    eachBlock(
        (from, to) -> {
          float[] result = arrays()[0];
          FloatBuffer values = rows.view(in, from, to);
          FloatBuffer residuals = added == null ? null : rows.view(added, from, to);
          long base = rows.start(from);
          for (int row = from; row < to; row++) {
            int at = (int) (rows.start(row) - base);
            int n = rows.length(row);
            switch (shape().fusion()) {
              case NONE -> BatchNormLoops.affine(values, at, scale, offset, result, n);
              case RELU -> BatchNormLoops.affineRelu(values, at, scale, offset, result, n);
              case ADD_RELU ->
                  BatchNormLoops.affineAddRelu(values, residuals, at, scale, offset, result, n);
            }
            MemorySegment.copy(result, 0, out, JAVA_FLOAT, (base + at) * Float.BYTES, n);
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
      Buffer beta,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer dx,
      Buffer dgamma,
      Buffer dbeta,
      Buffer dresidual) {
    Gradients of = new Gradients(x, y, dy, dx, dresidual);
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
          reduce(of, from, to, arrays);
          store(from, arrays[2], arrays[3]);
        });
    double[] sums = total();
    for (int c = 0; c < channels; c++) {
      double products = sums[channels + c] * factor[c];
      betaGradients.setAtIndex(JAVA_FLOAT, c, (float) sums[c]);
      gammaGradients.setAtIndex(JAVA_FLOAT, c, (float) products);
      double all = scales[c] * factor[c];
      slope[c] = (float) (-all * factor[c] * products);
      shift[c] = (float) (-all * sums[c] - mu[c] * slope[c]);
    }
    if (dx == null) {
      return;
    }
    spread(slope);
    spread(shift);
    eachBlock((from, to) -> differentiate(of, weights, from, to));
  }

  /** What a backward pass reads and writes, as it lies in memory. */
  private static final class Gradients {
    final MemorySegment x;
    final MemorySegment y;
    final MemorySegment dy;
    final MemorySegment dx;
    final MemorySegment dresidual;

    Gradients(Buffer x, Buffer y, Buffer dy, Buffer dx, Buffer dresidual) {
      this.x = CpuBuffer.segment(x);
      this.y = CpuBuffer.segmentOrNull(y);
      this.dy = CpuBuffer.segment(dy);
      this.dx = CpuBuffer.segmentOrNull(dx);
      this.dresidual = CpuBuffer.segmentOrNull(dresidual);
    }

    /** What the second pass reads: δ, but for a rectifier with nothing added. */
    MemorySegment source() {
      return dresidual == null ? dy : dresidual;
    }
  }

  private void setMean(double[] mu) {
    for (int c = 0; c < channels; c++) {
      mean[c] = (float) mu[c];
    }
    spread(mean);
  }

  /** Σ δ and Σ δ (x − mean) of some rows to arrays 2 and 3; δ to dresidual, if there is one. */
  private void reduce(Gradients of, int from, int to, float[][] arrays) {
    float[] sum = cleared(arrays[0]);
    float[] products = cleared(arrays[1]);
    float[] sums = cleared(arrays[2]);
    float[] allProducts = cleared(arrays[3]);
    float[] delta = arrays[4];
    FloatBuffer x = rows.view(of.x, from, to);
    FloatBuffer dy = rows.view(of.dy, from, to);
    IntBuffer y = shape().fusion() == Fusion.ADD_RELU ? rows.bits(of.y, from, to) : null;
    long base = rows.start(from);
    for (int row = from; row < to; row++) {
      int at = (int) (rows.start(row) - base);
      int n = rows.length(row);
      switch (shape().fusion()) {
        case NONE -> BatchNormLoops.reduce(x, dy, at, mean, sum, products, n);
        case RELU ->
            BatchNormLoops.reduceBehindRelu(x, dy, at, scale, offset, mean, sum, products, n);
        case ADD_RELU -> {
          BatchNormLoops.throughRelu(y, dy, at, delta, n);
          MemorySegment.copy(delta, 0, of.dresidual, JAVA_FLOAT, (base + at) * Float.BYTES, n);
          BatchNormLoops.reduce(x, at, delta, mean, sum, products, n);
        }
      }
      if (rows.endsRun(row, from, to)) {
        BatchNormLoops.flush(sum, sums, width);
        BatchNormLoops.flush(products, allProducts, width);
      }
    }
  }

  /** dx of some rows, after {@link #reduce} of all. */
  private void differentiate(Gradients of, double[] weights, int from, int to) {
    float[] result = arrays()[0];
    FloatBuffer x = rows.view(of.x, from, to);
    FloatBuffer source = rows.view(of.source(), from, to);
    long base = rows.start(from);
    for (int row = from; row < to; row++) {
      int at = (int) (rows.start(row) - base);
      int n = rows.length(row);
      float w = (float) weights[rows.example(row)];
      if (shape().fusion() == Fusion.RELU) {
        BatchNormLoops.gradientBehindRelu(x, source, at, w, scale, offset, slope, shift, result, n);
      } else {
        BatchNormLoops.gradient(x, source, at, w, scale, slope, shift, result, n);
      }
      MemorySegment.copy(result, 0, of.dx, JAVA_FLOAT, (base + at) * Float.BYTES, n);
    }
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
    Gradients of = new Gradients(x, y, dy, dx, dresidual);
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
            reduce(of, from, to, arrays);
            Arrays.fill(sums, 0);
            BatchNormLoops.fold(arrays[2], width, sums, 0, channels);
            BatchNormLoops.fold(arrays[3], width, sums, channels, channels);
            double norm = 0;
            for (int c = 0; c < channels; c++) {
              double products = sums[channels + c] * factor[c];
              norm += sums[c] * sums[c] + products * products;
            }
            norms.setAtIndex(JAVA_FLOAT, j, (float) (norms.getAtIndex(JAVA_FLOAT, j) + norm));
            if (of.dx != null) {
              scale(of, from, to, arrays);
            }
          }
        });
  }

  /** dx = scale δ of some rows. */
  private void scale(Gradients of, int from, int to, float[][] arrays) {
    float[] delta = arrays[0];
    FloatBuffer x = rows.view(of.x, from, to);
    FloatBuffer source = rows.view(of.source(), from, to);
    long base = rows.start(from);
    for (int row = from; row < to; row++) {
      int at = (int) (rows.start(row) - base);
      int n = rows.length(row);
      if (shape().fusion() == Fusion.RELU) {
        BatchNormLoops.throughRelu(x, source, at, scale, offset, delta, n);
      } else {
        source.get(at, delta, 0, n);
      }
      BatchNormLoops.scale(delta, scale, n);
      MemorySegment.copy(delta, 0, of.dx, JAVA_FLOAT, (base + at) * Float.BYTES, n);
    }
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
