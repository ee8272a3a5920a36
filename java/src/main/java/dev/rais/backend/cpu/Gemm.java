package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Function;

/**
 * Single-precision matrix products in Java.
 *
 * <p>The one kernel, {@link #tile}, adds a 4-by-4 piece of A times four rows of B to four rows of
 * C. Every row is a {@code float[]} of its own, used from index 0: C2 turns such a loop into fused
 * multiply-adds on the widest vectors of the machine. It does not do so for rows inside one array
 * (they might overlap), for a loop that starts at a variable index, or for several memory segments;
 * each costs a factor of four. Operands are therefore copied into rows first, in blocks of columns,
 * and padded to a multiple of four with zeros so that no other kernel is needed.
 *
 * <p>Each element of a product is summed by one thread in the order of the summed dimension, so
 * results do not depend on the number of threads.
 */
final class Gemm {
  /** Rows of C, and rows of B, that the kernel works on at once. */
  private static final int TILE = 4;

  /** Columns of a block: four rows of B and four of C, 16 KB, stay in the first-level cache. */
  static final int COLUMNS = 512;

  /** Rows of B swept at once: with {@link #COLUMNS}, half a megabyte of the second-level cache. */
  static final int DEPTH = 256;

  /** Rows of A prepared at once. */
  private static final int ROWS = 64;

  /** Columns that are worth a thread of their own. */
  private static final int MINIMUM_COLUMNS = 64;

  /** Multiply-adds below which a second thread does not pay. */
  private static final long MINIMUM_WORK = 1 << 18;

  private Gemm() {}

  /** The rows of a matrix that is made row by row, such as the patches under a convolution. */
  interface Source {
    /** Writes columns [from, to) of a row to {@code target[at ..]}. */
    void copy(int row, int from, int to, float[] target, int at);
  }

  /** Takes the rows of a product one by one, in order. */
  interface Sink {
    /** The row's values start at {@code values[at]}. */
    void accept(int row, float[] values, int at);

    /** Called after the last row. */
    void finish();
  }

  /** The next multiple of four. */
  static int padded(int count) {
    return (count + TILE - 1) / TILE * TILE;
  }

  /** Number of blocks for so many columns. */
  static int blocks(int columns) {
    return (columns + COLUMNS - 1) / COLUMNS;
  }

  /** First column of a block; blocks are equal, since a block of a few columns would be slow. */
  static int bound(int columns, int blocks, int block) {
    return (int) ((long) columns * block / blocks);
  }

  /** Pieces of a loop, each of {@code work} multiply-adds, that are worth a thread. */
  static int minimum(long work) {
    return (int) Math.max(1, MINIMUM_WORK / Math.max(1, work));
  }

  /**
   * c[cRow + i][j] += Σ_k a(i, k) b[bRow + k][j] for i in [fromRow, toRow), j in [0, columns), k in
   * [0, depth), with a(i, k) = {@code a[i · rowStride + k · depthStride]}.
   *
   * <p>Rows and depth are rounded up to a multiple of four: a and b are zero where k ≥ depth, and c
   * has rows to spare; {@code fromRow} is a multiple of four.
   */
  static void accumulate(
      float[] a,
      int rowStride,
      int depthStride,
      int fromRow,
      int toRow,
      int depth,
      float[][] b,
      int bRow,
      float[][] c,
      int cRow,
      int columns) {
    for (int block = 0; block < depth; block += DEPTH) {
      int limit = Math.min(block + DEPTH, depth);
      for (int i = fromRow; i < toRow; i += TILE) {
        int row = cRow + i;
        for (int k = block; k < limit; k += TILE) {
          int at = i * rowStride + k * depthStride;
          int from = bRow + k;
          tile(
              a,
              at,
              rowStride,
              depthStride,
              b[from],
              b[from + 1],
              b[from + 2],
              b[from + 3],
              c[row],
              c[row + 1],
              c[row + 2],
              c[row + 3],
              columns);
        }
      }
    }
  }

