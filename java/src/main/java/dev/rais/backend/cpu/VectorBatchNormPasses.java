package dev.rais.backend.cpu;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * With {@link VectorBatchNormLoops}, for shapes whose rows can be cut into columns: positions side
 * by side until their channels fill a line. Touch this class only where {@link VectorLoops} are
 * used: without the incubator module it cannot be linked.
 */
final class VectorBatchNormPasses extends BatchNormPasses {
  /** Lines of a row: as many floats are summed in sequence. */
  private static final int LINES = 32;

  /** Rows whose sums are, before they are added to those of others. */
  private static final int ROWS = 8;

  /** Values that a core's own cache holds some part of. */
  private static final int MOST_IN_CACHE = 1 << 20;

  VectorBatchNormPasses(BatchNormShape shape) {
    this(shape, positions(shape));
  }

  private VectorBatchNormPasses(BatchNormShape shape, int together) {
    super(
        shape,
        BatchNormRows.of(shape, LINES * shape.channels() * together, together, 1),
        shape.channels() * together);
  }

  /** Positions of a line: the least whose channels fill whole columns. */
  private static int positions(BatchNormShape shape) {
    int positions = 1;
    while ((long) positions * shape.channels() % VectorBatchNormLoops.COLUMN != 0) {
      positions++;
    }
    return positions;
  }

  /**
   * Whether whole lines make up an example of this shape, and columns are the better way: where
   * they are a part of a line, and the values come from memory, going along the lines is faster.
   */
  static boolean takes(BatchNormShape shape) {
    boolean along = shape.channels() > VectorBatchNormLoops.COLUMN && shape.count() > MOST_IN_CACHE;
    return !along && shape.positions() % positions(shape) == 0;
  }

  /** Work on one column of one row. */
  private interface Column {
    /**
     * Does it.
     *
     * @param at where the row starts, in bytes
     * @param c the column's first float
     */
    void run(int row, long at, int lines, int c);
  }

  private void eachColumn(int from, int to, Column work) {
    for (int row = from; row < to; row++) {
      long at = rows.start(row) * Float.BYTES;
      int lines = rows.length(row) / repeated;
      for (int c = 0; c < repeated; c += VectorBatchNormLoops.COLUMN) {
        work.run(row, at, lines, c);
      }
    }
  }

  /** The same for work that adds to arrays 2 and 3, whose sums arrays 0 and 1 become. */
  private void sumColumns(int from, int to, float[][] arrays, Column work) {
    for (int i = 0; i < 4; i++) {
      cleared(arrays[i]);
    }
    for (int row = from; row < to; row += ROWS) {
      eachColumn(row, Math.min(row + ROWS, to), work);
      BatchNormLoops.flush(arrays[2], arrays[0], repeated);
      BatchNormLoops.flush(arrays[3], arrays[1], repeated);
    }
  }

  private float[] cleared(float[] values) {
    Arrays.fill(values, 0, repeated, 0f);
    return values;
  }

  @Override
  void moments(MemorySegment x, double[] weights, int from, int to, float[][] arrays) {
    long values = x.address();
    float[] sums = arrays[2];
    float[] squares = arrays[3];
    sumColumns(
        from,
        to,
        arrays,
        (row, at, lines, c) -> {
          float w = (float) weights[rows.example(row)];
          VectorBatchNormLoops.moments(values, w, mean, sums, squares, at, lines, repeated, c);
        });
  }

  @Override
  void normalise(
      MemorySegment x,
      MemorySegment residual,
      MemorySegment y,
      int from,
      int to,
      float[][] arrays) {
    long in = x.address();
    long out = y.address();
    eachColumn(
        from,
        to,
        switch (fusion) {
          case NONE ->
              (row, at, lines, c) ->
                  VectorBatchNormLoops.affine(in, scale, offset, out, at, lines, repeated, c);
          case RELU ->
              (row, at, lines, c) ->
                  VectorBatchNormLoops.affineRelu(in, scale, offset, out, at, lines, repeated, c);
          case ADD_RELU ->
              (row, at, lines, c) ->
                  VectorBatchNormLoops.affineAddRelu(
                      in, residual.address(), scale, offset, out, at, lines, repeated, c);
        });
  }

  @Override
  void reduce(Gradients of, int from, int to, float[][] arrays) {
    long x = of.x.address();
    long dy = of.dy.address();
    float[] sums = arrays[2];
    float[] products = arrays[3];
    sumColumns(
        from,
        to,
        arrays,
        switch (fusion) {
          case NONE ->
              (row, at, lines, c) ->
                  VectorBatchNormLoops.reduce(x, dy, mean, sums, products, at, lines, repeated, c);
          case RELU ->
              (row, at, lines, c) ->
                  VectorBatchNormLoops.reduceBehindRelu(
                      x, dy, scale, offset, mean, sums, products, at, lines, repeated, c);
          case ADD_RELU ->
              (row, at, lines, c) ->
                  VectorBatchNormLoops.reduceBehindAdd(
                      x,
                      of.y.address(),
                      dy,
                      mean,
                      of.dresidual.address(),
                      sums,
                      products,
                      at,
                      lines,
                      repeated,
                      c);
        });
  }

  @Override
  void differentiate(Gradients of, double[] weights, int from, int to, float[][] arrays) {
    gradient(of, weights, slope, shift, from, to);
  }

  @Override
  void scale(Gradients of, int from, int to, float[][] arrays) {
    float[] none = cleared(arrays[0]);
    gradient(of, null, none, none, from, to);
  }

  /** dx = scale δ + ω (slope x + shift), with ω = 1 for no weights. */
  private void gradient(
      Gradients of, double[] weights, float[] slope, float[] shift, int from, int to) {
    long x = of.x.address();
    long source = of.source().address();
    long dx = of.dx.address();
    boolean rectified = fusion == Fusion.RELU;
    eachColumn(
        from,
        to,
        (row, at, lines, c) -> {
          float w = weights == null ? 1f : (float) weights[rows.example(row)];
          if (rectified) {
            VectorBatchNormLoops.gradientBehindRelu(
                x, source, w, scale, offset, slope, shift, dx, at, lines, repeated, c);
          } else {
            VectorBatchNormLoops.gradient(
                x, source, w, scale, slope, shift, dx, at, lines, repeated, c);
          }
        });
  }
}
