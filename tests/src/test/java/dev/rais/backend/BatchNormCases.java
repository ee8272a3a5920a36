package dev.rais.backend;

import static dev.rais.backend.ErrorBounds.U;
import static dev.rais.backend.ErrorBounds.doubles;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.reference.BatchNormReference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Batch norm compared with {@link BatchNormReference}.
 *
 * <p>What is required: results as if every input were off by a few units in the last place, however
 * far the mean lies from zero, and sums that err as if they had {@link #DEPTH} terms, however many
 * they have.
 */
final class BatchNormCases {
  /** Roundings that a sum may go through: that of a block of it and of the blocks' sums. */
  private static final double DEPTH = 64;

  /**
   * The same of sums of floats, relative to the range of values: as the kernels' own tests have it.
   */
  private static final double FLOAT_DEPTH = 8;

  private static final float EPSILON = 1e-5f;
  private static final float MOMENTUM = 0.1f;

  private static final int[][] SHAPES = {
    // batch, positions, channels
    {1, 1, 1},
    {1, 1, 13},
    {2, 1, 1},
    {1, 7, 1},
    {3, 1, 31},
    {5, 1, 33},
    {7, 5, 13},
    {2, 9, 31},
    {3, 4, 33},
    {13, 49, 5},
    {1, 1023, 3},
    {4, 17, 129},
    {65, 1, 10},
    {2, 1, 1025},
    {2, 3, 2049},
    {3, 33, 80},
    {33, 100, 65}, // every thread has some
    {2, 1024, 16}, // ResNet-20
    {3, 256, 32},
    {5, 64, 64},
    {2, 1024, 64}, // ResNet-18 for CIFAR
    {3, 16, 512},
  };

  /** What the inputs look like. */
  private enum Kind {
    USUAL,
    /** Mean 1000, deviation 1. */
    FAR,
    /** One position of the first example is far away from all others. */
    OUTLIER,
    /** All the same in every channel: the variance is 0. */
    CONSTANT
  }

  private final List<Case> cases = new ArrayList<>();

  private BatchNormCases() {}

  static List<Case> all() {
    var table = new BatchNormCases();
    for (int[] n : SHAPES) {
      for (Fusion fusion : Fusion.values()) {
        table.addAll(new BatchNormShape(n[0], n[1], n[2], EPSILON, fusion));
      }
    }
    table.special();
    return table.cases;
  }

  private void addAll(BatchNormShape s) {
    add(s, "forward", (b, t) -> forward(b, t, s, Kind.USUAL, weights(t, s)));
    add(s, "forward without weights", (b, t) -> forward(b, t, s, Kind.USUAL, null));
    add(s, "forward with running statistics", (b, t) -> forwardRunning(b, t, s, Kind.USUAL));
    add(s, "backward", (b, t) -> backward(b, t, s, Kind.USUAL, weights(t, s), true));
    add(s, "backward without weights", (b, t) -> backward(b, t, s, Kind.USUAL, null, true));
    add(s, "backward with running statistics", (b, t) -> backwardRunning(b, t, s, true));
  }

  private void special() {
    for (int[] n : new int[][] {{4, 64, 5}, {5, 33, 31}, {3, 256, 64}, {129, 1, 17}}) {
      for (Fusion fusion : Fusion.values()) {
        var s = new BatchNormShape(n[0], n[1], n[2], EPSILON, fusion);
        for (Kind kind : new Kind[] {Kind.FAR, Kind.OUTLIER, Kind.CONSTANT}) {
          add(s, "forward, " + kind, (b, t) -> forward(b, t, s, kind, weights(t, s)));
          add(s, "forward, " + kind + ", no weights", (b, t) -> forward(b, t, s, kind, null));
          add(s, "running, " + kind, (b, t) -> forwardRunning(b, t, s, kind));
          add(s, "backward, " + kind, (b, t) -> backward(b, t, s, kind, weights(t, s), true));
        }
        // The outlier is what a careless shift starts from, and weighs nearly nothing.
        add(
            s,
            "forward, light outlier",
            (b, t) -> {
              float[] weights = weights(t, s);
              weights[0] = 1e-6f;
              forward(b, t, s, Kind.OUTLIER, weights);
            });
        add(s, "one example has all the weight", (b, t) -> forward(b, t, s, Kind.USUAL, one(s)));
        add(
            s,
            "backward, one has all the weight",
            (b, t) -> backward(b, t, s, Kind.USUAL, one(s), true));
        add(s, "backward without dx", (b, t) -> backward(b, t, s, Kind.USUAL, null, false));
        add(s, "running, backward without dx", (b, t) -> backwardRunning(b, t, s, false));
        add(s, "backward in place", (b, t) -> inPlace(b, t, s));
        add(s, "running, backward in place", (b, t) -> runningInPlace(b, t, s));
        add(s, "residual gradient in place", (b, t) -> residualInPlace(b, t, s));
        add(s, "equal weights are no weights", (b, t) -> equalWeights(b, t, s));
        add(s, "weights that sum to zero", (b, t) -> uselessWeights(b, t, s, 0f));
        add(s, "a weight that is not finite", (b, t) -> uselessWeights(b, t, s, Float.NaN));
        afterNaNs(s, "forward", (b, t) -> forward(b, t, s, Kind.USUAL, weights(t, s)));
        afterNaNs(s, "backward", (b, t) -> backward(b, t, s, Kind.USUAL, weights(t, s), true));
        afterNaNs(s, "running, backward", (b, t) -> backwardRunning(b, t, s, true));
      }
    }
    // A single element: its variance is 0, and nothing is left to correct that with.
    var single = new BatchNormShape(1, 1, 3, EPSILON, Fusion.NONE);
    add(single, "single elements", (b, t) -> forward(b, t, single, Kind.FAR, new float[] {7}));
    var large = new BatchNormShape(3, 5, 7, 0.5f, Fusion.RELU);
    add(large, "large epsilon", (b, t) -> forward(b, t, large, Kind.USUAL, weights(t, large)));
  }

  /** A diverged step must not spoil the next. */
  private void afterNaNs(BatchNormShape s, String name, BiConsumer<Backend, Trial> body) {
    add(
        s,
        name + " after NaNs",
        (b, t) -> {
          spoil(b, s);
          body.accept(b, t);
        });
  }

  private void add(BatchNormShape s, String name, BiConsumer<Backend, Trial> body) {
    String shape =
        " [%d, %d, %d] %s (batch, positions, channels)"
            .formatted(s.batch(), s.positions(), s.channels(), s.fusion());
    cases.add(new Case(Op.BATCH_NORM, Op.BATCH_NORM + " " + name + shape, body));
  }

  /** Importance weights from 0.05 to 20. */
  private static float[] weights(Trial t, BatchNormShape s) {
    float[] weights = t.uniform(s.batch());
    for (int j = 0; j < weights.length; j++) {
      weights[j] = (float) Math.exp(3 * weights[j]);
    }
    return weights;
  }

  private static float[] one(BatchNormShape s) {
    float[] weights = new float[s.batch()];
    weights[s.batch() / 2] = 3;
    return weights;
  }

  private static float[] inputs(Trial t, BatchNormShape s, Kind kind) {
    float[] x = t.uniform(s.count());
    for (int i = 0; i < x.length; i++) {
      x[i] =
          switch (kind) {
            case USUAL -> x[i] + i % s.channels() % 3 - 1;
            case FAR -> (float) (1000 + t.random().nextGaussian());
            case OUTLIER -> i < s.channels() ? 1e4f : 0.01f * x[i];
            case CONSTANT -> 1 + i % s.channels() / 7f;
          };
    }
    return t.asActivations(x);
  }

  private static double[] doublesOrNull(float[] values) {
    return values == null ? null : doubles(values);
  }

  private static Buffer bufferOrNull(Trial.Operand operand) {
    return operand == null ? null : operand.buffer();
  }

  private static Trial.Operand inputOrNull(Trial t, float[] values) {
    return values == null ? null : t.input(values);
  }

  private static Trial.Operand activationsOrNull(Trial t, float[] values) {
    return values == null ? null : t.activationInput(values);
  }

  private static float[] residual(Trial t, BatchNormShape s) {
    return s.fusion() == Fusion.ADD_RELU ? t.activations(s.count()) : null;
  }

  private static void forward(
      Backend backend, Trial t, BatchNormShape s, Kind kind, float[] weights) {
    float[] x = inputs(t, s, kind);
    float[] gamma = t.uniform(s.channels());
    float[] beta = t.uniform(s.channels());
    float[] residual = residual(t, s);
    float[] runningMean = t.uniform(s.channels());
    float[] runningVariance = positive(t, s);
    var xs = t.activationInput(x);
    var ws = inputOrNull(t, weights);
    var gammas = t.input(gamma);
    var betas = t.input(beta);
    var residuals = activationsOrNull(t, residual);
    var y = t.activationOutput(s.count());
    var mean = t.output(s.channels());
    var inverse = t.output(s.channels());
    var runningMeans = t.updated(runningMean);
    var runningVariances = t.updated(runningVariance);
    try (BatchNorm op = backend.batchNorm(s)) {
      t.run(
          () ->
              op.forward(
                  xs.buffer(),
                  bufferOrNull(ws),
                  gammas.buffer(),
                  betas.buffer(),
                  bufferOrNull(residuals),
                  y.buffer(),
                  mean.buffer(),
                  inverse.buffer(),
                  runningMeans.buffer(),
                  runningVariances.buffer(),
                  MOMENTUM));
    }
    var expected =
        BatchNormReference.forward(
            s,
            doubles(x),
            doublesOrNull(weights),
            doubles(gamma),
            doubles(beta),
            doublesOrNull(residual),
            doubles(runningMean),
            doubles(runningVariance),
            MOMENTUM);
    double[] omega = BatchNormReference.elementWeights(s, doublesOrNull(weights));
    double squaredWeights = Arrays.stream(omega).map(w -> w * w).sum();
    double correction = squaredWeights < 1 ? 1 - squaredWeights : 1;
    int channels = s.channels();
    double[] meanBounds = new double[channels];
    double[] inverseBounds = new double[channels];
    double[] runningMeanBounds = new double[channels];
    double[] runningVarianceBounds = new double[channels];
    for (int c = 0; c < channels; c++) {
      double mu = expected.mean()[c];
      double inv = expected.inverseDeviation()[c];
      double variance = Math.max(0, 1 / (inv * inv) - s.epsilon());
      // A term's difference from the value it is taken around, and its product, round. That value
      // must still not be an outlier.
      double range = t.floatMoments() && kind == Kind.USUAL ? range(x, c, channels) : 0;
      meanBounds[c] =
          4 * U * Math.abs(mu) + DEPTH * U * Math.sqrt(variance) + FLOAT_DEPTH * U * range;
      // A variance around a mean that is off by so much is larger by its square.
      double varianceBound =
          DEPTH * U * variance + FLOAT_DEPTH * U * range * range + meanBounds[c] * meanBounds[c];
      inverseBounds[c] = inv * (2 * U + varianceBound / (2 * (variance + s.epsilon())));
      runningMeanBounds[c] =
          4 * U * Math.abs(runningMean[c]) + MOMENTUM * (meanBounds[c] + 4 * U * Math.abs(mu));
      // The correction itself is a difference from 1.
      double estimate = variance / correction;
      runningVarianceBounds[c] =
          4 * U * runningVariance[c]
              + MOMENTUM * (varianceBound / correction + (4 * U + 1e-15 / correction) * estimate);
    }
    t.check("mean", mean, expected.mean(), meanBounds);
    t.check("inverse deviation", inverse, expected.inverseDeviation(), inverseBounds);
    t.check("running mean", runningMeans, expected.runningMean(), runningMeanBounds);
    t.check(
        "running variance", runningVariances, expected.runningVariance(), runningVarianceBounds);
    t.check(
        "y",
        y,
        expected.y(),
        outputBounds(
            s,
            x,
            gamma,
            beta,
            residual,
            expected.mean(),
            meanBounds,
            expected.inverseDeviation(),
            inverseBounds));
  }

  private static double range(float[] x, int channel, int channels) {
    double least = x[channel];
    double most = least;
    for (int i = channel; i < x.length; i += channels) {
      least = Math.min(least, x[i]);
      most = Math.max(most, x[i]);
    }
    return most - least;
  }

  private static double[] outputBounds(
      BatchNormShape s,
      float[] x,
      float[] gamma,
      float[] beta,
      float[] residual,
      double[] mean,
      double[] meanBounds,
      double[] inverse,
      double[] inverseBounds) {
    double[] bounds = new double[x.length];
    for (int i = 0; i < bounds.length; i++) {
      int c = i % s.channels();
      double ofInputs = meanBounds[c] + 4 * U * (Math.abs(x[i]) + Math.abs(mean[c]));
      double difference = Math.abs(x[i] - mean[c]);
      double ofNormal =
          inverse[c] * ofInputs + (inverseBounds[c] + 4 * U * inverse[c]) * difference;
      double added = Math.abs(beta[c]) + (residual == null ? 0 : Math.abs(residual[i]));
      bounds[i] = Math.abs(gamma[c]) * ofNormal + 4 * U * added + Float.MIN_NORMAL;
    }
    return bounds;
  }

  private static float[] positive(Trial t, BatchNormShape s) {
    float[] values = t.uniform(s.channels());
    for (int c = 0; c < values.length; c++) {
      values[c] = 1.1f + values[c];
    }
    return values;
  }

  private static void forwardRunning(Backend backend, Trial t, BatchNormShape s, Kind kind) {
    float[] x = inputs(t, s, kind);
    float[] gamma = t.uniform(s.channels());
    float[] beta = t.uniform(s.channels());
    float[] residual = residual(t, s);
    float[] mean = t.uniform(s.channels());
    for (int c = 0; c < mean.length; c++) {
      mean[c] += kind == Kind.FAR ? 1000 : 0;
    }
    float[] variance = positive(t, s);
    var xs = t.activationInput(x);
    var gammas = t.input(gamma);
    var betas = t.input(beta);
    var residuals = activationsOrNull(t, residual);
    var means = t.input(mean);
    var variances = t.input(variance);
    var y = t.activationOutput(s.count());
    try (BatchNorm op = backend.batchNorm(s)) {
      t.run(
          () ->
              op.forwardRunning(
                  xs.buffer(),
                  gammas.buffer(),
                  betas.buffer(),
                  means.buffer(),
                  variances.buffer(),
                  bufferOrNull(residuals),
                  y.buffer()));
    }
    double[] inverse = BatchNormReference.inverses(s, doubles(variance));
    t.check(
        "y",
        y,
        BatchNormReference.forwardRunning(
            s,
            doubles(x),
            doubles(gamma),
            doubles(beta),
            doubles(mean),
            doubles(variance),
            doublesOrNull(residual)),
        outputBounds(
            s,
            x,
            gamma,
            beta,
            residual,
            doubles(mean),
            new double[s.channels()],
            inverse,
            ErrorBounds.relative(4 * U, inverse, 0)));
  }

  /** Operands of a backward pass; statistics are those of the inputs, rounded. */
  private record BackwardInputs(
      float[] x,
      float[] y,
      float[] dy,
      float[] weights,
      float[] gamma,
      float[] beta,
      float[] mean,
      float[] inverse) {

    static BackwardInputs of(Trial t, BatchNormShape s, Kind kind, float[] weights) {
      float[] x = inputs(t, s, kind);
      double[] zeros = new double[s.channels()];
      var forward =
          BatchNormReference.forward(
              new BatchNormShape(s.batch(), s.positions(), s.channels(), s.epsilon(), Fusion.NONE),
              doubles(x),
              doublesOrNull(weights),
              zeros,
              zeros,
              null,
              zeros,
              zeros,
              0);
      float[] mean = floats(forward.mean());
      float[] inverse = floats(forward.inverseDeviation());
      float[] gamma = t.uniform(s.channels());
      float[] beta = t.uniform(s.channels());
      float[] dy = t.activations(s.count());
      float[] y = outputs(t, s, x, gamma, beta, doubles(mean), doubles(inverse), dy);
      return new BackwardInputs(x, y, dy, weights, gamma, beta, mean, inverse);
    }

    BatchNormReference.Backward expected(BatchNormShape s) {
      return BatchNormReference.backward(
          s,
          doubles(x),
          doubles(y),
          doubles(dy),
          doublesOrNull(weights),
          doubles(gamma),
          doubles(mean),
          doubles(inverse));
    }
  }

  /**
   * Outputs that decide what a rectifier lets through. Behind a residual they may be anything,
   * zeros and negative numbers too. Else a backend may find them out from x; where they are too
   * near to 0 for that to be certain the gradient is cleared, which makes either way right.
   */
  private static float[] outputs(
      Trial t,
      BatchNormShape s,
      float[] x,
      float[] gamma,
      float[] beta,
      double[] mean,
      double[] inverse,
      float[] dy) {
    if (s.fusion() != Fusion.RELU) {
      return t.ties(s.count());
    }
    float[] y = new float[x.length];
    int cleared = 0;
    for (int i = 0; i < y.length; i++) {
      int c = i % s.channels();
      double scale = gamma[c] * inverse[c];
      double output = scale * (x[i] - mean[c]) + beta[c];
      double size = Math.abs(scale) * (Math.abs(x[i]) + Math.abs(mean[c])) + Math.abs(beta[c]);
      if (Math.abs(output) < 8 * U * size) {
        dy[i] = 0;
        cleared++;
      }
      y[i] = (float) Math.max(0, output);
    }
    assertTrue(cleared <= y.length / 2, cleared + " of " + y.length + " gradients are cleared");
    return y;
  }

  private static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  private static void backward(
      Backend backend, Trial t, BatchNormShape s, Kind kind, float[] weights, boolean wanted) {
    var in = BackwardInputs.of(t, s, kind, weights);
    var dy = t.activationInput(in.dy());
    var dx = wanted ? t.activationOutput(s.count()) : null;
    var dresidual = s.fusion() == Fusion.ADD_RELU ? t.activationOutput(s.count()) : null;
    backward(backend, t, s, in, dy, dx, dresidual);
  }

  private static void inPlace(Backend backend, Trial t, BatchNormShape s) {
    var in = BackwardInputs.of(t, s, Kind.USUAL, weights(t, s));
    var dy = t.activationUpdated(in.dy());
    var dresidual = s.fusion() == Fusion.ADD_RELU ? t.activationOutput(s.count()) : null;
    backward(backend, t, s, in, dy, dy, dresidual);
  }

  private static void residualInPlace(Backend backend, Trial t, BatchNormShape s) {
    var in = BackwardInputs.of(t, s, Kind.USUAL, weights(t, s));
    boolean added = s.fusion() == Fusion.ADD_RELU;
    var dy = added ? t.activationUpdated(in.dy()) : t.activationInput(in.dy());
    var dx = t.activationOutput(s.count());
    backward(backend, t, s, in, dy, dx, added ? dy : null);
  }

  private static void backward(
      Backend backend,
      Trial t,
      BatchNormShape s,
      BackwardInputs in,
      Trial.Operand dy,
      Trial.Operand dx,
      Trial.Operand dresidual) {
    var xs = t.activationInput(in.x());
    // Where nothing is added the output may be gone.
    var ys = s.fusion() == Fusion.ADD_RELU ? t.activationInput(in.y()) : null;
    var ws = inputOrNull(t, in.weights());
    var gammas = t.input(in.gamma());
    var betas = t.input(in.beta());
    var means = t.input(in.mean());
    var inverses = t.input(in.inverse());
    var dgamma = t.output(s.channels());
    var dbeta = t.output(s.channels());
    try (BatchNorm op = backend.batchNorm(s)) {
      t.run(
          () ->
              op.backward(
                  xs.buffer(),
                  bufferOrNull(ys),
                  dy.buffer(),
                  bufferOrNull(ws),
                  gammas.buffer(),
                  betas.buffer(),
                  means.buffer(),
                  inverses.buffer(),
                  bufferOrNull(dx),
                  dgamma.buffer(),
                  dbeta.buffer(),
                  bufferOrNull(dresidual)));
    }
    var expected = in.expected(s);
    double[] delta = expected.dresidual();
    double[] absolute = new double[s.channels()];
    double[] absoluteProducts = new double[s.channels()];
    for (int i = 0; i < delta.length; i++) {
      int c = i % s.channels();
      absolute[c] += Math.abs(delta[i]);
      absoluteProducts[c] +=
          Math.abs(delta[i]) * magnitude(in.x()[i], in.mean()[c]) * in.inverse()[c];
    }
    double gamma = sumBound((double) s.batch() * s.positions());
    double[] dbetaBounds = ErrorBounds.relative(gamma, absolute, 0);
    double[] dgammaBounds = ErrorBounds.relative(gamma + 4 * U, absoluteProducts, 0);
    t.check("dbeta", dbeta, expected.dbeta(), dbetaBounds);
    t.check("dgamma", dgamma, expected.dgamma(), dgammaBounds);
    if (dresidual != null) {
      t.checkExact("dresidual", dresidual, delta);
    }
    if (dx != null) {
      double[] omega = BatchNormReference.elementWeights(s, doublesOrNull(in.weights()));
      double[] bounds = new double[delta.length];
      for (int i = 0; i < bounds.length; i++) {
        int c = i % s.channels();
        double inverse = in.inverse()[c];
        double normal = Math.abs(in.x()[i] - in.mean()[c]) * inverse;
        double normalBound = 4 * U * magnitude(in.x()[i], in.mean()[c]) * inverse;
        double sums = Math.abs(expected.dbeta()[c]) + normal * Math.abs(expected.dgamma()[c]);
        double ofSums =
            dbetaBounds[c]
                + normal * dgammaBounds[c]
                + normalBound * Math.abs(expected.dgamma()[c])
                + 8 * U * sums;
        double all = 8 * U * Math.abs(delta[i]) + omega[i / s.channels()] * ofSums;
        bounds[i] = Math.abs(in.gamma()[c]) * inverse * all + Float.MIN_NORMAL;
      }
      t.check("dx", dx, expected.dx(), bounds);
    }
  }

  private static double magnitude(double x, double mean) {
    return Math.abs(x) + Math.abs(mean);
  }

  /** Relative error of a sum of so many terms that is taken in blocks. */
  private static double sumBound(double terms) {
    return U * Math.min(terms + 3, 2 * DEPTH);
  }

  private static void backwardRunning(Backend backend, Trial t, BatchNormShape s, boolean wanted) {
    var in = RunningInputs.of(t, s);
    var dx = wanted ? t.activationOutput(s.count()) : null;
    var dresidual = s.fusion() == Fusion.ADD_RELU ? t.activationOutput(s.count()) : null;
    backwardRunning(backend, t, s, in, t.activationInput(in.dy()), dx, dresidual);
  }

  private static void runningInPlace(Backend backend, Trial t, BatchNormShape s) {
    var in = RunningInputs.of(t, s);
    var dys = t.activationUpdated(in.dy());
    var dresidual = s.fusion() == Fusion.ADD_RELU ? t.activationOutput(s.count()) : null;
    backwardRunning(backend, t, s, in, dys, dys, dresidual);
  }

  /** Operands of a backward pass behind running statistics. */
  private record RunningInputs(
      float[] x,
      float[] y,
      float[] dy,
      float[] gamma,
      float[] beta,
      float[] mean,
      float[] variance) {

    static RunningInputs of(Trial t, BatchNormShape s) {
      float[] x = inputs(t, s, Kind.USUAL);
      float[] gamma = t.uniform(s.channels());
      float[] beta = t.uniform(s.channels());
      float[] mean = t.uniform(s.channels());
      float[] variance = positive(t, s);
      float[] dy = t.activations(s.count());
      double[] inverse = BatchNormReference.inverses(s, doubles(variance));
      float[] y = outputs(t, s, x, gamma, beta, doubles(mean), inverse, dy);
      return new RunningInputs(x, y, dy, gamma, beta, mean, variance);
    }

    BatchNormReference.RunningBackward expected(BatchNormShape s) {
      return expected(s, doubles(x), doubles(dy), doubles(mean));
    }

    BatchNormReference.RunningBackward expected(
        BatchNormShape s, double[] x, double[] dy, double[] mean) {
      return BatchNormReference.backwardRunning(
          s, x, doubles(y), dy, doubles(gamma), mean, doubles(variance));
    }
  }

  private static void backwardRunning(
      Backend backend,
      Trial t,
      BatchNormShape s,
      RunningInputs in,
      Trial.Operand dys,
      Trial.Operand dx,
      Trial.Operand dresidual) {
    var expected = in.expected(s);
    float[] before = ConformanceCases.ofTheSize(t, expected.squaredNorms());
    var xs = t.activationInput(in.x());
    var ys = s.fusion() == Fusion.ADD_RELU ? t.activationInput(in.y()) : null;
    var gammas = t.input(in.gamma());
    var betas = t.input(in.beta());
    var means = t.input(in.mean());
    var variances = t.input(in.variance());
    var norms = t.updated(before);
    try (BatchNorm op = backend.batchNorm(s)) {
      t.run(
          () ->
              op.backwardRunning(
                  xs.buffer(),
                  bufferOrNull(ys),
                  dys.buffer(),
                  gammas.buffer(),
                  betas.buffer(),
                  means.buffer(),
                  variances.buffer(),
                  bufferOrNull(dx),
                  bufferOrNull(dresidual),
                  norms.buffer()));
    }
    if (dx != null) {
      t.check(
          "dx", dx, expected.dx(), ErrorBounds.relative(8 * U, expected.dx(), Float.MIN_NORMAL));
    }
    if (dresidual != null) {
      t.checkExact("dresidual", dresidual, expected.dresidual());
    }
    // The norms that the absolute values of all terms would give.
    double[] absoluteInputs = new double[in.x().length];
    for (int i = 0; i < absoluteInputs.length; i++) {
      absoluteInputs[i] = magnitude(in.x()[i], in.mean()[i % s.channels()]);
    }
    double[] sums =
        in.expected(
                s, absoluteInputs, ErrorBounds.absolute(doubles(in.dy())), new double[s.channels()])
            .squaredNorms();
    double depth = 4 * (sumBound(s.positions()) + sumBound(s.channels()) + 4 * U);
    ConformanceCases.checkAdded(t, norms, before, expected.squaredNorms(), sums, depth);
  }

  /** How many of {@link #results}, the first ones, are activations. */
  private static final int ACTIVATION_RESULTS = 2;

  /** All results of a pass there and back: y and dx, then what there is of each channel. */
  private static List<float[]> results(
      Backend backend, BatchNormShape s, float[] x, float[] dy, float[] weights, float[] residual) {
    List<Buffer> buffers = new ArrayList<>();
    try (BatchNorm op = backend.batchNorm(s)) {
      Buffer[] perChannel = new Buffer[8];
      for (int i = 0; i < perChannel.length; i++) {
        perChannel[i] = filled(backend, buffers, new float[s.channels()]);
      }
      float[] ones = new float[s.channels()];
      Arrays.fill(ones, 1f);
      perChannel[0].upload(ones);
      Buffer xs = activations(backend, buffers, x);
      Buffer ws = weights == null ? null : filled(backend, buffers, weights);
      Buffer residuals = residual == null ? null : activations(backend, buffers, residual);
      Buffer y = activations(backend, buffers, x);
      Buffer dys = activations(backend, buffers, dy);
      Buffer dx = activations(backend, buffers, x);
      Buffer dresidual = residual == null ? null : activations(backend, buffers, x);
      op.forward(
          xs,
          ws,
          perChannel[0],
          perChannel[1],
          residuals,
          y,
          perChannel[2],
          perChannel[3],
          perChannel[4],
          perChannel[5],
          MOMENTUM);
      op.backward(
          xs,
          y,
          dys,
          ws,
          perChannel[0],
          perChannel[1],
          perChannel[2],
          perChannel[3],
          dx,
          perChannel[6],
          perChannel[7],
          dresidual);
      List<float[]> results = new ArrayList<>();
      results.add(y.toFloats());
      results.add(dx.toFloats());
      for (int i = 2; i < perChannel.length; i++) {
        results.add(perChannel[i].toFloats());
      }
      return results;
    } finally {
      buffers.forEach(Buffer::close);
    }
  }

  private static Buffer activations(Backend backend, List<Buffer> buffers, float[] values) {
    return filled(backend, buffers, backend.activations(), values);
  }

  private static Buffer filled(Backend backend, List<Buffer> buffers, float[] values) {
    return filled(backend, buffers, DType.FLOAT32, values);
  }

  private static Buffer filled(Backend backend, List<Buffer> buffers, DType type, float[] values) {
    Buffer buffer = backend.allocate(type, values.length);
    buffers.add(buffer);
    buffer.upload(values);
    return buffer;
  }

  /** To float rounding: the largest difference is a few units in the last place of the largest. */
  private static void equalWeights(Backend backend, Trial t, BatchNormShape s) {
    float[] x = inputs(t, s, Kind.USUAL);
    float[] dy = t.activations(s.count());
    float[] residual = residual(t, s);
    float[] weights = new float[s.batch()];
    Arrays.fill(weights, 0.37f);
    List<float[]> plain = results(backend, s, x, dy, null, residual);
    List<float[]> weighted = results(backend, s, x, dy, weights, residual);
    for (int i = 0; i < plain.size(); i++) {
      double[] expected = doubles(plain.get(i));
      double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
      assertTrue(largest > 0, "result " + i + " is zero, so nothing is compared");
      double[] bounds = new double[expected.length];
      Arrays.fill(bounds, 8 * U * largest);
      if (i < ACTIVATION_RESULTS) { // of which both were rounded
        bounds = Trial.rounded(2 * t.unit(), expected, bounds);
      }
      t.check("result " + i + " of equal weights", weighted.get(i), expected, bounds);
    }
  }

  /** Statistics without a meaning must not look like some. */
  private static void uselessWeights(Backend backend, Trial t, BatchNormShape s, float last) {
    float[] weights = new float[s.batch()];
    weights[s.batch() - 1] = last;
    List<float[]> results =
        results(
            backend, s, inputs(t, s, Kind.USUAL), t.uniform(s.count()), weights, residual(t, s));
    // y and dx may be zero behind a rectifier, and the sums of what that lets through too.
    int from = s.fusion() == Fusion.NONE ? 0 : 2;
    int to = s.fusion() == Fusion.NONE ? results.size() - 1 : 6;
    for (int i = from; i < to; i++) {
      for (float value : results.get(i)) {
        assertTrue(Float.isNaN(value), "result " + i + ": " + value);
      }
    }
  }

  private static void spoil(Backend backend, BatchNormShape s) {
    float[] nans = new float[(int) s.count()];
    Arrays.fill(nans, Float.NaN);
    results(backend, s, nans, nans, null, s.fusion() == Fusion.ADD_RELU ? nans : null);
  }
}
