package dev.rais.kernels;

import static dev.rais.backend.ErrorBounds.U;
import static dev.rais.backend.ErrorBounds.absolute;
import static dev.rais.backend.ErrorBounds.doubles;
import static dev.rais.backend.ErrorBounds.gamma;
import static dev.rais.backend.cuda.Kernels.BFLOAT16;
import static dev.rais.backend.cuda.Kernels.FLOAT32;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.backend.ConvolutionShape;
import dev.rais.reference.Reference;
import java.util.ArrayList;
import java.util.List;

/** Squared norms: of rows, of vectors, and of each example's gradient. */
final class NormCases implements KernelCases {
  private static final int[][] CONVOLUTIONS = {
    // batch, height, width, channels in, out, kernel, stride, padding
    {1, 1, 1, 1, 1, 1, 1, 0}, {1, 5, 5, 1, 1, 3, 1, 0}, {2, 3, 7, 2, 3, 3, 1, 1},
    {3, 7, 5, 3, 5, 3, 2, 1}, {5, 13, 17, 5, 7, 5, 1, 2}, {2, 9, 9, 7, 13, 3, 2, 0},
    {1, 13, 11, 3, 17, 7, 2, 3}, {7, 4, 4, 31, 33, 3, 1, 1}, {1, 3, 3, 65, 63, 3, 1, 1},
    {2, 2, 3, 127, 129, 1, 1, 0}, {3, 3, 2, 13, 1025, 1, 1, 0}, {2, 12, 12, 3, 10, 5, 1, 0},
    {1, 16, 16, 8, 16, 3, 2, 1}, {33, 3, 3, 2, 3, 3, 1, 0},
  };