  private static void tile(
      float[] a,
      int at,
      int rowStride,
      int depthStride,
      float[] b0,
      float[] b1,
      float[] b2,
      float[] b3,
      float[] c0,
      float[] c1,
      float[] c2,
      float[] c3,
      int columns) {
    int k1 = depthStride;
    int k2 = 2 * depthStride;
    int k3 = 3 * depthStride;
    float a00 = a[at];
    float a01 = a[at + k1];
    float a02 = a[at + k2];
    float a03 = a[at + k3];
    at += rowStride;
    float a10 = a[at];
    float a11 = a[at + k1];
    float a12 = a[at + k2];
    float a13 = a[at + k3];
    at += rowStride;
    float a20 = a[at];
    float a21 = a[at + k1];
    float a22 = a[at + k2];
    float a23 = a[at + k3];
    at += rowStride;
    float a30 = a[at];
    float a31 = a[at + k1];
    float a32 = a[at + k2];
    float a33 = a[at + k3];
    for (int j = 0; j < columns; j++) {
      float x0 = b0[j];
      float x1 = b1[j];
      float x2 = b2[j];
      float x3 = b3[j];
      c0[j] = Math.fma(a03, x3, Math.fma(a02, x2, Math.fma(a01, x1, Math.fma(a00, x0, c0[j]))));
      c1[j] = Math.fma(a13, x3, Math.fma(a12, x2, Math.fma(a11, x1, Math.fma(a10, x0, c1[j]))));
      c2[j] = Math.fma(a23, x3, Math.fma(a22, x2, Math.fma(a21, x1, Math.fma(a20, x0, c2[j]))));
      c3[j] = Math.fma(a33, x3, Math.fma(a32, x2, Math.fma(a31, x1, Math.fma(a30, x0, c3[j]))));
    }
  }

  /**
   * y = p wᵀ + b: y {@code [rows, outputs]}, p {@code [rows, depth]}, w {@code [outputs, depth]}.
   *
   * @param p opens the rows of p for one thread
   * @param b null for none
   */
  static void timesTransposed(
      Workers workers,
      Function<Scratch, Source> p,
      int rows,
      int depth,
      int outputs,
      MemorySegment w,
      MemorySegment b,
      MemorySegment y) {
    int blocks = blocks(outputs);
    float[][] panel = transpose(workers, w, outputs, depth);
    float[] bias = b == null ? new float[outputs] : b.toArray(JAVA_FLOAT);
    int stride = padded(depth);
    workers.run(
        rows,
        minimum((long) depth * outputs),
        (from, to) -> {
          Scratch scratch = workers.scratch();
          Source source = p.apply(scratch);
          float[] left = scratch.array(Scratch.Use.LEFT, ROWS * stride);
          float[][] result = scratch.rows(Scratch.Use.RESULT, ROWS, Math.min(outputs, COLUMNS));
          float[] dense = scratch.array(Scratch.Use.TRANSFER, ROWS * outputs);
          for (int first = from; first < to; first += ROWS) {
            int count = Math.min(ROWS, to - first);
            for (int i = 0; i < count; i++) {
              source.copy(first + i, 0, depth, left, i * stride);
              Arrays.fill(left, i * stride + depth, (i + 1) * stride, 0f);
            }
            Arrays.fill(left, count * stride, padded(count) * stride, 0f);
            for (int block = 0; block < blocks; block++) {
              int begin = bound(outputs, blocks, block);
              int columns = bound(outputs, blocks, block + 1) - begin;
              for (int i = 0; i < count; i++) {
                System.arraycopy(bias, begin, result[i], 0, columns);
              }
              int bRow = block * stride;
              accumulate(left, stride, 1, 0, count, depth, panel, bRow, result, 0, columns);
              for (int i = 0; i < count; i++) {
                System.arraycopy(result[i], 0, dense, i * outputs + begin, columns);
              }
            }
            MemorySegment.copy(dense, 0, y, JAVA_FLOAT, 4L * first * outputs, count * outputs);
          }
        });
  }

