package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.backend.Buffer;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Batch norm in Java loops: each pass reads memory once, two passes forward and two backward.
 *
 * <p>An example is cut into rows of about {@link #WIDTH} values, each a whole number of positions,
 * so that the loops are long however few the channels are. Rows are taken together in blocks, which
 * are what threads share out and depend on the shape alone. A block sums in floats, {@link #DEPTH}
 * rows at a time, and blocks are added in double, in order: results do not depend on the number of
 * threads.
 *
 * <p>The variance is Σ ω (x − k)² − (Σ ω (x − k))² with k the weighted mean of one position of
 * every example: close enough to the mean that nothing cancels, however large the mean is. Where it
 * is not, the sums are taken again.
 */
final class JavaBatchNorm extends BatchNorm {
  /** Values of a row: the arrays that a loop works on stay in the first-level cache together. */
  private static final int WIDTH = 512;

  /**
   * Added to the arrays' length. Arrays of a power of two would lie at the same place modulo 4096,
   * where a load waits for an earlier store to what the processor takes for the same address.
   */
  private static final int STAGGER = 140;

  /** Rows summed in sequence. */
  private static final int DEPTH = 64;

  /** Blocks that an operation has at least, if its rows allow. */
  private static final int BLOCKS = 16;

  private static final int MAXIMUM_BLOCK = 8 * DEPTH;

  /**
   * Share of the mean's distance to k in Σ ω (x − k)² above which digits of the variance are lost.
   */
  private static final double FAR = 0.5;

  /** Values below which a second thread does not pay. */
  private static final int MINIMUM_ELEMENTS = 1 << 16;

  private final Workers workers;
  private final int channels;

  /** Values of an example, of its rows but the last, and rows of an example. */
  private final int size;

  private final int width;
  private final int rowsPerExample;

  private final int rows;
  private final int blockRows;
  private final int blocks;

  /** Per-channel numbers, once for every position of a row. */
  private final float[] mean;

  private final float[] scale;
  private final float[] slope;
  private final float[] offset;

  /** Two sums per channel of every block. */
  private final double[] partial;

  JavaBatchNorm(BatchNormShape shape, Workers workers) {
    super(shape);
    this.workers = workers;
    channels = shape.channels();
    size = Math.toIntExact(shape.exampleCount());
    int longest = Math.clamp(WIDTH / channels, 1, shape.positions());
    rowsPerExample = divideUp(shape.positions(), longest);
    width = divideUp(shape.positions(), rowsPerExample) * channels;
    rows = Math.multiplyExact(shape.batch(), rowsPerExample);
    blockRows = Math.clamp(divideUp(divideUp(rows, BLOCKS), DEPTH) * DEPTH, DEPTH, MAXIMUM_BLOCK);
    blocks = divideUp(rows, blockRows);
    mean = new float[width + STAGGER];
    scale = new float[width + STAGGER];
    slope = new float[width + STAGGER];
    offset = new float[width + STAGGER];
    partial = new double[Math.multiplyExact(blocks, 2 * channels)];
  }

  private static int divideUp(int a, int b) {
    return (int) (((long) a + b - 1) / b);
  }

  /** Work on a range of rows, all in blocks of their own. */
  private interface RowRange {
    void run(int from, int to);
  }

  private void eachBlock(RowRange work) {
    workers.run(
        blocks,
        Math.max(1, MINIMUM_ELEMENTS / Math.multiplyExact(blockRows, width)),
        (first, last) -> {
          for (int block = first; block < last; block++) {
            int from = block * blockRows;
            work.run(from, Math.min(rows, from + blockRows));
          }
        });
  }

  /** Where a row starts. */
  private long start(int row) {
    return (long) (row / rowsPerExample) * size + (long) (row % rowsPerExample) * width;
  }

  private int length(int row) {
    return Math.min(width, size - row % rowsPerExample * width);
  }

  /** Rows [from, to) of a buffer, to be read by the loops. */
  private FloatBuffer view(MemorySegment values, int from, int to) {
    long start = start(from);
    return CpuBuffer.floats(values, start, start(to - 1) + length(to - 1) - start);
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
    for (int block = 0; block < blocks; block++) {
      for (int i = 0; i < sums.length; i++) {
        sums[i] += partial[block * sums.length + i];
      }
    }
    return sums;
  }

  /** Adds up what a block has in two arrays. */
  private void store(int firstRow, float[] first, float[] second) {
    int at = firstRow / blockRows * 2 * channels;
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
      mu[c] = this.mean[c] + sums[c];
      factor[c] = 1 / Math.sqrt(variance + shape().epsilon());
      means.setAtIndex(JAVA_FLOAT, c, (float) mu[c]);
      inverses.setAtIndex(JAVA_FLOAT, c, (float) factor[c]);
      move(runningMeans, c, mu[c], momentum);
      move(runningVariances, c, variance / correction, momentum);
    }
    normalise(in, mu, factor, gamma, beta, residual, y);
  }

  private static void move(MemorySegment running, int c, double estimate, float momentum) {
    double before = running.getAtIndex(JAVA_FLOAT, c);
    running.setAtIndex(JAVA_FLOAT, c, (float) (before + momentum * (estimate - before)));
  }

  /** Σ ω (x − k) and Σ ω (x − k)² of every channel; leaves k in {@link #mean}. */
  private double[] moments(MemorySegment in, double[] weights) {
    Arrays.fill(mean, 0f);
    for (int j = 0; j < weights.length; j++) {
      FloatBuffer position = CpuBuffer.floats(in, (long) j * size, channels);
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
          FloatBuffer values = view(in, from, to);
          long base = start(from);
          for (int row = from; row < to; row++) {
            float weight = (float) weights[row / rowsPerExample];
            int at = (int) (start(row) - base);
            BatchNormLoops.moments(values, at, weight, mean, sum, squares, length(row));
            if ((row + 1 - from) % DEPTH == 0 || row + 1 == to) {
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
    for (int c = 0; c < channels; c++) {
      scale[c] = (float) (scales[c] * factor[c]);
      offset[c] = (float) (shifts[c] - mu[c] * scale[c]);
    }
    spread(scale);
    spread(offset);
    eachBlock(
        (from, to) -> {
          float[] result = arrays()[0];
          FloatBuffer values = view(in, from, to);
          FloatBuffer residuals = added == null ? null : view(added, from, to);
          long base = start(from);
          for (int row = from; row < to; row++) {
            int at = (int) (start(row) - base);
            int n = length(row);
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
      Buffer mean,
      Buffer inverseDeviation,
      Buffer dx,
      Buffer dgamma,
      Buffer dbeta,
      Buffer dresidual) {
    MemorySegment in = CpuBuffer.segment(x);
    MemorySegment outputs = CpuBuffer.segmentOrNull(y);
    MemorySegment gradients = CpuBuffer.segment(dy);
    MemorySegment out = CpuBuffer.segmentOrNull(dx);
    MemorySegment deltas = deltas(CpuBuffer.segmentOrNull(dresidual), out);
    double[] weights = normalised(exampleWeights);
    double[] scales = doubles(gamma);
    double[] mu = doubles(mean);
    double[] factor = doubles(inverseDeviation);
    MemorySegment gammaGradients = CpuBuffer.segment(dgamma);
    MemorySegment betaGradients = CpuBuffer.segment(dbeta);
    setMean(mu);
    eachBlock(
        (from, to) -> {
          float[][] arrays = arrays();
          reduce(in, outputs, gradients, deltas, from, to, arrays);
          store(from, arrays[2], arrays[3]);
        });
    double[] sums = total();
    for (int c = 0; c < channels; c++) {
      double products = sums[channels + c] * factor[c];
      betaGradients.setAtIndex(JAVA_FLOAT, c, (float) sums[c]);
      gammaGradients.setAtIndex(JAVA_FLOAT, c, (float) products);
      double all = scales[c] * factor[c];
      scale[c] = (float) all;
      slope[c] = (float) (-all * factor[c] * products);
      offset[c] = (float) (-all * sums[c] - mu[c] * slope[c]);
    }
    if (out == null) {
      return;
    }
    spread(scale);
    spread(slope);
    spread(offset);
    MemorySegment source = deltas == null ? gradients : deltas;
    eachBlock(
        (from, to) -> {
          float[] result = arrays()[0];
          FloatBuffer values = view(in, from, to);
          FloatBuffer passed = view(source, from, to);
          long base = start(from);
          for (int row = from; row < to; row++) {
            int at = (int) (start(row) - base);
            int n = length(row);
            float weight = (float) weights[row / rowsPerExample];
            BatchNormLoops.gradient(values, passed, at, weight, scale, slope, offset, result, n);
            MemorySegment.copy(result, 0, out, JAVA_FLOAT, (base + at) * Float.BYTES, n);
          }
        });
  }

  /**
   * Where the gradients behind the rectifier go in the first pass, so that the second need not look
   * at y again: to the residual's gradient, which they are, or else to dx.
   */
  private MemorySegment deltas(MemorySegment dresidual, MemorySegment dx) {
    return switch (shape().fusion()) {
      case NONE -> null;
      case RELU -> dx;
      case ADD_RELU -> dresidual;
    };
  }

  private void setMean(double[] mu) {
    for (int c = 0; c < channels; c++) {
      mean[c] = (float) mu[c];
    }
    spread(mean);
  }

  /** Σ δ and Σ δ (x − mean) of some rows to arrays 2 and 3; δ to {@code deltas} unless null. */
  private void reduce(
      MemorySegment in,
      MemorySegment outputs,
      MemorySegment gradients,
      MemorySegment deltas,
      int from,
      int to,
      float[][] arrays) {
    boolean rectified = shape().fusion() != Fusion.NONE;
    float[] sum = cleared(arrays[0]);
    float[] products = cleared(arrays[1]);
    float[] sums = cleared(arrays[2]);
    float[] allProducts = cleared(arrays[3]);
    float[] delta = arrays[4];
    FloatBuffer values = view(in, from, to);
    FloatBuffer dy = view(gradients, from, to);
    FloatBuffer y = rectified ? view(outputs, from, to) : null;
    long base = start(from);
    for (int row = from; row < to; row++) {
      int at = (int) (start(row) - base);
      int n = length(row);
      if (rectified) {
        BatchNormLoops.reduceBehindRelu(values, y, dy, at, mean, delta, sum, products, n);
        if (deltas != null) {
          MemorySegment.copy(delta, 0, deltas, JAVA_FLOAT, (base + at) * Float.BYTES, n);
        }
      } else {
        BatchNormLoops.reduce(values, dy, at, mean, sum, products, n);
      }
      if ((row + 1 - from) % DEPTH == 0 || row + 1 == to) {
        BatchNormLoops.flush(sum, sums, width);
        BatchNormLoops.flush(products, allProducts, width);
      }
    }
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
    MemorySegment outputs = CpuBuffer.segmentOrNull(y);
    MemorySegment gradients = CpuBuffer.segment(dy);
    MemorySegment out = CpuBuffer.segmentOrNull(dx);
    MemorySegment deltas = deltas(CpuBuffer.segmentOrNull(dresidual), out);
    MemorySegment source = deltas == null ? gradients : deltas;
    MemorySegment norms = CpuBuffer.segment(squaredNorms);
    double[] scales = doubles(gamma);
    double[] factor = inverses(runningVariance);
    setMean(doubles(runningMean));
    for (int c = 0; c < channels; c++) {
      scale[c] = (float) (scales[c] * factor[c]);
    }
    spread(scale);
    workers.run(
        shape().batch(),
        Math.max(1, MINIMUM_ELEMENTS / size),
        (first, last) -> {
          float[][] arrays = arrays();
          double[] sums = new double[2 * channels];
          for (int j = first; j < last; j++) {
            int from = j * rowsPerExample;
            int to = from + rowsPerExample;
            reduce(in, outputs, gradients, deltas, from, to, arrays);
            Arrays.fill(sums, 0);
            BatchNormLoops.fold(arrays[2], width, sums, 0, channels);
            BatchNormLoops.fold(arrays[3], width, sums, channels, channels);
            double norm = 0;
            for (int c = 0; c < channels; c++) {
              double products = sums[channels + c] * factor[c];
              norm += sums[c] * sums[c] + products * products;
            }
            norms.setAtIndex(JAVA_FLOAT, j, (float) (norms.getAtIndex(JAVA_FLOAT, j) + norm));
            if (out != null) {
              scale(source, out, from, to, arrays[0]);
            }
          }
        });
  }

  private void scale(MemorySegment from, MemorySegment to, int first, int last, float[] result) {
    FloatBuffer values = view(from, first, last);
    long base = start(first);
    for (int row = first; row < last; row++) {
      int at = (int) (start(row) - base);
      int n = length(row);
      BatchNormLoops.scaled(values, at, scale, result, n);
      MemorySegment.copy(result, 0, to, JAVA_FLOAT, (base + at) * Float.BYTES, n);
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
