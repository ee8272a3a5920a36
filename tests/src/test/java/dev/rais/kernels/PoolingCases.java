package dev.rais.kernels;

import static dev.rais.backend.ErrorBounds.absolute;
import static dev.rais.backend.ErrorBounds.gamma;
import static dev.rais.backend.cuda.Kernels.BFLOAT16;
import static dev.rais.backend.cuda.Kernels.FLOAT32;

import dev.rais.backend.PoolShape;
import dev.rais.reference.Reference;
import java.util.ArrayList;
import java.util.List;

/** Max pooling, exact forward, and global average pooling. */
final class PoolingCases implements KernelCases {
  private static final int[][] WINDOWS = {
    // batch, height, width, channels, kernel, stride
    {1, 1, 1, 1, 1, 1}, {1, 2, 2, 1, 2, 2}, {2, 5, 7, 3, 2, 2}, {3, 7, 5, 5, 3, 2},
    {2, 9, 9, 17, 3, 1}, {1, 13, 13, 33, 5, 3}, {5, 4, 4, 1, 4, 4}, {2, 7, 7, 7, 2, 3},
    {1, 3, 3, 1025, 3, 3}, {2, 16, 16, 3, 16, 1}, {3, 24, 24, 20, 2, 2}, {1, 8, 8, 127, 2, 2},
    {2, 6, 6, 64, 2, 2},
  };

