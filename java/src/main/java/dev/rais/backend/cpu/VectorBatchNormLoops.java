package dev.rais.backend.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The inner loops of {@link VectorBatchNormPasses}, each down a column of {@link #COLUMN} floats,
 * {@code lines} long: what is per channel, and sums, stay in registers. All take addresses of
 * activations, where in them the row starts, in bytes, how many floats a line has, and the column's
 * first.
 *
 * <p>Written out vector by vector, as C2 keeps no array of vectors in registers.
 */
final class VectorBatchNormLoops {
  private static final int LANES = VectorMemory.LANES;

  /** Bytes of a vector. */
  private static final long VECTOR = (long) LANES * Float.BYTES;

  /** Floats of a column: whole lines of the cache. */
  static final int COLUMN = 4 * LANES;

  /** Lines that two halves of a column share while they are in the first-level cache. */
  private static final int LINES = 8;

  private VectorBatchNormLoops() {}

  private static FloatVector load(long values, long at) {
    return VectorMemory.load(values + at);
  }

  private static FloatVector load(float[] values, int at) {
    return FloatVector.fromArray(VectorMemory.FLOATS, values, at);
  }

  private static void store(FloatVector vector, long values, long at) {
    VectorMemory.store(vector, values + at);
  }

  private static FloatVector zero() {
    return FloatVector.zero(VectorMemory.FLOATS);
  }

  /** total += factor · sum. */
  private static void add(FloatVector sum, float factor, float[] total, int at) {
    sum.fma(FloatVector.broadcast(VectorMemory.FLOATS, factor), load(total, at))
        .intoArray(total, at);
  }

  /** max(x, 0), and NaN of NaN. */
  private static FloatVector rectified(FloatVector x) {
    return x.blend(0f, x.compare(VectorOperators.LT, 0f));
  }

  /** delta where y > 0, else 0. */
  private static FloatVector passed(FloatVector delta, FloatVector y) {
    return delta.blend(0f, y.compare(VectorOperators.LE, 0f));
  }

  /** sums += w · (x − mean), squares += w · (x − mean)². */
  static void moments(
      long x,
      float w,
      float[] mean,
      float[] sums,
      float[] squares,
      long start,
      int lines,
      int stride,
      int c) {
    FloatVector mean0 = load(mean, c);
    FloatVector mean1 = load(mean, c + LANES);
    FloatVector mean2 = load(mean, c + 2 * LANES);
    FloatVector mean3 = load(mean, c + 3 * LANES);
    FloatVector sum0 = zero();
    FloatVector sum1 = zero();
    FloatVector sum2 = zero();
    FloatVector sum3 = zero();
    FloatVector square0 = zero();
    FloatVector square1 = zero();
    FloatVector square2 = zero();
    FloatVector square3 = zero();
    for (int i = 0; i < lines; i++) {
      long at = start + ((long) i * stride + c) * Float.BYTES;
      FloatVector x0 = load(x, at).sub(mean0);
      FloatVector x1 = load(x, at + VECTOR).sub(mean1);
      FloatVector x2 = load(x, at + 2 * VECTOR).sub(mean2);
      FloatVector x3 = load(x, at + 3 * VECTOR).sub(mean3);
      sum0 = sum0.add(x0);
      sum1 = sum1.add(x1);
      sum2 = sum2.add(x2);
      sum3 = sum3.add(x3);
      square0 = x0.fma(x0, square0);
      square1 = x1.fma(x1, square1);
      square2 = x2.fma(x2, square2);
      square3 = x3.fma(x3, square3);
    }
    add(sum0, w, sums, c);
    add(sum1, w, sums, c + LANES);
    add(sum2, w, sums, c + 2 * LANES);
    add(sum3, w, sums, c + 3 * LANES);
    add(square0, w, squares, c);
    add(square1, w, squares, c + LANES);
    add(square2, w, squares, c + 2 * LANES);
    add(square3, w, squares, c + 3 * LANES);
  }

  /** y = scale · x + offset. */
  static void affine(
      long x, float[] scale, float[] offset, long y, long start, int lines, int stride, int c) {
    FloatVector scale0 = load(scale, c);
    FloatVector scale1 = load(scale, c + LANES);
    FloatVector scale2 = load(scale, c + 2 * LANES);
    FloatVector scale3 = load(scale, c + 3 * LANES);
    FloatVector offset0 = load(offset, c);
    FloatVector offset1 = load(offset, c + LANES);
    FloatVector offset2 = load(offset, c + 2 * LANES);
    FloatVector offset3 = load(offset, c + 3 * LANES);
    for (int i = 0; i < lines; i++) {
      long at = start + ((long) i * stride + c) * Float.BYTES;
      store(load(x, at).fma(scale0, offset0), y, at);
      store(load(x, at + VECTOR).fma(scale1, offset1), y, at + VECTOR);
      store(load(x, at + 2 * VECTOR).fma(scale2, offset2), y, at + 2 * VECTOR);
      store(load(x, at + 3 * VECTOR).fma(scale3, offset3), y, at + 3 * VECTOR);
    }
  }

  /** y = max(scale · x + offset, 0). */
  static void affineRelu(
      long x, float[] scale, float[] offset, long y, long start, int lines, int stride, int c) {
    FloatVector scale0 = load(scale, c);
    FloatVector scale1 = load(scale, c + LANES);
    FloatVector scale2 = load(scale, c + 2 * LANES);
    FloatVector scale3 = load(scale, c + 3 * LANES);
    FloatVector offset0 = load(offset, c);
    FloatVector offset1 = load(offset, c + LANES);
    FloatVector offset2 = load(offset, c + 2 * LANES);
    FloatVector offset3 = load(offset, c + 3 * LANES);
    for (int i = 0; i < lines; i++) {
      long at = start + ((long) i * stride + c) * Float.BYTES;
      store(rectified(load(x, at).fma(scale0, offset0)), y, at);
      store(rectified(load(x, at + VECTOR).fma(scale1, offset1)), y, at + VECTOR);
      store(rectified(load(x, at + 2 * VECTOR).fma(scale2, offset2)), y, at + 2 * VECTOR);
      store(rectified(load(x, at + 3 * VECTOR).fma(scale3, offset3)), y, at + 3 * VECTOR);
    }
  }

  /** y = max(scale · x + offset + residual, 0). */
  static void affineAddRelu(
      long x,
      long residual,
      float[] scale,
      float[] offset,
      long y,
      long start,
      int lines,
      int stride,
      int c) {
    FloatVector scale0 = load(scale, c);
    FloatVector scale1 = load(scale, c + LANES);
    FloatVector scale2 = load(scale, c + 2 * LANES);
    FloatVector scale3 = load(scale, c + 3 * LANES);
    FloatVector offset0 = load(offset, c);
    FloatVector offset1 = load(offset, c + LANES);
    FloatVector offset2 = load(offset, c + 2 * LANES);
    FloatVector offset3 = load(offset, c + 3 * LANES);
    for (int i = 0; i < lines; i++) {
      long at = start + ((long) i * stride + c) * Float.BYTES;
      FloatVector y0 = load(x, at).fma(scale0, offset0).add(load(residual, at));
      FloatVector y1 = load(x, at + VECTOR).fma(scale1, offset1).add(load(residual, at + VECTOR));
      FloatVector y2 =
          load(x, at + 2 * VECTOR).fma(scale2, offset2).add(load(residual, at + 2 * VECTOR));
      FloatVector y3 =
          load(x, at + 3 * VECTOR).fma(scale3, offset3).add(load(residual, at + 3 * VECTOR));
      store(rectified(y0), y, at);
      store(rectified(y1), y, at + VECTOR);
      store(rectified(y2), y, at + 2 * VECTOR);
      store(rectified(y3), y, at + 3 * VECTOR);
    }
  }

  /** sums += delta, products += delta · (x − mean). */
  static void reduce(
      long x,
      long delta,
      float[] mean,
      float[] sums,
      float[] products,
      long start,
      int lines,
      int stride,
      int c) {
    FloatVector mean0 = load(mean, c);
    FloatVector mean1 = load(mean, c + LANES);
    FloatVector mean2 = load(mean, c + 2 * LANES);
    FloatVector mean3 = load(mean, c + 3 * LANES);
    FloatVector sum0 = zero();
    FloatVector sum1 = zero();
    FloatVector sum2 = zero();
    FloatVector sum3 = zero();
    FloatVector product0 = zero();
    FloatVector product1 = zero();
    FloatVector product2 = zero();
    FloatVector product3 = zero();
    for (int i = 0; i < lines; i++) {
      long at = start + ((long) i * stride + c) * Float.BYTES;
      FloatVector delta0 = load(delta, at);
      FloatVector delta1 = load(delta, at + VECTOR);
      FloatVector delta2 = load(delta, at + 2 * VECTOR);
      FloatVector delta3 = load(delta, at + 3 * VECTOR);
      sum0 = sum0.add(delta0);
      sum1 = sum1.add(delta1);
      sum2 = sum2.add(delta2);
      sum3 = sum3.add(delta3);
      product0 = load(x, at).sub(mean0).fma(delta0, product0);
      product1 = load(x, at + VECTOR).sub(mean1).fma(delta1, product1);
      product2 = load(x, at + 2 * VECTOR).sub(mean2).fma(delta2, product2);
      product3 = load(x, at + 3 * VECTOR).sub(mean3).fma(delta3, product3);
    }
    add(sum0, 1f, sums, c);
    add(sum1, 1f, sums, c + LANES);
    add(sum2, 1f, sums, c + 2 * LANES);
    add(sum3, 1f, sums, c + 3 * LANES);
    add(product0, 1f, products, c);
    add(product1, 1f, products, c + LANES);
    add(product2, 1f, products, c + 2 * LANES);
    add(product3, 1f, products, c + 3 * LANES);
  }

  /** The same for delta = dy where scale · x + offset > 0, else 0. */
  static void reduceBehindRelu(
      long x,
      long dy,
      float[] scale,
      float[] offset,
      float[] mean,
      float[] sums,
      float[] products,
      long start,
      int lines,
      int stride,
      int c) {
    FloatVector scale0 = load(scale, c);
    FloatVector scale1 = load(scale, c + LANES);
    FloatVector scale2 = load(scale, c + 2 * LANES);
    FloatVector scale3 = load(scale, c + 3 * LANES);
    FloatVector offset0 = load(offset, c);
    FloatVector offset1 = load(offset, c + LANES);
    FloatVector offset2 = load(offset, c + 2 * LANES);
    FloatVector offset3 = load(offset, c + 3 * LANES);
    FloatVector mean0 = load(mean, c);
    FloatVector mean1 = load(mean, c + LANES);
    FloatVector mean2 = load(mean, c + 2 * LANES);
    FloatVector mean3 = load(mean, c + 3 * LANES);
    FloatVector sum0 = zero();
    FloatVector sum1 = zero();
    FloatVector sum2 = zero();
    FloatVector sum3 = zero();
    FloatVector product0 = zero();
    FloatVector product1 = zero();
    FloatVector product2 = zero();
    FloatVector product3 = zero();
    for (int i = 0; i < lines; i++) {
      long at = start + ((long) i * stride + c) * Float.BYTES;
      FloatVector x0 = load(x, at);
      FloatVector x1 = load(x, at + VECTOR);
      FloatVector x2 = load(x, at + 2 * VECTOR);
      FloatVector x3 = load(x, at + 3 * VECTOR);
      FloatVector delta0 = passed(load(dy, at), x0.fma(scale0, offset0));
      FloatVector delta1 = passed(load(dy, at + VECTOR), x1.fma(scale1, offset1));
      FloatVector delta2 = passed(load(dy, at + 2 * VECTOR), x2.fma(scale2, offset2));
      FloatVector delta3 = passed(load(dy, at + 3 * VECTOR), x3.fma(scale3, offset3));
      sum0 = sum0.add(delta0);
      sum1 = sum1.add(delta1);
      sum2 = sum2.add(delta2);
      sum3 = sum3.add(delta3);
      product0 = x0.sub(mean0).fma(delta0, product0);
      product1 = x1.sub(mean1).fma(delta1, product1);
      product2 = x2.sub(mean2).fma(delta2, product2);
      product3 = x3.sub(mean3).fma(delta3, product3);
    }
    add(sum0, 1f, sums, c);
    add(sum1, 1f, sums, c + LANES);
    add(sum2, 1f, sums, c + 2 * LANES);
    add(sum3, 1f, sums, c + 3 * LANES);
    add(product0, 1f, products, c);
    add(product1, 1f, products, c + LANES);
    add(product2, 1f, products, c + 2 * LANES);
    add(product3, 1f, products, c + 3 * LANES);
  }

  /** The same for delta = dy where y > 0, else 0, which is stored as well. */
  static void reduceBehindAdd(
      long x,
      long y,
      long dy,
      float[] mean,
      long dresidual,
      float[] sums,
      float[] products,
      long start,
      int lines,
      int stride,
      int c) {
    FloatVector mean0 = load(mean, c);
    FloatVector mean1 = load(mean, c + LANES);
    FloatVector mean2 = load(mean, c + 2 * LANES);
    FloatVector mean3 = load(mean, c + 3 * LANES);
    FloatVector sum0 = zero();
    FloatVector sum1 = zero();
    FloatVector sum2 = zero();
    FloatVector sum3 = zero();
    FloatVector product0 = zero();
    FloatVector product1 = zero();
    FloatVector product2 = zero();
    FloatVector product3 = zero();
    for (int i = 0; i < lines; i++) {
      long at = start + ((long) i * stride + c) * Float.BYTES;
      FloatVector delta0 = passed(load(dy, at), load(y, at));
      FloatVector delta1 = passed(load(dy, at + VECTOR), load(y, at + VECTOR));
      FloatVector delta2 = passed(load(dy, at + 2 * VECTOR), load(y, at + 2 * VECTOR));
      FloatVector delta3 = passed(load(dy, at + 3 * VECTOR), load(y, at + 3 * VECTOR));
      store(delta0, dresidual, at);
      store(delta1, dresidual, at + VECTOR);
      store(delta2, dresidual, at + 2 * VECTOR);
      store(delta3, dresidual, at + 3 * VECTOR);
      sum0 = sum0.add(delta0);
      sum1 = sum1.add(delta1);
      sum2 = sum2.add(delta2);
      sum3 = sum3.add(delta3);
      product0 = load(x, at).sub(mean0).fma(delta0, product0);
      product1 = load(x, at + VECTOR).sub(mean1).fma(delta1, product1);
      product2 = load(x, at + 2 * VECTOR).sub(mean2).fma(delta2, product2);
      product3 = load(x, at + 3 * VECTOR).sub(mean3).fma(delta3, product3);
    }
    add(sum0, 1f, sums, c);
    add(sum1, 1f, sums, c + LANES);
    add(sum2, 1f, sums, c + 2 * LANES);
    add(sum3, 1f, sums, c + 3 * LANES);
    add(product0, 1f, products, c);
    add(product1, 1f, products, c + LANES);
    add(product2, 1f, products, c + 2 * LANES);
    add(product3, 1f, products, c + 3 * LANES);
  }

  /** dx = scale · delta + w · (slope · x + shift). */
  static void gradient(
      long x,
      long delta,
      float w,
      float[] scale,
      float[] slope,
      float[] shift,
      long dx,
      long start,
      int lines,
      int stride,
      int c) {
    FloatVector scale0 = load(scale, c);
    FloatVector scale1 = load(scale, c + LANES);
    FloatVector scale2 = load(scale, c + 2 * LANES);
    FloatVector scale3 = load(scale, c + 3 * LANES);
    FloatVector slope0 = load(slope, c).mul(w);
    FloatVector slope1 = load(slope, c + LANES).mul(w);
    FloatVector slope2 = load(slope, c + 2 * LANES).mul(w);
    FloatVector slope3 = load(slope, c + 3 * LANES).mul(w);
    FloatVector shift0 = load(shift, c).mul(w);
    FloatVector shift1 = load(shift, c + LANES).mul(w);
    FloatVector shift2 = load(shift, c + 2 * LANES).mul(w);
    FloatVector shift3 = load(shift, c + 3 * LANES).mul(w);
    for (int i = 0; i < lines; i++) {
      long at = start + ((long) i * stride + c) * Float.BYTES;
      store(load(delta, at).fma(scale0, load(x, at).fma(slope0, shift0)), dx, at);
      store(
          load(delta, at + VECTOR).fma(scale1, load(x, at + VECTOR).fma(slope1, shift1)),
          dx,
          at + VECTOR);
      store(
          load(delta, at + 2 * VECTOR).fma(scale2, load(x, at + 2 * VECTOR).fma(slope2, shift2)),
          dx,
          at + 2 * VECTOR);
      store(
          load(delta, at + 3 * VECTOR).fma(scale3, load(x, at + 3 * VECTOR).fma(slope3, shift3)),
          dx,
          at + 3 * VECTOR);
    }
  }

  /**
   * The same for delta = dy where scale · x + offset > 0, else 0. With all that is per channel, two
   * vectors are as much as C2 inlines calls into, so the column is gone down in two halves, a few
   * lines at a time.
   */
  static void gradientBehindRelu(
      long x,
      long dy,
      float w,
      float[] scale,
      float[] offset,
      float[] slope,
      float[] shift,
      long dx,
      long start,
      int lines,
      int stride,
      int c) {
    for (int first = 0; first < lines; first += LINES) {
      int last = Math.min(lines, first + LINES);
      halfGradient(x, dy, w, scale, offset, slope, shift, dx, start, first, last, stride, c);
      halfGradient(
          x, dy, w, scale, offset, slope, shift, dx, start, first, last, stride, c + 2 * LANES);
    }
  }

  private static void halfGradient(
      long x,
      long dy,
      float w,
      float[] scale,
      float[] offset,
      float[] slope,
      float[] shift,
      long dx,
      long start,
      int first,
      int last,
      int stride,
      int c) {
    FloatVector scale0 = load(scale, c);
    FloatVector scale1 = load(scale, c + LANES);
    FloatVector offset0 = load(offset, c);
    FloatVector offset1 = load(offset, c + LANES);
    FloatVector slope0 = load(slope, c).mul(w);
    FloatVector slope1 = load(slope, c + LANES).mul(w);
    FloatVector shift0 = load(shift, c).mul(w);
    FloatVector shift1 = load(shift, c + LANES).mul(w);
    for (int i = first; i < last; i++) {
      long at = start + ((long) i * stride + c) * Float.BYTES;
      FloatVector x0 = load(x, at);
      FloatVector x1 = load(x, at + VECTOR);
      FloatVector delta0 = passed(load(dy, at), x0.fma(scale0, offset0));
      FloatVector delta1 = passed(load(dy, at + VECTOR), x1.fma(scale1, offset1));
      store(delta0.fma(scale0, x0.fma(slope0, shift0)), dx, at);
      store(delta1.fma(scale1, x1.fma(slope1, shift1)), dx, at + VECTOR);
    }
  }
}
