package dev.rais.kernels;

import static dev.rais.backend.ErrorBounds.U;
import static dev.rais.backend.ErrorBounds.doubles;
import static dev.rais.backend.cuda.Kernels.FLOAT32;
import static dev.rais.kernels.BatchNormSetup.EPSILON;
import static dev.rais.kernels.BatchNormSetup.doublesOrNull;
import static dev.rais.kernels.BatchNormSetup.inputOrNull;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.reference.BatchNormReference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Batch normalisation forward, with weighted statistics and with running ones. */
final class BatchNormCases implements KernelCases {
  private static final float MOMENTUM = 0.1f;

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (BatchNormSetup s : BatchNormSetup.all()) {
      cases.add(new Case("rais_batch_norm_forward", s.toString(), t -> forward(t, s)));
      cases.add(
          new Case("rais_batch_norm_forward_running", s.toString(), t -> forwardRunning(t, s)));
    }
    var single = new BatchNormShape(1, 1, 3, EPSILON, Fusion.NONE);
    cases.add(
        new Case(
            "rais_batch_norm_forward",
            "a single element",
            t -> forward(t, new BatchNormSetup(single, FLOAT32, true, false, 7))));
    for (float bad : new float[] {0, Float.NaN, Float.POSITIVE_INFINITY}) {
      cases.add(
          new Case("rais_batch_norm_forward", "weights of " + bad, t -> uselessWeights(t, bad)));
    }
    cases.add(new Case("rais_batch_norm_forward", "NaNs", BatchNormCases::badChannel));
    cases.add(
        new Case(
            "rais_batch_norm_workspace_bytes",
            "bad sizes",
            t -> {
              var layers = t.kernels().layers();
              assertEquals(0, layers.batchNormWorkspaceBytes(0, 1, 1, FLOAT32));
              assertEquals(0, layers.batchNormWorkspaceBytes(1, 1, -1, FLOAT32));
              assertEquals(0, layers.batchNormWorkspaceBytes(1, 1, 1, 7));
            }));
    return cases;
  }

  private static void forward(Trial t, BatchNormSetup s) {
    BatchNormShape n = s.shape();
    float[] x = s.inputs(t);
    float[] weights = s.weights(t);
    float[] gamma = t.uniform(n.channels(), -1, 1);
    float[] beta = t.uniform(n.channels(), -1, 1);
    float[] residual = s.added() ? t.uniform(s.count(), -1, 1) : null;
    float[] oldMean = s.centers(t);
    float[] oldVariance = t.uniform(n.channels(), 0.1, 2);
    Operand xs = s.inPlace() ? t.updated("x", s.dtype(), x) : t.input("x", s.dtype(), x);
    Operand ws = inputOrNull(t, "example_weights", weights);
    Operand gammas = t.input("gamma", gamma);
    Operand betas = t.input("beta", beta);
    Operand residuals = s.added() ? t.input("residual", s.dtype(), residual) : null;
    Operand y = s.inPlace() ? xs : t.output("y", Trial.element(s.dtype()), s.count());
    Operand mean = t.output("mean", Element.FLOAT, n.channels());
    Operand inverse = t.output("inverse_deviation", Element.FLOAT, n.channels());
    Operand runningMean = t.updated("running_mean", oldMean);
    Operand runningVariance = t.updated("running_variance", oldVariance);
    Operand workspace = s.workspace(t);
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .batchNormForward(
                    stream,
                    n.batch(),
                    n.positions(),
                    n.channels(),
                    s.dtype(),
                    n.fusion().ordinal(),
                    EPSILON,
                    xs.at(),
                    Trial.at(ws),
                    gammas.at(),
                    betas.at(),
                    Trial.at(residuals),
                    y.at(),
                    mean.at(),
                    inverse.at(),
                    runningMean.at(),
                    runningVariance.at(),
                    MOMENTUM,
                    workspace.at()));
    var expected =
        BatchNormReference.forward(
            n,
            Trial.stored(s.dtype(), x),
            doublesOrNull(weights),
            doubles(gamma),
            doubles(beta),
            residual == null ? null : Trial.stored(s.dtype(), residual),
            doubles(oldMean),
            doubles(oldVariance),
            MOMENTUM);
    double[] omega = BatchNormReference.elementWeights(n, doublesOrNull(weights));
    double squares = Arrays.stream(omega).map(w -> w * w).sum();
    double correction = squares < 1 ? 1 - squares : 1;
    int channels = n.channels();
    double[] farthest = new double[channels];
    double[] stored = Trial.stored(s.dtype(), x);
    for (int i = 0; i < stored.length; i++) {
      int c = i % channels;
      farthest[c] = Math.max(farthest[c], Math.abs(stored[i] - expected.mean()[c]));
    }
    double[] meanBounds = new double[channels];
    double[] inverseBounds = new double[channels];
    double[] runningMeanBounds = new double[channels];
    double[] runningVarianceBounds = new double[channels];
    for (int c = 0; c < channels; c++) {
      double mu = Math.abs(expected.mean()[c]);
      double inv = expected.inverseDeviation()[c];
      double variance = Math.max(0, 1 / (inv * inv) - EPSILON);
      // Sums are taken around one of the inputs, so their terms are as large as its distance.
      meanBounds[c] = 2 * U * mu + 8 * U * farthest[c];
      double varianceBound = 8 * U * (variance + farthest[c] * farthest[c]);
      inverseBounds[c] = inv * (2 * U + varianceBound / (2 * (variance + EPSILON)));
      runningMeanBounds[c] = 4 * U * (mu + Math.abs(oldMean[c])) + meanBounds[c];
      // The correction is a difference from 1.
      runningVarianceBounds[c] =
          4 * U * oldVariance[c]
              + varianceBound / correction
              + (4 * U + 1e-15 / correction) * variance / correction;
    }
    t.close(mean, expected.mean(), meanBounds);
    t.close(inverse, expected.inverseDeviation(), inverseBounds);
    t.close(runningMean, expected.runningMean(), runningMeanBounds);
    t.close(runningVariance, expected.runningVariance(), runningVarianceBounds);
    double[] bounds = outputBounds(s, expected.y(), gamma, expected.inverseDeviation());
    for (int i = 0; i < bounds.length; i++) {
      int c = i % channels;
      double difference = Math.abs(stored[i] - expected.mean()[c]);
      double inv = expected.inverseDeviation()[c];
      bounds[i] += Math.abs(gamma[c]) * (inv * meanBounds[c] + inverseBounds[c] * difference);
    }
    t.close(y, expected.y(), bounds);
  }

  private static double[] outputBounds(
      BatchNormSetup s, double[] y, float[] gamma, double[] inverse) {
    double[] bounds = new double[y.length];
    for (int i = 0; i < y.length; i++) {
      int c = i % s.shape().channels();
      double size = Math.abs(gamma[c] * inverse[c]);
      bounds[i] = s.unit() * Math.abs(y[i]) + 1e-6 + 2 * s.blur() * size;
    }
    return bounds;
  }

  private static void forwardRunning(Trial t, BatchNormSetup s) {
    BatchNormShape n = s.shape();
    float[] x = s.inputs(t);
    float[] gamma = t.uniform(n.channels(), -1, 1);
    float[] beta = t.uniform(n.channels(), -1, 1);
    float[] residual = s.added() ? t.uniform(s.count(), -1, 1) : null;
    float[] mean = s.centers(t);
    float[] variance = t.uniform(n.channels(), 0.1, 2);
    Operand xs = s.inPlace() ? t.updated("x", s.dtype(), x) : t.input("x", s.dtype(), x);
    Operand gammas = t.input("gamma", gamma);
    Operand betas = t.input("beta", beta);
    Operand residuals = s.added() ? t.input("residual", s.dtype(), residual) : null;
    Operand means = t.input("running_mean", mean);
    Operand variances = t.input("running_variance", variance);
    Operand y = s.inPlace() ? xs : t.output("y", Trial.element(s.dtype()), s.count());
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .batchNormForwardRunning(
                    stream,
                    n.batch(),
                    n.positions(),
                    n.channels(),
                    s.dtype(),
                    n.fusion().ordinal(),
                    EPSILON,
                    xs.at(),
                    gammas.at(),
                    betas.at(),
                    means.at(),
                    variances.at(),
                    Trial.at(residuals),
                    y.at()));
    double[] expected =
        BatchNormReference.forwardRunning(
            n,
            Trial.stored(s.dtype(), x),
            doubles(gamma),
            doubles(beta),
            doubles(mean),
            doubles(variance),
            residual == null ? null : Trial.stored(s.dtype(), residual));
    double[] inverse = BatchNormReference.inverses(n, doubles(variance));
    t.close(y, expected, outputBounds(s, expected, gamma, inverse));
  }

  // ---- What is not finite ----

  private static void uselessWeights(Trial t, float bad) {
    var s =
        new BatchNormSetup(
            new BatchNormShape(4, 70, 8, EPSILON, Fusion.NONE), FLOAT32, true, false, 0);
    float[] weights = new float[4];
    Arrays.fill(weights, bad);
    Operand y = plainForward(t, s, s.inputs(t), weights);
    double[] nans = new double[s.count()];
    Arrays.fill(nans, Double.NaN);
    t.exactly(y, nans);
  }

  private static void badChannel(Trial t) {
    var s =
        new BatchNormSetup(
            new BatchNormShape(4, 70, 8, EPSILON, Fusion.RELU), FLOAT32, true, false, 0);
    float[] x = s.inputs(t);
    x[37 * 8 + 3] = Float.NaN;
    x[40 * 8 + 5] = Float.POSITIVE_INFINITY;
    Operand y = plainForward(t, s, x, new float[] {1, 2, 3, 4});
    double[] found = y.values();
    for (int i = 0; i < found.length; i++) {
      boolean bad = i % 8 == 3 || i % 8 == 5;
      t.check(Double.isNaN(found[i]) == bad, y, i, "is " + found[i]);
    }
  }

  private static Operand plainForward(Trial t, BatchNormSetup s, float[] x, float[] weights) {
    BatchNormShape n = s.shape();
    float[] ones = new float[n.channels()];
    Arrays.fill(ones, 1);
    Operand xs = t.input("x", x);
    Operand ws = t.input("example_weights", weights);
    Operand gammas = t.input("gamma", ones);
    Operand y = t.output("y", Element.FLOAT, s.count());
    Operand mean = t.output("mean", Element.FLOAT, n.channels());
    Operand inverse = t.output("inverse_deviation", Element.FLOAT, n.channels());
    Operand workspace = s.workspace(t);
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .batchNormForward(
                    stream,
                    n.batch(),
                    n.positions(),
                    n.channels(),
                    FLOAT32,
                    n.fusion().ordinal(),
                    EPSILON,
                    xs.at(),
                    ws.at(),
                    gammas.at(),
                    gammas.at(),
                    Trial.at(null),
                    y.at(),
                    mean.at(),
                    inverse.at(),
                    Trial.at(null),
                    Trial.at(null),
                    0,
                    workspace.at()));
    return y;
  }

  @Override
  public List<GoodCall> goodCalls() {
    GoodCall.Argument size = GoodCall.value(3, 0, -1);
    GoodCall.Argument fusion = GoodCall.value(Fusion.ADD_RELU.ordinal(), -1, 3);
    GoodCall.Argument epsilon = GoodCall.value(EPSILON, -1e-3f, Float.NaN, Float.POSITIVE_INFINITY);
    GoodCall.Argument whole = GoodCall.memory(27 * 4, 4);
    GoodCall.Argument perChannel = GoodCall.memory(12, 4);
    GoodCall.Argument workspace = GoodCall.memory(1 << 16, 16);
    return List.of(
        GoodCall.of(
            "rais_batch_norm_forward",
            size,
            size,
            size,
            GoodCall.dtype(),
            fusion,
            epsilon,
            whole,
            GoodCall.nullable(12, 4),
            perChannel,
            perChannel,
            whole,
            whole,
            perChannel,
            perChannel,
            perChannel,
            perChannel,
            GoodCall.value(MOMENTUM, -0.1f, 1.1f, Float.NaN),
            workspace),
        GoodCall.of(
            "rais_batch_norm_forward_running",
            size,
            size,
            size,
            GoodCall.dtype(),
            fusion,
            epsilon,
            whole,
            perChannel,
            perChannel,
            perChannel,
            perChannel,
            whole,
            whole));
  }
}
