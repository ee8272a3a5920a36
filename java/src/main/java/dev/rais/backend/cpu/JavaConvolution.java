package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A convolution as matrix products of {@link Gemm} with patches: row s of the patch matrix holds
 * the {@code [kernel, kernel, inputChannels]} inputs under output position s. The matrix is never
 * whole in memory; products ask for its rows, which are cut from a padded copy of the example.
 */
class JavaConvolution extends Convolution {
  /**
   * How much a multiply-add of the Gram form costs in those of the direct form: its rows are short
   * and it needs the patches in both orders (measured on AVX-512).
   */
  private static final long GRAM_PENALTY = 3;

  private final Workers workers;
  private final int positions;

  JavaConvolution(ConvolutionShape shape, Workers workers) {
    super(shape, DType.FLOAT32);
    this.workers = workers;
    this.positions = shape.outputHeight() * shape.outputWidth();
  }

  final Workers workers() {
    return workers;
  }

  @Override
  protected void doForward(Buffer x, Buffer w, Buffer b, Buffer y) {
    MemorySegment in = CpuBuffer.segment(x);
    Gemm.timesTransposed(
        workers,
        scratch -> new Patches(in, scratch),
        Math.multiplyExact(shape().batch(), positions),
        shape().patch(),
        shape().outputChannels(),
        CpuBuffer.segment(w),
        CpuBuffer.segmentOrNull(b),
        CpuBuffer.segment(y));
  }

  @Override
  protected void doBackwardData(Buffer dy, Buffer w, Buffer dx) {
    MemorySegment out = CpuBuffer.segment(dx);
    // Grouped by example: patches of one example overlap in dx, so one thread adds them all.
    Gemm.times(
        workers,
        CpuBuffer.segment(dy),
        shape().batch(),
        positions,
        shape().outputChannels(),
        shape().patch(),
        CpuBuffer.segment(w),
        scratch -> new PatchSums(out, scratch));
  }

