package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;

/** With {@link BatchNormLoops}: for all shapes, on every JVM. */
final class ArrayBatchNormPasses extends BatchNormPasses {
  /** Values of a row: the arrays that a loop works on stay in the first-level cache together. */
  private static final int WIDTH = 512;

  /** Rows summed in sequence. */
  private static final int DEPTH = 64;

  ArrayBatchNormPasses(BatchNormShape shape) {
    this(shape, BatchNormRows.of(shape, WIDTH, 1, DEPTH));
  }

  private ArrayBatchNormPasses(BatchNormShape shape, BatchNormRows rows) {
    super(shape, rows, rows.width());
  }

  private float[] cleared(float[] values) {
    Arrays.fill(values, 0, repeated, 0f);
    return values;
  }

  /** Whether a row of a range is the last of those summed in sequence. */
  private static boolean endsRun(int row, int from, int to) {
    return (row + 1 - from) % DEPTH == 0 || row + 1 == to;
  }

  @Override
  void moments(MemorySegment x, double[] weights, int from, int to, float[][] arrays) {
    float[] sums = cleared(arrays[0]);
    float[] allSquares = cleared(arrays[1]);
    float[] sum = cleared(arrays[2]);
    float[] squares = cleared(arrays[3]);
    FloatBuffer values = rows.view(x, from, to);
    long base = rows.start(from);
    for (int row = from; row < to; row++) {
      float weight = (float) weights[rows.example(row)];
      int at = (int) (rows.start(row) - base);
      BatchNormLoops.moments(values, at, weight, mean, sum, squares, rows.length(row));
      if (endsRun(row, from, to)) {
        BatchNormLoops.flush(sum, sums, repeated);
        BatchNormLoops.flush(squares, allSquares, repeated);
      }
    }
  }

  @Override
  void normalise(
      MemorySegment x,
      MemorySegment residual,
      MemorySegment y,
      int from,
      int to,
      float[][] arrays) {
    float[] result = arrays[0];
    FloatBuffer values = rows.view(x, from, to);
    FloatBuffer residuals = residual == null ? null : rows.view(residual, from, to);
    long base = rows.start(from);
    for (int row = from; row < to; row++) {
      int at = (int) (rows.start(row) - base);
      int n = rows.length(row);
      switch (fusion) {
        case NONE -> BatchNormLoops.affine(values, at, scale, offset, result, n);
        case RELU -> BatchNormLoops.affineRelu(values, at, scale, offset, result, n);
        case ADD_RELU ->
            BatchNormLoops.affineAddRelu(values, residuals, at, scale, offset, result, n);
      }
      MemorySegment.copy(result, 0, y, JAVA_FLOAT, (base + at) * Float.BYTES, n);
    }
  }

  @Override
  void reduce(Gradients of, int from, int to, float[][] arrays) {
    float[] sums = cleared(arrays[0]);
    float[] allProducts = cleared(arrays[1]);
    float[] sum = cleared(arrays[2]);
    float[] products = cleared(arrays[3]);
    float[] delta = arrays[4];
    FloatBuffer x = rows.view(of.x, from, to);
    FloatBuffer dy = rows.view(of.dy, from, to);
    IntBuffer y = fusion == Fusion.ADD_RELU ? rows.bits(of.y, from, to) : null;
    long base = rows.start(from);
    for (int row = from; row < to; row++) {
      int at = (int) (rows.start(row) - base);
      int n = rows.length(row);
      switch (fusion) {
        case NONE -> BatchNormLoops.reduce(x, dy, at, mean, sum, products, n);
        case RELU ->
            BatchNormLoops.reduceBehindRelu(x, dy, at, scale, offset, mean, sum, products, n);
        case ADD_RELU -> {
          BatchNormLoops.throughRelu(y, dy, at, delta, n);
          MemorySegment.copy(delta, 0, of.dresidual, JAVA_FLOAT, (base + at) * Float.BYTES, n);
          BatchNormLoops.reduce(x, at, delta, mean, sum, products, n);
        }
      }
      if (endsRun(row, from, to)) {
        BatchNormLoops.flush(sum, sums, repeated);
        BatchNormLoops.flush(products, allProducts, repeated);
      }
    }
  }

  @Override
  void differentiate(Gradients of, double[] weights, int from, int to, float[][] arrays) {
    float[] result = arrays[0];
    FloatBuffer x = rows.view(of.x, from, to);
    FloatBuffer source = rows.view(of.source(), from, to);
    long base = rows.start(from);
    for (int row = from; row < to; row++) {
      int at = (int) (rows.start(row) - base);
      int n = rows.length(row);
      float w = (float) weights[rows.example(row)];
      if (fusion == Fusion.RELU) {
        BatchNormLoops.gradientBehindRelu(x, source, at, w, scale, offset, slope, shift, result, n);
      } else {
        BatchNormLoops.gradient(x, source, at, w, scale, slope, shift, result, n);
      }
      MemorySegment.copy(result, 0, of.dx, JAVA_FLOAT, (base + at) * Float.BYTES, n);
    }
  }

  @Override
  void scale(Gradients of, int from, int to, float[][] arrays) {
    float[] delta = arrays[4];
    FloatBuffer x = rows.view(of.x, from, to);
    FloatBuffer source = rows.view(of.source(), from, to);
    long base = rows.start(from);
    for (int row = from; row < to; row++) {
      int at = (int) (rows.start(row) - base);
      int n = rows.length(row);
      if (fusion == Fusion.RELU) {
        BatchNormLoops.throughRelu(x, source, at, scale, offset, delta, n);
      } else {
        source.get(at, delta, 0, n);
      }
      BatchNormLoops.scale(delta, scale, n);
      MemorySegment.copy(delta, 0, of.dx, JAVA_FLOAT, (base + at) * Float.BYTES, n);
    }
  }
}
