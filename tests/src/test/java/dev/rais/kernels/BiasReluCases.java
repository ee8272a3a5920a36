package dev.rais.kernels;

import static dev.rais.backend.ErrorBounds.U;
import static dev.rais.backend.ErrorBounds.gamma;
import static dev.rais.backend.cuda.Kernels.BFLOAT16;
import static dev.rais.backend.cuda.Kernels.FLOAT32;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;

/** rais_bias_relu and its gradients. */
final class BiasReluCases implements KernelCases {
  private static final int[][] SHAPES = {
    // rows, channels
    {1, 1},
    {2, 3},
    {13, 1},
    {31, 33},
    {32, 32},
    {33, 31},
    {127, 10},
    {1, 1023},
    {5, 1025},
    {1025, 4},
    {3, 4099},
    {4099, 16},
    {300, 129},
  };

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int[] n : SHAPES) {
      for (int dtype : new int[] {FLOAT32, BFLOAT16}) {
        for (boolean rectified : new boolean[] {true, false}) {
          String name =
              "%d rows, %d channels, %s%s"
                  .formatted(n[0], n[1], Trial.nameOf(dtype), rectified ? ", rectified" : "");
          cases.add(
              new Case(
                  "rais_bias_relu",
                  name,
                  t -> forward(t, n[0], n[1], dtype, rectified, rectified ? 0 : 1)));
          cases.add(
              new Case(
                  "rais_bias_relu_backward",
                  name,
                  t -> backward(t, n[0], n[1], dtype, rectified, rectified ? 1 : 0)));
        }
      }
    }
    cases.add(
        new Case(
            "rais_bias_relu_workspace_bytes",
            "bad sizes",
            t -> {
              var layers = t.kernels().layers();
              assertEquals(0, layers.biasReluWorkspaceBytes(0, 1, FLOAT32));
              assertEquals(0, layers.biasReluWorkspaceBytes(1, -1, FLOAT32));
              assertEquals(0, layers.biasReluWorkspaceBytes(1, 1, 7));
            }));
    return cases;
  }

  /** In place where misaligned. */
  private static void forward(
      Trial t, int rows, int channels, int dtype, boolean rectified, int misalignment) {
    t.misalign(misalignment);
    float[] x = t.uniform(rows * channels, -1, 1);
    x[x.length / 2] = Float.NaN;
    float[] bias = t.uniform(channels, -0.5, 0.5);
    Operand xs = misalignment > 0 ? t.updated("x", dtype, x) : t.input("x", dtype, x);
    Operand biases = t.input("bias", bias);
    Operand y = misalignment > 0 ? xs : t.output("y", Trial.element(dtype), x.length);
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .biasRelu(
                    stream,
                    rows,
                    channels,
                    dtype,
                    xs.at(),
                    biases.at(),
                    rectified ? 1 : 0,
                    y.at()));
    double[] stored = Trial.stored(dtype, x);
    double[] expected = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      float sum = (float) stored[i] + bias[i % channels];
      expected[i] = Trial.rounded(dtype, rectified && sum <= 0 ? 0 : sum);
    }
    t.exactly(y, expected);
  }

  private static void backward(
      Trial t, int rows, int channels, int dtype, boolean rectified, int misalignment) {
    int count = rows * channels;
    long numBytes = t.kernels().layers().biasReluWorkspaceBytes(rows, channels, dtype);
    Operand workspace = t.scratch("workspace", Element.BYTE, numBytes);
    t.misalign(misalignment);
    float[] y = t.uniform(count, -1, 1);
    float[] dy = t.uniform(count, -1, 1);
    Operand ys = rectified ? t.input("y", dtype, y) : null;
    Operand dys = t.input("dy", dtype, dy);
    Operand dx = t.output("dx", Trial.element(dtype), count);
    Operand dbias = t.output("dbias", Element.FLOAT, channels);
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .biasReluBackward(
                    stream,
                    rows,
                    channels,
                    dtype,
                    Trial.at(ys),
                    dys.at(),
                    dx.at(),
                    dbias.at(),
                    workspace.at()));
    double[] storedY = Trial.stored(dtype, y);
    double[] storedDy = Trial.stored(dtype, dy);
    double[] expected = new double[count];
    double[] sums = new double[channels];
    double[] bounds = new double[channels];
    for (int i = 0; i < count; i++) {
      expected[i] = !rectified || storedY[i] > 0 ? storedDy[i] : 0;
      sums[i % channels] += expected[i];
      bounds[i % channels] += gamma(rows) * Math.abs(expected[i]);
    }
    for (int c = 0; c < channels; c++) {
      bounds[c] += U * Math.abs(sums[c]);
    }
    t.exactly(dx, expected);
    t.close(dbias, sums, bounds);
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            "rais_bias_relu",
            GoodCall.value(3, 0, -1),
            GoodCall.value(5, 0, -1),
            GoodCall.dtype(),
            GoodCall.memory(60, 4),
            GoodCall.memory(20, 4),
            GoodCall.value(1, -1, 2),
            GoodCall.memory(60, 4)),
        GoodCall.of(
            "rais_bias_relu_backward",
            GoodCall.value(3, 0, -1),
            GoodCall.value(5, 0, -1),
            GoodCall.dtype(),
            GoodCall.nullable(60, 4),
            GoodCall.memory(60, 4),
            GoodCall.nullable(60, 4),
            GoodCall.memory(20, 4),
            GoodCall.memory(1 << 16, 16)));
  }
}