  @Override
  protected void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    MemorySegment in = CpuBuffer.segment(x);
    Gemm.transposedTimes(
        workers,
        CpuBuffer.segment(dy),
        scratch -> new Patches(in, scratch),
        Math.multiplyExact(shape().batch(), positions),
        shape().outputChannels(),
        shape().patch(),
        CpuBuffer.segment(dw),
        CpuBuffer.segmentOrNull(db));
  }

  /**
   * Two ways to the same norm. Direct: build the example's gradient Σ_s δ_s ⊗ [patch_s 1] and sum
   * its squares. Gram: Σ_st (δ_s·δ_t)(patch_s·patch_t + 1), cheaper where positions are few and
   * channels many. Without a bias there is no 1.
   */
  @Override
  protected final void doAddExampleSquaredNorms(Buffer x, Buffer dy, Buffer squaredNorms) {
    MemorySegment in = CpuBuffer.segment(x);
    MemorySegment gradients = CpuBuffer.segment(dy);
    MemorySegment out = CpuBuffer.segment(squaredNorms);
    ConvolutionShape s = shape();
    long direct = (long) positions * s.patch() * s.outputChannels();
    long gram = GRAM_PENALTY * positions * positions * (s.patch() + (long) s.outputChannels());
    workers.run(
        s.batch(),
        Gemm.minimum(Math.min(direct, gram)),
        (from, to) -> {
          Scratch scratch = workers.scratch();
          Patches patches = new Patches(in, scratch);
          for (int j = from; j < to; j++) {
            double norm =
                direct <= gram
                    ? directNorm(scratch, patches, gradients, j)
                    : gramNorm(scratch, patches, gradients, j);
            out.setAtIndex(JAVA_FLOAT, j, (float) (out.getAtIndex(JAVA_FLOAT, j) + norm));
          }
        });
  }

  private double directNorm(Scratch scratch, Patches patches, MemorySegment dy, int example) {
    int outputs = shape().outputChannels();
    int depth = shape().patch();
    int columns = shape().bias() ? depth + 1 : depth;
    int rows = Gemm.padded(outputs);
    int blocks = Gemm.blocks(columns);
    int width = Math.min(columns, Gemm.COLUMNS);
    float[][] gradient = scratch.rows(Scratch.Use.RESULT, blocks * rows, width);
    Gemm.clear(gradient, 0, blocks * rows, width);
    for (int first = 0; first < positions; first += Gemm.DEPTH) {
      int count = Math.min(Gemm.DEPTH, positions - first);
      int row = example * positions + first;
      float[] left = Gemm.load(scratch, dy, row, count, outputs);
      for (int block = 0; block < blocks; block++) {
        int from = Gemm.bound(columns, blocks, block);
        int to = Gemm.bound(columns, blocks, block + 1);
        float[][] right = Gemm.withOnes(scratch, patches, row, count, depth, from, to);
        Gemm.accumulate(
            left, 1, rows, 0, outputs, count, right, 0, gradient, block * rows, to - from);
      }
    }
    float[] sums = scratch.array(Scratch.Use.SUMS, width);
    Arrays.fill(sums, 0, width, 0f);
    for (int block = 0; block < blocks; block++) {
      for (int o = 0; o < outputs; o++) {
        addSquares(gradient[block * rows + o], sums, width);
      }
    }
    double norm = 0;
    for (int k = 0; k < width; k++) {
      norm += sums[k];
    }
    return norm;
  }

  /** By column, because C2 vectorises this loop and not a sum over the row. */
  private static void addSquares(float[] row, float[] sums, int columns) {
    for (int k = 0; k < columns; k++) {
      sums[k] = Math.fma(row[k], row[k], sums[k]);
    }
  }

  private double gramNorm(Scratch scratch, Patches patches, MemorySegment dy, int example) {
    int outputs = shape().outputChannels();
    int patch = shape().patch();
    int first = example * positions;
    int rows = Gemm.padded(positions);
    // delta · deltaᵀ
    float[] left = Gemm.load(scratch, dy, first, positions, outputs);
    float[][] deltas = scratch.rows(Scratch.Use.GRAM, rows, positions);
    gram(scratch, left, outputs, deltas);
    // patch · patchᵀ
    int stride = Gemm.padded(patch);
    left = scratch.array(Scratch.Use.LEFT, rows * stride);
    for (int i = 0; i < positions; i++) {
      patches.copy(first + i, 0, patch, left, i * stride);
      Arrays.fill(left, i * stride + patch, (i + 1) * stride, 0f);
    }
    Arrays.fill(left, positions * stride, rows * stride, 0f);
    float[][] products = scratch.rows(Scratch.Use.RESULT, rows, positions);
    gram(scratch, left, patch, products);
    double one = shape().bias() ? 1 : 0;
    double norm = 0;
    for (int i = 0; i < positions; i++) {
      for (int j = 0; j < positions; j++) {
        norm += (double) deltas[i][j] * (products[i][j] + one);
      }
    }
    return Math.max(0, norm); // rounding can leave a gradient that cancels just below zero
  }

  /** result = left leftᵀ, left of {@code positions} rows. */
  private void gram(Scratch scratch, float[] left, int columns, float[][] result) {
    int stride = Gemm.padded(columns);
    float[][] right = scratch.rows(Scratch.Use.PATCHES, stride, positions);
    for (int i = 0; i < positions; i++) {
      for (int k = 0; k < stride; k++) {
        right[k][i] = left[i * stride + k];
      }
    }
    Gemm.clear(result, 0, Gemm.padded(positions), positions);
    Gemm.accumulate(left, stride, 1, 0, positions, columns, right, 0, result, 0, positions);
  }

  private int paddedRow() {
    return (shape().width() + 2 * shape().padding()) * shape().inputChannels();
  }

  private int paddedSize() {
    return (shape().height() + 2 * shape().padding()) * paddedRow();
  }

  /** Where the patch of an output position starts in the padded example. */
  private int patchStart(int position) {
    int row = position / shape().outputWidth();
    int column = position % shape().outputWidth();
    return row * shape().stride() * paddedRow()
        + column * shape().stride() * shape().inputChannels();
  }

  /** Byte offset of a row of an example in an input buffer. */
  private long rowOffset(int example, int row) {
    return 4L
        * ((long) example * shape().height() + row)
        * shape().width()
        * shape().inputChannels();
  }

  /** Where an unpadded row starts in the padded example. */
  private int paddedOffset(int row) {
    return (row + shape().padding()) * paddedRow() + shape().padding() * shape().inputChannels();
  }

  /** The rows of the patch matrix, for one thread. */
  private final class Patches implements Gemm.Source {
    private final MemorySegment x;
    private final float[] image;
    private final int rowLength = shape().width() * shape().inputChannels();
    private final int run = shape().kernel() * shape().inputChannels();
    private final int paddedRow = paddedRow();
    private int loaded = -1;

    Patches(MemorySegment x, Scratch scratch) {
      this.x = x;
      this.image = scratch.array(Scratch.Use.IMAGE, paddedSize());
      Arrays.fill(image, 0, paddedSize(), 0f); // the border stays zero
    }

    @Override
    public void copy(int row, int from, int to, float[] target, int at) {
      int example = row / positions;
      if (example != loaded) {
        for (int i = 0; i < shape().height(); i++) {
          MemorySegment.copy(
              x, JAVA_FLOAT, rowOffset(example, i), image, paddedOffset(i), rowLength);
        }
        loaded = example;
      }
      int source = patchStart(row - example * positions);
      for (int start = 0; start < to; start += run) {
        int begin = Math.max(start, from);
        int end = Math.min(start + run, to);
        if (begin < end) {
          System.arraycopy(image, source + begin - start, target, at + begin - from, end - begin);
        }
        source += paddedRow;
      }
    }
  }

  /** Adds the rows of a patch matrix to where they were cut from, for one thread. */
  private final class PatchSums implements Gemm.Sink {
    private final MemorySegment dx;
    private final float[] image;
    private final int run = shape().kernel() * shape().inputChannels();
    private final int paddedRow = paddedRow();
    private int current = -1;

    PatchSums(MemorySegment dx, Scratch scratch) {
      this.dx = dx;
      this.image = scratch.array(Scratch.Use.IMAGE, paddedSize());
    }

    @Override
    public void accept(int row, float[] values, int at) {
      int example = row / positions;
      if (example != current) {
        finish();
        Arrays.fill(image, 0, paddedSize(), 0f);
        current = example;
      }
      int target = patchStart(row - example * positions);
      for (int start = 0; start < shape().patch(); start += run) {
        add(values, at + start, image, target, run);
        target += paddedRow;
      }
    }

    @Override
    public void finish() {
      if (current >= 0) {
        int rowLength = shape().width() * shape().inputChannels();
        for (int i = 0; i < shape().height(); i++) {
          MemorySegment.copy(
              image, paddedOffset(i), dx, JAVA_FLOAT, rowOffset(current, i), rowLength);
        }
      }
    }
  }

  private static void add(float[] source, int from, float[] target, int at, int count) {
    for (int i = 0; i < count; i++) {
      target[at + i] += source[from + i];
    }
  }

  @Override
  public void close() {
    // Nothing native is held.
  }
}