  private static final int[][] LINEARS = {
    // rows, inputs, outputs
    {1, 1, 1},
    {2, 1, 5},
    {3, 7, 1},
    {5, 13, 17},
    {7, 33, 31},
    {13, 63, 65},
    {17, 129, 127},
    {1, 1023, 1025},
    {127, 3, 7},
    {2, 31, 10_001},
    {8, 800, 500},
    {129, 17, 2},
  };

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int dtype : new int[] {FLOAT32, BFLOAT16}) {
      for (int columns : new int[] {1, 2, 13, 31, 32, 33, 127, 1023, 1024, 1025, 10_001}) {
        String name = "17 x " + columns + ", " + Trial.nameOf(dtype);
        cases.add(new Case("rais_row_squared_norms", name, t -> rows(t, 17, columns, dtype, 0)));
        cases.add(
            new Case(
                "rais_row_squared_norms",
                name + ", misaligned",
                t -> rows(t, 3, columns, dtype, 1)));
      }
      for (int[] n : LINEARS) {
        for (int bias : new int[] {0, 1}) {
          String name =
              "%d x %d x %d, %s, bias %d".formatted(n[0], n[1], n[2], Trial.nameOf(dtype), bias);
          cases.add(
              new Case(
                  "rais_linear_gradient_norms",
                  name,
                  t -> linear(t, n[0], n[1], n[2], bias, dtype)));
        }
      }
      for (int[] n : CONVOLUTIONS) {
        var shape = new ConvolutionShape(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]);
        for (ConvolutionShape s : List.of(shape, shape.withoutBias())) {
          cases.add(
              new Case(
                  "rais_convolution_gradient_norms",
                  s + ", " + Trial.nameOf(dtype),
                  t -> convolution(t, s, dtype)));
        }
      }
    }
    for (int rows : new int[] {1, 33, 1025}) {
      cases.add(
          new Case("rais_row_squared_norms", rows + " rows", t -> rows(t, rows, 64, FLOAT32, 0)));
    }
    for (int count : new int[] {1, 2, 13, 31, 33, 127, 1023, 1025, 100_003, 1_100_003}) {
      cases.add(new Case("rais_squared_norm", "of " + count, t -> vector(t, count)));
    }
    cases.add(
        new Case(
            "rais_squared_norm_workspace_bytes",
            "bad sizes",
            t -> {
              assertEquals(0, t.kernels().training().squaredNormWorkspaceBytes(0));
              assertEquals(0, t.kernels().training().squaredNormWorkspaceBytes(-1));
            }));
    return cases;
  }

  private static void rows(Trial t, int rows, int columns, int dtype, int misalignment) {
    t.misalign(misalignment);
    float[] x = t.uniform(rows * columns, -3, 3);
    Operand xs = t.input("x", dtype, x);
    Operand norms = t.output("squared_norms", Element.FLOAT, rows);
    t.run(
        (kernels, stream) ->
            kernels.training().rowSquaredNorms(stream, rows, columns, dtype, xs.at(), norms.at()));
    double[] expected = Reference.rowSquaredNorms(rows, Trial.stored(dtype, x));
    double[] bounds = new double[rows];
    for (int j = 0; j < rows; j++) {
      bounds[j] = 2 * U * expected[j]; // summed in double
    }
    t.close(norms, expected, bounds);
  }

  private static void vector(Trial t, int count) {
    long numBytes = t.kernels().training().squaredNormWorkspaceBytes(count);
    Operand workspace = t.updated("workspace", new double[Math.toIntExact(numBytes / 8)]);
    t.misalign(count % 2);
    float[] x = t.uniform(count, -3, 3);
    Operand xs = t.input("x", x);
    Operand result = t.output("result", Element.DOUBLE, 1);
    t.run(
        (kernels, stream) ->
            kernels.training().squaredNorm(stream, count, xs.at(), result.at(), workspace.at()));
    double expected = Reference.squaredNorm(doubles(x));
    t.close(result, new double[] {expected}, new double[] {1e-12 * expected});
    t.check(workspace.bits()[0] == 0, workspace, 0, "it must be ready for the next launch");
  }

  private static void linear(Trial t, int rows, int inputs, int outputs, int bias, int dtype) {
    float[] x = t.uniform(rows * inputs, -1, 1);
    float[] deltas = t.uniform(rows * outputs, -1, 1);
    double[] ofInputs = Reference.rowSquaredNorms(rows, Trial.stored(dtype, x));
    double[] ofDeltas = Reference.rowSquaredNorms(rows, Trial.stored(dtype, deltas));
    double[] added = new double[rows];
    for (int j = 0; j < rows; j++) {
      added[j] = ofDeltas[j] * (ofInputs[j] + bias);
    }
    float[] before = before(t, added);
    Operand xs = t.input("x", dtype, x);
    Operand ds = t.input("deltas", dtype, deltas);
    Operand norms = t.updated("squared_norms", before);
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .linearGradientNorms(
                    stream, rows, inputs, outputs, bias, dtype, xs.at(), ds.at(), norms.at()));
    compare(t, norms, before, added, new double[rows]);
  }

  private static void convolution(Trial t, ConvolutionShape s, int dtype) {
    float[] x = t.uniform((int) s.inputCount(), -1, 1);
    float[] deltas = t.uniform((int) s.outputCount(), -1, 1);
    double[] storedX = Trial.stored(dtype, x);
    double[] storedDeltas = Trial.stored(dtype, deltas);
    double[] added = Reference.convolutionSquaredNorms(s, storedX, storedDeltas);
    double[] sizes =
        Reference.convolutionSquaredNorms(s, absolute(storedX), absolute(storedDeltas));
    // Sums over positions in float at worst, whichever way the norm is found: see the bound of the
    // backends' norms.
    double gamma =
        2 * gamma((double) s.outputHeight() * s.outputWidth() + s.patch() + s.outputChannels());
    double[] bounds = new double[s.batch()];
    for (int j = 0; j < bounds.length; j++) {
      bounds[j] = gamma * sizes[j];
    }
    float[] before = before(t, added);
    Operand xs = t.input("x", dtype, x);
    Operand ds = t.input("deltas", dtype, deltas);
    Operand norms = t.updated("squared_norms", before);
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .convolutionGradientNorms(
                    stream,
                    s.batch(),
                    s.height(),
                    s.width(),
                    s.inputChannels(),
                    s.outputChannels(),
                    s.kernel(),
                    s.stride(),
                    s.padding(),
                    s.bias() ? 1 : 0,
                    dtype,
                    xs.at(),
                    ds.at(),
                    norms.at()));
    compare(t, norms, before, added, bounds);
  }

  /** Earlier norms to add to: of the size of the new ones, or a missing addition would not show. */
  private static float[] before(Trial t, double[] added) {
    float[] before = new float[added.length];
    for (int j = 0; j < before.length; j++) {
      before[j] = (float) ((1 + t.random().nextDouble()) * added[j]);
    }
    return before;
  }

  private static void compare(
      Trial t, Operand norms, float[] before, double[] added, double[] bounds) {
    double[] expected = new double[before.length];
    for (int j = 0; j < before.length; j++) {
      expected[j] = before[j] + added[j];
      bounds[j] += 4 * U * expected[j];
    }
    t.close(norms, expected, bounds);
  }

  @Override
  public List<GoodCall> goodCalls() {
    GoodCall.Argument size = GoodCall.value(3, 0, -1);
    GoodCall.Argument bias = GoodCall.value(1, -1, 2);
    GoodCall.Argument memory = GoodCall.memory(3 * 3 * 3 * 3 * 4, 4);
    return List.of(
        GoodCall.of("rais_row_squared_norms", size, size, GoodCall.dtype(), memory, memory),
        GoodCall.of(
            "rais_squared_norm",
            GoodCall.size(5L, Long.MAX_VALUE / 8),
            memory,
            GoodCall.memory(8, 8),
            GoodCall.memory(1 << 16, 16)),
        GoodCall.of(
            "rais_linear_gradient_norms",
            size,
            size,
            size,
            bias,
            GoodCall.dtype(),
            memory,
            memory,
            memory),
        GoodCall.of(
            "rais_convolution_gradient_norms",
            size,
            size,
            size,
            size,
            size,
            GoodCall.value(2, 0, -1, 6),
            GoodCall.value(1, 0, -1),
            GoodCall.value(1, -1),
            bias,
            GoodCall.dtype(),
            memory,
            GoodCall.memory(3 * 4 * 4 * 3 * 4, 4),
            memory));
  }
}
