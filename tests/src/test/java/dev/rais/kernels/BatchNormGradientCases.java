package dev.rais.kernels;

import static dev.rais.backend.ErrorBounds.doubles;
import static dev.rais.kernels.BatchNormSetup.EPSILON;
import static dev.rais.kernels.BatchNormSetup.doublesOrNull;
import static dev.rais.kernels.BatchNormSetup.floats;
import static dev.rais.kernels.BatchNormSetup.inputOrNull;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.reference.BatchNormReference;
import java.util.ArrayList;
import java.util.List;

/** Batch normalisation backward, with weighted statistics and with running ones. */
final class BatchNormGradientCases implements KernelCases {
  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (BatchNormSetup s : BatchNormSetup.all()) {
      add(cases, s, s.toString(), s.added());
      if (s.shape().fusion() == Fusion.RELU) {
        add(cases, s, s + ", mask from y", true);
      }
    }
    return cases;
  }

  /** byOutput: y says where the rectifier was open, not x. */
  private static void add(List<Case> cases, BatchNormSetup s, String name, boolean byOutput) {
    cases.add(new Case("rais_batch_norm_backward", name, t -> backward(t, s, byOutput)));
    cases.add(
        new Case("rais_batch_norm_backward_running", name, t -> backwardRunning(t, s, byOutput)));
  }

  /**
   * What comes into a backward pass. The rectifier's mask may be found out from x; where that is a
   * matter of rounding, no gradient comes in.
   */
  private record Incoming(float[] x, float[] y, float[] dy, float[] gamma, float[] beta) {
    static Incoming of(Trial t, BatchNormSetup s) {
      float[] y = t.uniform(s.count(), -1, 1);
      for (int i = 0; i < y.length; i += 3) {
        y[i] = 0;
      }
      return new Incoming(
          s.inputs(t),
          y,
          t.uniform(s.count(), -1, 1),
          t.uniform(s.shape().channels(), -1, 1),
          t.uniform(s.shape().channels(), -1, 1));
    }

    /** The outputs that decide, given the statistics; clears gradients at the corner. */
    double[] outputs(BatchNormSetup s, boolean byOutput, float[] mean, double[] inverse) {
      double[] stored = Trial.stored(s.dtype(), x);
      double[] outputs = new double[x.length];
      for (int i = 0; i < outputs.length; i++) {
        int c = i % s.shape().channels();
        outputs[i] = gamma[c] * (stored[i] - mean[c]) * inverse[c] + beta[c];
        double size = Math.abs(gamma[c] * inverse[c]);
        if (Math.abs(outputs[i]) < 4e-6 + 4 * s.blur() * size) {
          dy[i] = 0;
        }
      }
      return byOutput ? Trial.stored(s.dtype(), y) : outputs;
    }
  }

  private static void backward(Trial t, BatchNormSetup s, boolean byOutput) {
    BatchNormShape n = s.shape();
    Incoming in = Incoming.of(t, s);
    float[] weights = s.weights(t);
    double[] zeros = new double[n.channels()];
    var plain = new BatchNormShape(n.batch(), n.positions(), n.channels(), EPSILON, Fusion.NONE);
    var statistics =
        BatchNormReference.forward(
            plain,
            Trial.stored(s.dtype(), in.x),
            doublesOrNull(weights),
            zeros,
            zeros,
            null,
            zeros,
            zeros,
            0);
    float[] mean = floats(statistics.mean());
    float[] inverse = floats(statistics.inverseDeviation());
    double[] y = in.outputs(s, byOutput, mean, doubles(inverse));

    Operand xs = t.input("x", s.dtype(), in.x);
    Operand ys = byOutput ? t.input("y", s.dtype(), in.y) : null;
    Operand dys = s.inPlace() ? t.updated("dy", s.dtype(), in.dy) : t.input("dy", s.dtype(), in.dy);
    Operand ws = inputOrNull(t, "example_weights", weights);
    Operand gammas = t.input("gamma", in.gamma);
    boolean byInput = n.fusion() == Fusion.RELU && !byOutput;
    Operand betas = byInput ? t.input("beta", in.beta) : null;
    Operand means = t.input("mean", mean);
    Operand inverses = t.input("inverse_deviation", inverse);
    Operand dx = s.inPlace() ? dys : t.output("dx", Trial.element(s.dtype()), s.count());
    Operand dgamma = t.output("dgamma", Element.FLOAT, n.channels());
    Operand dbeta = t.output("dbeta", Element.FLOAT, n.channels());
    Operand dresidual =
        s.added() ? t.output("dresidual", Trial.element(s.dtype()), s.count()) : null;
    Operand workspace = s.workspace(t);
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .batchNormBackward(
                    stream,
                    n.batch(),
                    n.positions(),
                    n.channels(),
                    s.dtype(),
                    n.fusion().ordinal(),
                    xs.at(),
                    Trial.at(ys),
                    dys.at(),
                    Trial.at(ws),
                    gammas.at(),
                    Trial.at(betas),
                    means.at(),
                    inverses.at(),
                    dx.at(),
                    dgamma.at(),
                    dbeta.at(),
                    Trial.at(dresidual),
                    workspace.at()));
    var expected =
        BatchNormReference.backward(
            n,
            Trial.stored(s.dtype(), in.x),
            y,
            Trial.stored(s.dtype(), in.dy),
            doublesOrNull(weights),
            doubles(in.gamma),
            doubles(mean),
            doubles(inverse));
    compare(t, s, in, weights, mean, inverse, expected, dx, dgamma, dbeta);
    if (s.added()) {
      t.exactly(dresidual, expected.dresidual());
    }
  }

  private static void compare(
      Trial t,
      BatchNormSetup s,
      Incoming in,
      float[] weights,
      float[] mean,
      float[] inverse,
      BatchNormReference.Backward expected,
      Operand dx,
      Operand dgamma,
      Operand dbeta) {
    int channels = s.shape().channels();
    double[] stored = Trial.stored(s.dtype(), in.x);
    double[] omega = BatchNormReference.elementWeights(s.shape(), doublesOrNull(weights));
    double[] sizes = new double[channels]; // of what the sums are made of
    for (int i = 0; i < stored.length; i++) {
      int c = i % channels;
      double normal = (stored[i] - mean[c]) * inverse[c];
      sizes[c] += Math.abs(expected.dresidual()[i]) * (1 + Math.abs(normal));
    }
    double[] gammaBounds = new double[channels];
    double[] betaBounds = new double[channels];
    for (int c = 0; c < channels; c++) {
      betaBounds[c] = 2e-6 * sizes[c];
      gammaBounds[c] = (2e-6 + s.blur() * inverse[c]) * sizes[c];
    }
    double[] bounds = new double[stored.length];
    for (int i = 0; i < bounds.length; i++) {
      int c = i % channels;
      double normal = (stored[i] - mean[c]) * inverse[c];
      double share = omega[i / channels];
      double factor = Math.abs(in.gamma[c] * inverse[c]);
      bounds[i] =
          s.unit() * Math.abs(expected.dx()[i])
              + factor
                  * (2e-6 + 2 * s.blur() * inverse[c])
                  * (1 + share * sizes[c] * (1 + Math.abs(normal)));
    }
    t.close(dbeta, expected.dbeta(), betaBounds);
    t.close(dgamma, expected.dgamma(), gammaBounds);
    t.close(dx, expected.dx(), bounds);
  }

  private static void backwardRunning(Trial t, BatchNormSetup s, boolean byOutput) {
    BatchNormShape n = s.shape();
    Incoming in = Incoming.of(t, s);
    float[] mean = s.centers(t);
    float[] variance = t.uniform(n.channels(), 0.1, 2);
    double[] inverse = BatchNormReference.inverses(n, doubles(variance));
    double[] y = in.outputs(s, byOutput, mean, inverse);
    float[] before = t.uniform(n.batch(), 0, 10);

    Operand xs = t.input("x", s.dtype(), in.x);
    Operand ys = byOutput ? t.input("y", s.dtype(), in.y) : null;
    Operand dys = s.inPlace() ? t.updated("dy", s.dtype(), in.dy) : t.input("dy", s.dtype(), in.dy);
    Operand gammas = t.input("gamma", in.gamma);
    boolean byInput = n.fusion() == Fusion.RELU && !byOutput;
    Operand betas = byInput ? t.input("beta", in.beta) : null;
    Operand means = t.input("running_mean", mean);
    Operand variances = t.input("running_variance", variance);
    Operand dx = s.inPlace() ? dys : t.output("dx", Trial.element(s.dtype()), s.count());
    Operand dresidual =
        s.added() ? t.output("dresidual", Trial.element(s.dtype()), s.count()) : null;
    Operand norms = t.updated("squared_norms", before);
    t.run(
        (kernels, stream) ->
            kernels
                .layers()
                .batchNormBackwardRunning(
                    stream,
                    n.batch(),
                    n.positions(),
                    n.channels(),
                    s.dtype(),
                    n.fusion().ordinal(),
                    EPSILON,
                    xs.at(),
                    Trial.at(ys),
                    dys.at(),
                    gammas.at(),
                    Trial.at(betas),
                    means.at(),
                    variances.at(),
                    dx.at(),
                    Trial.at(dresidual),
                    norms.at()));
    double[] stored = Trial.stored(s.dtype(), in.x);
    double[] incoming = Trial.stored(s.dtype(), in.dy);
    var expected =
        BatchNormReference.backwardRunning(
            n, stored, y, incoming, doubles(in.gamma), doubles(mean), doubles(variance));
    double[] bounds = new double[stored.length];
    for (int i = 0; i < bounds.length; i++) {
      bounds[i] = s.unit() * Math.abs(expected.dx()[i]) + 1e-30;
    }
    t.close(dx, expected.dx(), bounds);
    double[] sums = new double[n.batch()];
    double[] normBounds = new double[n.batch()];
    for (int j = 0; j < n.batch(); j++) {
      sums[j] = before[j] + expected.squaredNorms()[j];
      normBounds[j] = 1e-6 * sums[j] + normSlack(s, j, stored, expected, mean, inverse);
    }
    t.close(norms, sums, normBounds);
    if (s.added()) {
      t.exactly(dresidual, expected.dresidual());
    }
  }

  /** What errors of inputs and sums may do to the squared norm of an example. */
  private static double normSlack(
      BatchNormSetup s,
      int j,
      double[] x,
      BatchNormReference.RunningBackward expected,
      float[] mean,
      double[] inverse) {
    int channels = s.shape().channels();
    int perExample = s.shape().positions() * channels;
    double slack = 0;
    for (int c = 0; c < channels; c++) {
      double size = 0;
      double error = 0;
      for (int i = j * perExample + c; i < (j + 1) * perExample; i += channels) {
        double delta = Math.abs(expected.dresidual()[i]);
        double term = delta * (1 + Math.abs((x[i] - mean[c]) * inverse[c]));
        size += term;
        error += 1e-6 * term + s.blur() * inverse[c] * delta;
      }
      slack += 2 * size * error;
    }
    return slack;
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
            "rais_batch_norm_backward",
            size,
            size,
            size,
            GoodCall.dtype(),
            fusion,
            whole,
            whole,
            whole,
            GoodCall.nullable(12, 4),
            perChannel,
            GoodCall.nullable(12, 4),
            perChannel,
            perChannel,
            GoodCall.nullable(27 * 4, 4),
            perChannel,
            perChannel,
            whole,
            workspace),
        GoodCall.of(
            "rais_batch_norm_backward_running",
            size,
            size,
            size,
            GoodCall.dtype(),
            fusion,
            epsilon,
            whole,
            whole,
            whole,
            perChannel,
            GoodCall.nullable(12, 4),
            perChannel,
            perChannel,
            GoodCall.nullable(27 * 4, 4),
            whole,
            perChannel));
  }
}
