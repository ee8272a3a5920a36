package dev.rais.backend.cpu;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;

/**
 * The inner loops of {@link JavaBatchNorm}, over one row of {@code n} values: a run of positions of
 * one example, all channels side by side, so that the arrays hold every channel's value once per
 * position.
 *
 * <p>C2 turns each of them into vector code that reads native memory in place, under three
 * conditions. Memory is read through a {@link FloatBuffer}, since a MemorySegment reads a float as
 * an int and converts it. Everything that is written is an array used from index 0. And C2 knows
 * that the index into the buffer cannot overflow: {@link #BASE} and {@link #COUNT} tell it, and
 * change nothing. Bodies are small, as one that is too large to be unrolled stays scalar as well.
 */
final class BatchNormLoops {
  /** Mask of where a row starts. */
  private static final int BASE = 0x3fff_ffff;

  /** Mask of its length. */
  private static final int COUNT = 0x0fff_ffff;

  private BatchNormLoops() {}

  /** sum += w · x. */
  static void add(FloatBuffer x, int at, float w, float[] sum, int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      sum[i] = Math.fma(w, x.get(from + i), sum[i]);
    }
  }

  /** sum += w · (x − shift), squares += w · (x − shift)². */
  static void moments(
      FloatBuffer x, int at, float w, float[] shift, float[] sum, float[] squares, int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      float difference = x.get(from + i) - shift[i];
      float weighted = w * difference;
      sum[i] += weighted;
      squares[i] = Math.fma(weighted, difference, squares[i]);
    }
  }

  /** y = scale · x + offset. */
  static void affine(FloatBuffer x, int at, float[] scale, float[] offset, float[] y, int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      y[i] = Math.fma(x.get(from + i), scale[i], offset[i]);
    }
  }

  /** y = max(scale · x + offset, 0). */
  static void affineRelu(FloatBuffer x, int at, float[] scale, float[] offset, float[] y, int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      y[i] = Math.max(0f, Math.fma(x.get(from + i), scale[i], offset[i]));
    }
  }

  /** y = max(scale · x + offset + residual, 0). */
  static void affineAddRelu(
      FloatBuffer x,
      FloatBuffer residual,
      int at,
      float[] scale,
      float[] offset,
      float[] y,
      int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      y[i] = Math.max(0f, Math.fma(x.get(from + i), scale[i], offset[i]) + residual.get(from + i));
    }
  }

  /** sum += delta, products += delta · (x − mean). */
  static void reduce(
      FloatBuffer x,
      FloatBuffer delta,
      int at,
      float[] mean,
      float[] sum,
      float[] products,
      int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      float passed = delta.get(from + i);
      sum[i] += passed;
      products[i] = Math.fma(passed, x.get(from + i) - mean[i], products[i]);
    }
  }

  /** The same for delta in an array. */
  static void reduce(
      FloatBuffer x, int at, float[] delta, float[] mean, float[] sum, float[] products, int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      sum[i] += delta[i];
      products[i] = Math.fma(delta[i], x.get(from + i) - mean[i], products[i]);
    }
  }

  /** The same for delta = dy where scale · x + offset > 0, else 0. */
  static void reduceBehindRelu(
      FloatBuffer x,
      FloatBuffer dy,
      int at,
      float[] scale,
      float[] offset,
      float[] mean,
      float[] sum,
      float[] products,
      int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      float value = x.get(from + i);
      float passed = dy.get(from + i) * open(Math.fma(value, scale[i], offset[i]));
      sum[i] += passed;
      products[i] = Math.fma(passed, value - mean[i], products[i]);
    }
  }

  /**
   * 1 where y > 0, else 0; a factor, as C2 vectorises no conditional expression. The two powers of
   * 2 make every positive y at least 1, even the least.
   */
  private static float open(float y) {
    return Math.max(0f, Math.min(y * 0x1p100f * 0x1p100f, 1f));
  }

  /** delta = dy where scale · x + offset > 0, else 0. */
  static void throughRelu(
      FloatBuffer x, FloatBuffer dy, int at, float[] scale, float[] offset, float[] delta, int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      delta[i] = dy.get(from + i) * open(Math.fma(x.get(from + i), scale[i], offset[i]));
    }
  }

  /**
   * delta = dy where y > 0, else 0, from the bits b of y: the sign of -b & ~b is set where b > 0.
   */
  static void throughRelu(IntBuffer y, FloatBuffer dy, int at, float[] delta, int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      int bits = y.get(from + i);
      delta[i] = dy.get(from + i) * ((-bits & ~bits) >>> 31);
    }
  }

  /** dx = scale · delta + w · (slope · x + shift). */
  static void gradient(
      FloatBuffer x,
      FloatBuffer delta,
      int at,
      float w,
      float[] scale,
      float[] slope,
      float[] shift,
      float[] dx,
      int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      float correction = w * Math.fma(x.get(from + i), slope[i], shift[i]);
      dx[i] = Math.fma(delta.get(from + i), scale[i], correction);
    }
  }

  /** The same for delta = dy where scale · x + offset > 0, else 0. */
  static void gradientBehindRelu(
      FloatBuffer x,
      FloatBuffer dy,
      int at,
      float w,
      float[] scale,
      float[] offset,
      float[] slope,
      float[] shift,
      float[] dx,
      int n) {
    int from = at & BASE;
    int count = n & COUNT;
    for (int i = 0; i < count; i++) {
      float value = x.get(from + i);
      float passed = dy.get(from + i) * open(Math.fma(value, scale[i], offset[i]));
      dx[i] = Math.fma(passed, scale[i], w * Math.fma(value, slope[i], shift[i]));
    }
  }

  /** values = scale · values. */
  static void scale(float[] values, float[] scale, int n) {
    for (int i = 0; i < n; i++) {
      values[i] *= scale[i];
    }
  }

  /** total += sum, sum = 0. */
  static void flush(float[] sum, float[] total, int n) {
    for (int i = 0; i < n; i++) {
      total[i] += sum[i];
    }
    Arrays.fill(sum, 0, n, 0f);
  }

  /** Adds up the positions of a row: {@code sums[from + c] += Σ values[p · channels + c]}. */
  static void fold(float[] values, int n, double[] sums, int from, int channels) {
    for (int p = 0; p < n; p += channels) {
      for (int c = 0; c < channels; c++) {
        sums[from + c] += values[p + c];
      }
    }
  }
}
