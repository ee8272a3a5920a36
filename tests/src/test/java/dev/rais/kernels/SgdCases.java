package dev.rais.kernels;

import static dev.rais.backend.ErrorBounds.U;
import static dev.rais.backend.ErrorBounds.doubles;
import static dev.rais.backend.cuda.Kernels.BFLOAT16;
import static dev.rais.backend.cuda.Kernels.FLOAT32;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.reference.Bfloat16;
import dev.rais.reference.Reference;
import java.util.ArrayList;
import java.util.List;

/** rais_sgd: momentum SGD. */
final class SgdCases implements KernelCases {
  private static final String FUNCTION = "rais_sgd";

  /** Around vectors, a block, and more than the largest grid does at once. */
  private static final int[] COUNTS = {
    1, 2, 3, 4, 5, 13, 31, 32, 33, 127, 1023, 1024, 1025, 4099, 100_003, 1_100_003
  };

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    cases.add(new Case("rais_sgd_workspace_bytes", "all sizes", SgdCases::workspace));
    for (int count : COUNTS) {
      cases.add(
          new Case(FUNCTION, count + " with norm", t -> step(t, count, FLOAT32, 0, true, false)));
      cases.add(
          new Case(
              FUNCTION, count + " with bf16 copy", t -> step(t, count, FLOAT32, 0, false, true)));
      cases.add(
          new Case(FUNCTION, count + " misaligned", t -> step(t, count, FLOAT32, 1, true, true)));
      cases.add(new Case(FUNCTION, count + " bf16", t -> step(t, count, BFLOAT16, 0, true, true)));
      cases.add(
          new Case(
              FUNCTION,
              count + " bf16, misaligned",
              t -> step(t, count, BFLOAT16, 1, true, false)));
    }
    cases.add(new Case(FUNCTION, "NaNs stay where they are", SgdCases::defects));
    return cases;
  }

  private static void workspace(Trial t) {
    var kernels = t.kernels().training();
    for (long count : new long[] {1, 1000, 1L << 40}) {
      long numBytes = kernels.sgdWorkspaceBytes(count);
      assertTrue(numBytes > 0 && numBytes < 1 << 20, count + ": " + numBytes);
    }
    assertEquals(0, kernels.sgdWorkspaceBytes(0));
    assertEquals(0, kernels.sgdWorkspaceBytes(Long.MIN_VALUE));
  }

  private static void step(
      Trial t, int count, int dtype, int misalignment, boolean withNorm, boolean withCopy) {
    float[] w = t.uniform(count, -1, 1);
    float[] u = t.uniform(count, -0.1, 0.1);
    float[] given = t.uniform(count, -2, 2);
    double[] g = Trial.stored(dtype, given);
    float learningRate = 0.1f * t.random().nextFloat();
    float momentum = 0.9f;
    float weightDecay = 0.01f;
    // Its size does not matter to a kernel that is checked for memory: 8 bytes a double.
    long workspaceDoubles = t.kernels().training().sgdWorkspaceBytes(count) / Double.BYTES;
    Operand workspace =
        withNorm ? t.updated("workspace", new double[Math.toIntExact(workspaceDoubles)]) : null;
    t.misalign(misalignment);
    Operand ws = t.updated("w", w);
    Operand us = t.updated("u", u);
    Operand gs = t.input("g", dtype, given);
    Operand rate = t.input("learning_rate", learningRate);
    Operand flag = t.updated("not_finite", 7);
    Operand copy = withCopy ? t.output("w_bfloat16", Element.BFLOAT16, count) : null;
    Operand norm = withNorm ? t.output("gradient_squared_norm", Element.DOUBLE, 1) : null;
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .sgd(
                    stream,
                    count,
                    ws.at(),
                    us.at(),
                    dtype,
                    gs.at(),
                    rate.at(),
                    momentum,
                    weightDecay,
                    Trial.at(copy),
                    Trial.at(norm),
                    flag.at(),
                    Trial.at(workspace)));
    Reference.Step expected =
        Reference.sgd(doubles(w), doubles(u), g, learningRate, momentum, weightDecay);
    double[] uBounds = new double[count];
    double[] wBounds = new double[count];
    for (int i = 0; i < count; i++) {
      // Four roundings, each at most half a unit of the largest number that occurs.
      uBounds[i] = 4 * U * (Math.abs(momentum * u[i]) + learningRate * (Math.abs(g[i]) + 0.02));
      wBounds[i] = uBounds[i] + U * (Math.abs(w[i]) + Math.abs(expected.u()[i]));
    }
    t.close(us, expected.u(), uBounds);
    t.close(ws, expected.w(), wBounds);
    t.bits(flag, new int[] {7}); // all is finite: it stays as it is
    if (withCopy) {
      double[] rounded = new double[count];
      double[] found = ws.values();
      for (int i = 0; i < count; i++) {
        rounded[i] = Bfloat16.rounded((float) found[i]);
      }
      t.close(copy, rounded, new double[count]);
    }
    if (withNorm) {
      double squares = Reference.squaredNorm(g);
      t.close(norm, new double[] {squares}, new double[] {1e-12 * squares});
      t.check(workspace.bits()[0] == 0, workspace, 0, "it must be ready for the next launch");
    }
  }

  private static void defects(Trial t) {
    int count = 1029;
    float[] g = t.uniform(count, -1, 1);
    g[3] = Float.NaN;
    g[1024] = Float.POSITIVE_INFINITY;
    Operand ws = t.updated("w", t.uniform(count, -1, 1));
    Operand us = t.updated("u", new float[count]);
    Operand gs = t.input("g", g);
    Operand rate = t.input("learning_rate", 0.5f);
    Operand flag = t.updated("not_finite", 0);
    t.run(
        (kernels, stream) ->
            kernels
                .training()
                .sgd(
                    stream,
                    count,
                    ws.at(),
                    us.at(),
                    FLOAT32,
                    gs.at(),
                    rate.at(),
                    0,
                    0,
                    Trial.at(null),
                    Trial.at(null),
                    flag.at(),
                    Trial.at(null)));
    t.bits(flag, new int[] {1});
    double[] found = ws.values();
    for (int i = 0; i < count; i++) {
      boolean bad = i == 3 || i == 1024;
      t.check(Double.isFinite(found[i]) != bad, ws, i, "is " + found[i] + " for " + g[i]);
    }
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            FUNCTION,
            GoodCall.size(5L, Long.MAX_VALUE / 8),
            GoodCall.memory(20, 4),
            GoodCall.memory(20, 4),
            GoodCall.dtype(),
            GoodCall.memory(20, 4),
            GoodCall.memory(4, 4),
            GoodCall.value(0.9f, 1f, -0.1f, Float.NaN),
            GoodCall.value(0.1f, -1e-3f, Float.NaN, Float.POSITIVE_INFINITY),
            GoodCall.nullable(10, 2),
            GoodCall.nullable(8, 8),
            GoodCall.nullable(4, 4),
            GoodCall.memory(1 << 16, 16)));
  }
}