  /**
   * p = dy w: dy {@code [groups · groupRows, outputs]}, w {@code [outputs, depth]}, the rows of p
   * handed to a sink. All rows of a group go to the same sink.
   *
   * @param p opens the sink of one thread
   */
  static void times(
      Workers workers,
      MemorySegment dy,
      int groups,
      int groupRows,
      int outputs,
      int depth,
      MemorySegment w,
      Function<Scratch, Sink> p) {
    int blocks = blocks(depth);
    int stride = padded(outputs);
    float[][] panel = split(workers, w, outputs, depth);
    workers.run(
        groups,
        minimum((long) groupRows * depth * outputs),
        (fromGroup, toGroup) -> {
          Scratch scratch = workers.scratch();
          Sink sink = p.apply(scratch);
          float[][] result = scratch.rows(Scratch.Use.RESULT, ROWS, Math.min(depth, COLUMNS));
          int to = toGroup * groupRows;
          for (int first = fromGroup * groupRows; first < to; first += ROWS) {
            int count = Math.min(ROWS, to - first);
            float[] left = load(scratch, dy, first, count, outputs);
            float[] dense = scratch.array(Scratch.Use.TRANSFER, ROWS * depth);
            for (int block = 0; block < blocks; block++) {
              int begin = bound(depth, blocks, block);
              int columns = bound(depth, blocks, block + 1) - begin;
              clear(result, 0, padded(count), columns);
              int bRow = block * stride;
              accumulate(left, stride, 1, 0, count, outputs, panel, bRow, result, 0, columns);
              for (int i = 0; i < count; i++) {
                System.arraycopy(result[i], 0, dense, i * depth + begin, columns);
              }
            }
            for (int i = 0; i < count; i++) {
              sink.accept(first + i, dense, i * depth);
            }
          }
          sink.finish();
        });
  }

  /**
   * dw = dyᵀ p and db = column sums of dy: dy {@code [rows, outputs]}, p {@code [rows, depth]}, dw
   * {@code [outputs, depth]}.
   *
   * @param p opens the rows of p for one thread
   * @param db null if not wanted
   */
  static void transposedTimes(
      Workers workers,
      MemorySegment dy,
      Function<Scratch, Source> p,
      int rows,
      int outputs,
      int depth,
      MemorySegment dw,
      MemorySegment db) {
    // Threads share out the columns, since each then prepares only its own columns of p; where the
    // columns are too few, the rows as well.
    int threads = workers.threads();
    int rounded = (blocks(depth + 1) + threads - 1) / threads * threads;
    int blocks = Math.clamp(depth / MINIMUM_COLUMNS, 1, rounded);
    int stride = padded(outputs);
    int parts = Math.clamp((threads + blocks - 1) / blocks, 1, stride / TILE);
    int width = (depth + blocks) / blocks; // of depth + 1 columns, rounded up
    float[][] result = workers.scratch().rows(Scratch.Use.SHARED_RESULT, blocks * stride, width);
    workers.run(
        blocks * parts,
        minimum((long) rows * outputs * depth / (blocks * parts)),
        (firstPiece, lastPiece) -> {
          Scratch scratch = workers.scratch();
          for (int piece = firstPiece; piece < lastPiece; piece++) {
            Source source = p.apply(scratch);
            int block = piece / parts;
            int fromOutput = bound(stride / TILE, parts, piece % parts) * TILE;
            int toOutput = bound(stride / TILE, parts, piece % parts + 1) * TILE;
            int begin = bound(depth + 1, blocks, block);
            int end = bound(depth + 1, blocks, block + 1);
            int cRow = block * stride;
            clear(result, cRow + fromOutput, cRow + toOutput, end - begin);
            for (int first = 0; first < rows; first += DEPTH) {
              int count = Math.min(DEPTH, rows - first);
              float[] left = load(scratch, dy, first, count, outputs);
              float[][] right = withOnes(scratch, source, first, count, depth, begin, end);
              accumulate(
                  left,
                  1,
                  stride,
                  fromOutput,
                  toOutput,
                  count,
                  right,
                  0,
                  result,
                  cRow,
                  end - begin);
            }
          }
        });
    for (int block = 0; block < blocks; block++) {
      int begin = bound(depth + 1, blocks, block);
      int end = Math.min(depth, bound(depth + 1, blocks, block + 1));
      for (int o = 0; o < outputs; o++) {
        float[] row = result[block * stride + o];
        MemorySegment.copy(row, 0, dw, JAVA_FLOAT, 4 * ((long) o * depth + begin), end - begin);
        if (db != null && block == blocks - 1) {
          db.setAtIndex(JAVA_FLOAT, o, row[depth - begin]);
        }
      }
    }
  }