  private static final int[][] MEANS = {
    // batch, positions, channels
    {1, 1, 1},
    {2, 1, 13},
    {3, 7, 1},
    {5, 49, 31},
    {2, 64, 33},
    {13, 16, 128},
    {1, 1023, 5},
    {2, 1025, 8},
    {33, 64, 10},
    {1, 3, 1025},
  };

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int dtype : new int[] {FLOAT32, BFLOAT16}) {
      for (int[] n : WINDOWS) {
        var s = new PoolShape(n[0], n[1], n[2], n[3], n[4], n[5]);
        String name = s + ", " + Trial.nameOf(dtype);
        cases.add(new Case("rais_max_pool", name, t -> maxima(t, s, dtype, 0)));
        cases.add(new Case("rais_max_pool", name + ", misaligned", t -> maxima(t, s, dtype, 1)));
        cases.add(new Case("rais_max_pool_backward", name, t -> winners(t, s, dtype)));
      }
      for (int[] n : MEANS) {
        String name = "%d x %d positions x %d, %s".formatted(n[0], n[1], n[2], Trial.nameOf(dtype));
        cases.add(
            new Case("rais_global_average_pool", name, t -> means(t, n[0], n[1], n[2], dtype)));
        cases.add(
            new Case(
                "rais_global_average_pool_backward",
                name,
                t -> shares(t, n[0], n[1], n[2], dtype)));
      }
    }
    return cases;
  }

  /** Whole numbers, so that there are ties, and two NaNs. */
  private static float[] ties(Trial t, PoolShape s) {
    float[] x = new float[(int) s.inputCount()];
    for (int i = 0; i < x.length; i++) {
      x[i] = t.random().nextInt(7) - 3;
    }
    x[0] = Float.NaN;
    x[t.random().nextInt(x.length)] = Float.NaN;
    return x;
  }

  /** Of each output, where in its window the winner is, row by row. */
  private static long[] positions(PoolShape s, double[] x) {
    int[] winners = Reference.maxPoolWinners(s, x);
    long[] positions = new long[winners.length];
    for (int o = 0; o < winners.length; o++) {
      int at = winners[o] / s.channels();
      int pixel = o / s.channels();
      int row =
          at / s.width() % s.height() - pixel / s.outputWidth() % s.outputHeight() * s.stride();
      int column = at % s.width() - pixel % s.outputWidth() * s.stride();
      positions[o] = (long) row * s.kernel() + column;
    }
    return positions;
  }

  private static void maxima(Trial t, PoolShape s, int dtype, int misalignment) {
    t.misalign(misalignment);
    float[] x = ties(t, s);
    Operand xs = t.input("x", dtype, x);
    Operand y = t.output("y", Trial.element(dtype), s.outputCount());
    Operand winners = t.output("winners", Element.BYTE, s.outputCount());
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .maxPool(
                    stream,
                    s.batch(),
                    s.height(),
                    s.width(),
                    s.channels(),
                    s.kernel(),
                    s.stride(),
                    dtype,
                    xs.at(),
                    y.at(),
                    winners.at()));
    t.exactly(y, Reference.maxPool(s, Trial.stored(dtype, x)));
    t.bits(winners, positions(s, Trial.stored(dtype, x)));
  }

  private static void winners(Trial t, PoolShape s, int dtype) {
    double[] x = Trial.stored(dtype, ties(t, s));
    float[] dy = t.uniform((int) s.outputCount(), -1, 1);
    long[] positions = positions(s, x);
    byte[] bytes = new byte[positions.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) positions[i];
    }
    Operand dys = t.input("dy", dtype, dy);
    Operand winners = t.input("winners", bytes);
    Operand dx = t.output("dx", Trial.element(dtype), s.inputCount());
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .maxPoolBackward(
                    stream,
                    s.batch(),
                    s.height(),
                    s.width(),
                    s.channels(),
                    s.kernel(),
                    s.stride(),
                    dtype,
                    dys.at(),
                    winners.at(),
                    dx.at()));
    double[] stored = Trial.stored(dtype, dy);
    double[] expected = Reference.maxPoolBackward(s, x, stored);
    double[] sizes = Reference.maxPoolBackward(s, x, absolute(stored));
    double[] bounds = new double[sizes.length];
    for (int i = 0; i < bounds.length; i++) {
      bounds[i] =
          gamma((double) s.kernel() * s.kernel()) * sizes[i]
              + Trial.precision(dtype) * Math.abs(expected[i]);
    }
    t.close(dx, expected, bounds);
  }

  private static void means(Trial t, int batch, int positions, int channels, int dtype) {
    float[] x = t.uniform(batch * positions * channels, -1, 1);
    Operand xs = t.input("x", dtype, x);
    Operand y = t.output("y", Trial.element(dtype), (long) batch * channels);
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .globalAveragePool(stream, batch, positions, channels, dtype, xs.at(), y.at()));
    double[] stored = Trial.stored(dtype, x);
    double[] expected = Reference.globalAveragePool(batch, positions, channels, stored);
    double[] sizes = Reference.globalAveragePool(batch, positions, channels, absolute(stored));
    double[] bounds = new double[expected.length];
    for (int i = 0; i < bounds.length; i++) {
      bounds[i] = gamma(positions) * sizes[i] + Trial.precision(dtype) * Math.abs(expected[i]);
    }
    t.close(y, expected, bounds);
  }

  private static void shares(Trial t, int batch, int positions, int channels, int dtype) {
    float[] dy = t.uniform(batch * channels, -1, 1);
    Operand dys = t.input("dy", dtype, dy);
    Operand dx = t.output("dx", Trial.element(dtype), (long) batch * positions * channels);
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .globalAveragePoolBackward(
                    stream, batch, positions, channels, dtype, dys.at(), dx.at()));
    double[] expected =
        Reference.globalAveragePoolBackward(batch, positions, channels, Trial.stored(dtype, dy));
    double[] bounds = new double[expected.length];
    for (int i = 0; i < bounds.length; i++) {
      // A reciprocal, a product, and how it is stored.
      bounds[i] = (0x1p-23 + Trial.precision(dtype)) * Math.abs(expected[i]);
    }
    t.close(dx, expected, bounds);
  }

  @Override
  public List<GoodCall> goodCalls() {
    GoodCall.Argument size = GoodCall.value(4, 0, -1);
    GoodCall.Argument kernel = GoodCall.value(2, 0, -1, 5, 17);
    GoodCall.Argument stride = GoodCall.value(2, 0, -1);
    GoodCall.Argument whole = GoodCall.memory(4 * 4 * 4 * 4 * 4, 4);
    GoodCall.Argument pooled = GoodCall.memory(4 * 2 * 2 * 4 * 4, 4);
    GoodCall.Argument winners = GoodCall.memory(4 * 2 * 2 * 4, 1);
    // Smaller sides do not fit the kernel, which is then what the message is about.
    GoodCall.Argument side = GoodCall.value(4, 0, -1);
    return List.of(
        GoodCall.of(
            "rais_max_pool",
            size,
            side,
            side,
            size,
            kernel,
            stride,
            GoodCall.dtype(),
            whole,
            pooled,
            winners),
        GoodCall.of(
            "rais_max_pool_backward",
            size,
            side,
            side,
            size,
            kernel,
            stride,
            GoodCall.dtype(),
            pooled,
            winners,
            whole),
        GoodCall.of("rais_global_average_pool", size, size, size, GoodCall.dtype(), whole, pooled),
        GoodCall.of(
            "rais_global_average_pool_backward",
            size,
            size,
            size,
            GoodCall.dtype(),
            pooled,
            whole));
  }
}