  /**
   * Columns [from, to) of {@code count} rows of [p 1] as a product's second operand: the column of
   * ones, at {@code depth}, sums the bias gradient.
   */
  static float[][] withOnes(
      Scratch scratch, Source p, int first, int count, int depth, int from, int to) {
    float[][] right = scratch.rows(Scratch.Use.PATCHES, padded(count), to - from);
    for (int i = 0; i < count; i++) {
      p.copy(first + i, from, Math.min(to, depth), right[i], 0);
      if (to > depth) {
        right[i][depth - from] = 1f;
      }
    }
    clear(right, count, padded(count), to - from);
    return right;
  }

  /** Rows of a matrix as a product's first operand: row stride padded(columns), the rest zero. */
  static float[] load(Scratch scratch, MemorySegment matrix, int first, int count, int columns) {
    int stride = padded(columns);
    long offset = 4L * first * columns;
    float[] left = scratch.array(Scratch.Use.LEFT, padded(count) * stride);
    if (stride == columns) {
      MemorySegment.copy(matrix, JAVA_FLOAT, offset, left, 0, count * columns);
    } else {
      float[] dense = scratch.array(Scratch.Use.TRANSFER, count * columns);
      MemorySegment.copy(matrix, JAVA_FLOAT, offset, dense, 0, count * columns);
      for (int i = 0; i < count; i++) {
        System.arraycopy(dense, i * columns, left, i * stride, columns);
        Arrays.fill(left, i * stride + columns, (i + 1) * stride, 0f);
      }
    }
    Arrays.fill(left, count * stride, padded(count) * stride, 0f);
    return left;
  }

  /** The transposed matrix in blocks of its columns, each of padded(columns) rows. */
  private static float[][] transpose(Workers workers, MemorySegment matrix, int rows, int columns) {
    int blocks = blocks(rows);
    int stride = padded(columns);
    float[][] panel =
        workers.scratch().rows(Scratch.Use.WEIGHTS, blocks * stride, Math.min(rows, COLUMNS));
    int cacheLine = 16; // floats of each target row written in one go
    for (int block = 0; block < blocks; block++) {
      int begin = bound(rows, blocks, block);
      int width = bound(rows, blocks, block + 1) - begin;
      int bRow = block * stride;
      workers.run(
          (width + cacheLine - 1) / cacheLine,
          minimum((long) cacheLine * columns),
          (from, to) -> {
            float[] dense = workers.scratch().array(Scratch.Use.TRANSFER, cacheLine * columns);
            for (int i = from * cacheLine; i < Math.min(width, to * cacheLine); i += cacheLine) {
              int count = Math.min(cacheLine, width - i);
              long offset = 4L * (begin + i) * columns;
              MemorySegment.copy(matrix, JAVA_FLOAT, offset, dense, 0, count * columns);
              for (int j = 0; j < columns; j++) {
                float[] row = panel[bRow + j];
                for (int k = 0; k < count; k++) {
                  row[i + k] = dense[k * columns + j];
                }
              }
            }
          });
      clear(panel, bRow + columns, bRow + stride, width);
    }
    return panel;
  }

  /** The matrix in blocks of its columns, each of padded(rows) rows. */
  private static float[][] split(Workers workers, MemorySegment matrix, int rows, int columns) {
    int blocks = blocks(columns);
    int stride = padded(rows);
    float[][] panel =
        workers.scratch().rows(Scratch.Use.WEIGHTS, blocks * stride, Math.min(columns, COLUMNS));
    for (int block = 0; block < blocks; block++) {
      int begin = bound(columns, blocks, block);
      int width = bound(columns, blocks, block + 1) - begin;
      for (int i = 0; i < rows; i++) {
        long offset = 4 * ((long) i * columns + begin);
        MemorySegment.copy(matrix, JAVA_FLOAT, offset, panel[block * stride + i], 0, width);
      }
      clear(panel, block * stride + rows, (block + 1) * stride, width);
    }
    return panel;
  }

  static void clear(float[][] rows, int fromRow, int toRow, int columns) {
    for (int i = fromRow; i < toRow; i++) {
      Arrays.fill(rows[i], 0, columns, 0f);
    }
  }
}
