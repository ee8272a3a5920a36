package dev.rais.backend;

import static dev.rais.backend.DType.FLOAT32;
import static dev.rais.backend.ErrorBounds.U;
import static dev.rais.backend.ErrorBounds.absolute;
import static dev.rais.backend.ErrorBounds.doubles;
import static dev.rais.backend.ErrorBounds.gamma;
import static dev.rais.backend.ErrorBounds.ofSums;
import static dev.rais.backend.ErrorBounds.relative;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.random.Philox;
import dev.rais.reference.Bfloat16;
import dev.rais.reference.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.BiConsumer;
import java.util.zip.CRC32;

/**
 * The conformance table: what every backend must compute, compared with {@link Reference}.
 *
 * <p>To add a shape, add it to the list of its operation. To add an operation, write one method
 * that appends its cases and call it in {@link #all}; the suite fails until each {@link Op} has a
 * case.
 */
final class ConformanceCases {
  /** Sizes around the widths of vectors, cache lines and blocks. */
  private static final int[] AWKWARD = {
    1, 2, 3, 5, 7, 13, 17, 31, 33, 63, 65, 127, 129, 1023, 1025
  };

  /** Long enough for every backend to use all its threads. */
  private static final int LONG = 262_147;

  private static final String GOLDEN = "b98278a2";

  private final List<Case> cases = new ArrayList<>();

  private ConformanceCases() {}

  /**
   * The table.
   *
   * @param activations their type
   */
  static List<Case> all(DType activations) {
    var table = new ConformanceCases();
    table.convolutions();
    table.linears();
    table.maxPools();
    table.relus();
    table.lossLayers();
    table.gathers();
    table.sgds();
    table.norms();
    table.cases.addAll(BatchNormCases.all());
    table.cases.addAll(ResidualCases.all());
    if (activations == DType.FLOAT32) {
      for (Placement place : PLACES) {
        table.add(Op.GATHER, "golden bits at the " + place, (b, t) -> golden(b, t, place));
      }
      table.cases.add(ResidualCases.golden());
    } else {
      table.roundings();
    }
    return table.cases;
  }

  private void convolutions() {
    int[][] shapes = {
      // batch, height, width, channels in, out, kernel, stride, padding
      {1, 1, 1, 1, 1, 1, 1, 0},
      {1, 5, 5, 1, 1, 3, 1, 0},
      {2, 3, 7, 2, 3, 3, 1, 1},
      {3, 7, 5, 3, 5, 3, 2, 1},
      {5, 13, 17, 5, 7, 5, 1, 2},
      {2, 9, 9, 7, 13, 3, 2, 0},
      {2, 8, 6, 4, 4, 2, 2, 0},
      {1, 33, 31, 3, 17, 7, 2, 3},
      {7, 4, 4, 31, 33, 3, 1, 1},
      {1, 3, 3, 65, 63, 3, 1, 1},
      {2, 2, 3, 127, 129, 1, 1, 0},
      {3, 5, 5, 33, 17, 1, 2, 0},
      {1, 3, 2, 13, 1025, 1, 1, 0},
      {1, 4, 4, 129, 2, 3, 1, 1},
      {1, 5, 5, 2, 3, 1, 3, 0},
      {65, 3, 3, 2, 3, 3, 1, 0},
      {3, 28, 28, 1, 20, 5, 1, 0}, // LeNet
      {3, 12, 12, 20, 50, 5, 1, 0},
      {2, 32, 32, 3, 16, 3, 1, 1}, // ResNet-20
      {2, 32, 32, 16, 32, 3, 2, 1},
      {2, 8, 8, 64, 64, 3, 1, 1},
      {1, 32, 32, 3, 64, 3, 1, 1}, // ResNet-18 for CIFAR
      {1, 16, 16, 64, 128, 3, 2, 1},
      {2, 16, 16, 64, 128, 1, 2, 0},
      {1, 4, 4, 256, 512, 3, 1, 1},
    };
    for (int[] n : shapes) {
      var shape = new ConvolutionShape(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]);
      String name = Arrays.toString(n) + " (batch, height, width, in, out, kernel, stride, pad)";
      add(Op.CONVOLUTION, "forward " + name, (b, t) -> convolutionForward(b, t, shape));
      add(Op.CONVOLUTION, "backward to data " + name, (b, t) -> convolutionData(b, t, shape));
      add(Op.CONVOLUTION, "backward to weights " + name, (b, t) -> convolutionWeights(b, t, shape));
      add(Op.CONVOLUTION_GRADIENT_NORMS, name, (b, t) -> convolutionNorms(b, t, shape, false));
    }
    int[][] withoutBias = {
      {2, 5, 7, 3, 5, 3, 1, 1},
      {3, 2, 2, 65, 33, 3, 2, 1},
      {2, 8, 8, 16, 32, 1, 2, 0},
      {35, 4, 4, 128, 144, 3, 1, 1}, // wide enough for other ways than the direct one
    };
    for (int[] n : withoutBias) {
      var shape =
          new ConvolutionShape(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]).withoutBias();
      String name = "without a bias " + Arrays.toString(n);
      add(Op.CONVOLUTION, "forward " + name, (b, t) -> convolutionForward(b, t, shape));
      add(Op.CONVOLUTION, "backward to data " + name, (b, t) -> convolutionData(b, t, shape));
      add(Op.CONVOLUTION, "backward to weights " + name, (b, t) -> convolutionWeights(b, t, shape));
      add(Op.CONVOLUTION_GRADIENT_NORMS, name, (b, t) -> convolutionNorms(b, t, shape, false));
    }
    for (int[] n : new int[][] {{2, 5, 5, 3, 5, 3, 1, 1}, {3, 3, 3, 65, 63, 3, 1, 1}}) {
      var shape = new ConvolutionShape(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]);
      String name = "after NaNs " + Arrays.toString(n);
      afterNaNs(Op.CONVOLUTION, "forward " + name, (b, t) -> convolutionForward(b, t, shape));
      afterNaNs(Op.CONVOLUTION, "to data " + name, (b, t) -> convolutionData(b, t, shape));
      afterNaNs(Op.CONVOLUTION, "to weights " + name, (b, t) -> convolutionWeights(b, t, shape));
      afterNaNs(
          Op.CONVOLUTION_GRADIENT_NORMS, name, (b, t) -> convolutionNorms(b, t, shape, false));
    }
    // Positions few and channels many: backends may take another way to the norm there.
    var gram = new ConvolutionShape(5, 2, 2, 65, 129, 3, 1, 1);
    add(
        Op.CONVOLUTION_GRADIENT_NORMS,
        "few positions",
        (b, t) -> convolutionNorms(b, t, gram, false));
    add(
        Op.CONVOLUTION_GRADIENT_NORMS,
        "positions that cancel",
        (b, t) -> convolutionNorms(b, t, gram, true));
  }

  private static void convolutionForward(Backend backend, Trial t, ConvolutionShape s) {
    float[] x = t.activations(s.inputCount());
    float[] w = t.activations(s.weightCount());
    float[] b = t.uniform(s.outputChannels());
    var xs = t.activationInput(x);
    var ws = t.activationInput(w);
    var bs = t.input(b);
    Buffer bias = s.bias() ? bs.buffer() : null;
    var y = t.activationOutput(s.outputCount());
    try (Convolution op = backend.convolution(s)) {
      t.run(() -> op.forward(xs.buffer(), ws.buffer(), bias, y.buffer()));
    }
    double[] sums =
        Reference.convolution(s, absolute(doubles(x)), absolute(doubles(w)), absolute(doubles(b)));
    t.check(
        "y",
        y,
        Reference.convolution(s, doubles(x), doubles(w), doubles(b)),
        withoutBias(
            t,
            s.bias(),
            ofSums(s.patch(), sums),
            Reference.convolution(s, doubles(x), doubles(w), new double[b.length])));
  }

  /**
   * Bounds that also hold where the sums were rounded to the type of activations before the bias
   * was added.
   *
   * @param sums without the bias
   */
  private static double[] withoutBias(Trial t, boolean bias, double[] bounds, double[] sums) {
    return bias ? Trial.rounded(t.unit(), sums, bounds) : bounds;
  }

  private static void convolutionData(Backend backend, Trial t, ConvolutionShape s) {
    float[] dy = t.activations(s.outputCount());
    float[] w = t.activations(s.weightCount());
    var dys = t.activationInput(dy);
    var ws = t.activationInput(w);
    var dx = t.activationOutput(s.inputCount());
    try (Convolution op = backend.convolution(s)) {
      t.run(() -> op.backwardData(dys.buffer(), ws.buffer(), dx.buffer()));
    }
    double[] sums =
        Reference.convolutionBackwardData(s, absolute(doubles(dy)), absolute(doubles(w)));
    t.check(
        "dx",
        dx,
        Reference.convolutionBackwardData(s, doubles(dy), doubles(w)),
        ofSums((double) s.kernel() * s.kernel() * s.outputChannels(), sums));
  }

  private static void convolutionWeights(Backend backend, Trial t, ConvolutionShape s) {
    float[] x = t.activations(s.inputCount());
    float[] dy = t.activations(s.outputCount());
    var xs = t.activationInput(x);
    var dys = t.activationInput(dy);
    var dw = t.output(s.weightCount());
    var db = s.bias() ? t.output(s.outputChannels()) : null;
    Buffer bias = s.bias() ? db.buffer() : null;
    try (Convolution op = backend.convolution(s)) {
      t.run(() -> op.backwardWeights(xs.buffer(), dys.buffer(), dw.buffer(), bias));
    }
    var expected = Reference.convolutionBackwardWeights(s, doubles(x), doubles(dy));
    var sums = Reference.convolutionBackwardWeights(s, absolute(doubles(x)), absolute(doubles(dy)));
    double terms = (double) s.outputCount() / s.outputChannels();
    // Sums are floats, but a library may leave them in the type of activations.
    double[] bounds = ofSums(terms, sums.weights());
    t.check("dw", dw, expected.weights(), Trial.rounded(t.unit(), expected.weights(), bounds));
    if (s.bias()) {
      t.check("db", db, expected.bias(), ofSums(terms, sums.bias()));
    }
  }

  /**
   * The bound is γ Σ_ok A_ok², with A = Σ_s |δ_s| ⊗ |patch_s| the gradient of absolute values: it
   * covers both ways to the norm, ‖Σ_s δ_s ⊗ patch_s‖² and Σ_st (δ_s·δ_t)(patch_s·patch_t).
   */
  private static void convolutionNorms(
      Backend backend, Trial t, ConvolutionShape s, boolean cancel) {
    float[] x = t.activations(s.inputCount());
    float[] dy = t.activations(s.outputCount());
    if (cancel) {
      // All inputs equal and gradients that sum to nearly nothing: a gradient near zero.
      Arrays.fill(x, 1f);
      for (int i = 0; i + s.outputChannels() < dy.length; i += 2 * s.outputChannels()) {
        for (int o = 0; o < s.outputChannels(); o++) {
          dy[i + s.outputChannels() + o] = -dy[i + o];
        }
      }
    }
    double[] expected = Reference.convolutionSquaredNorms(s, doubles(x), doubles(dy));
    float[] before = ofTheSize(t, expected);
    var xs = t.activationInput(x);
    var dys = t.activationInput(dy);
    var norms = t.updated(before);
    try (Convolution op = backend.convolution(s)) {
      t.run(() -> op.addExampleSquaredNorms(xs.buffer(), dys.buffer(), norms.buffer()));
    }
    double[] sums =
        Reference.convolutionSquaredNorms(s, absolute(doubles(x)), absolute(doubles(dy)));
    double positions = (double) s.outputHeight() * s.outputWidth();
    double gamma = 2 * gamma(positions + s.patch() + s.outputChannels());
    checkAdded(t, norms, before, expected, sums, gamma);
  }

  /** Earlier norms to add to: as large as the new ones, or a missing addition would not show. */
  static float[] ofTheSize(Trial t, double[] norms) {
    float[] before = t.uniform(norms.length);
    for (int j = 0; j < before.length; j++) {
      before[j] = (float) ((1 + Math.abs(before[j])) * norms[j]);
    }
    return before;
  }

  static void checkAdded(
      Trial t,
      Trial.Operand norms,
      float[] before,
      double[] expected,
      double[] sums,
      double gamma) {
    double[] bounds = new double[before.length];
    for (int j = 0; j < before.length; j++) {
      expected[j] += before[j];
      bounds[j] = gamma * sums[j] + 4 * U * (Math.abs(before[j]) + Math.abs(expected[j]));
    }
    t.check("squared norms", norms, expected, bounds);
  }

  private void linears() {
    int[][] shapes = {
      // batch, inputs, outputs
      {1, 1, 1},
      {1, 2, 3},
      {2, 1, 5},
      {3, 7, 1},
      {5, 13, 17},
      {7, 33, 31},
      {13, 63, 65},
      {17, 129, 127},
      {1, 1023, 1025},
      {65, 5, 2},
      {127, 3, 7},
      {129, 17, 13},
      {3, 1025, 33},
      {2, 31, 1023},
      {8, 800, 500},
      {128, 500, 10},
      {16, 784, 300},
      {4, 512, 100},
      {64, 64, 10}, // networks' own
    };
    for (int[] n : shapes) {
      var shape = new LinearShape(n[0], n[1], n[2]);
      String name = Arrays.toString(n) + " (batch, inputs, outputs)";
      add(Op.LINEAR, "forward " + name, (b, t) -> linearForward(b, t, shape));
      add(Op.LINEAR, "backward to data " + name, (b, t) -> linearData(b, t, shape));
      add(Op.LINEAR, "backward to weights " + name, (b, t) -> linearWeights(b, t, shape));
      add(Op.LINEAR_GRADIENT_NORMS, name, (b, t) -> linearNorms(b, t, shape));
    }
    for (int[] n : new int[][] {{5, 13, 17}, {66, 31, 65}, {1, 1, 1}}) {
      var shape = new LinearShape(n[0], n[1], n[2]);
      String name = "after NaNs " + Arrays.toString(n);
      afterNaNs(Op.LINEAR, "forward " + name, (b, t) -> linearForward(b, t, shape));
      afterNaNs(Op.LINEAR, "to data " + name, (b, t) -> linearData(b, t, shape));
      afterNaNs(Op.LINEAR, "to weights " + name, (b, t) -> linearWeights(b, t, shape));
    }
  }

  /**
   * A diverged step must not spoil the next: backends keep their working memory, and 0 · NaN is
   * NaN.
   */
  private void afterNaNs(Op op, String name, BiConsumer<Backend, Trial> body) {
    var convolution = new ConvolutionShape(3, 5, 5, 67, 71, 3, 1, 1);
    var linear = new LinearShape(71, 613, 67);
    add(
        op,
        name,
        (b, t) -> {
          spoil(b, convolution);
          spoil(b, linear);
          body.accept(b, t);
        });
  }

  private static void spoil(Backend backend, ConvolutionShape s) {
    try (Convolution op = backend.convolution(s);
        Buffer x = nans(backend, backend.activations(), s.inputCount());
        Buffer w = nans(backend, backend.activations(), s.weightCount());
        Buffer b = nans(backend, FLOAT32, s.outputChannels());
        Buffer y = nans(backend, backend.activations(), s.outputCount());
        Buffer dw = nans(backend, FLOAT32, s.weightCount());
        Buffer norms = nans(backend, FLOAT32, s.batch())) {
      op.forward(x, w, b, y);
      op.backwardWeights(x, y, dw, b);
      op.addExampleSquaredNorms(x, y, norms);
      op.backwardData(y, w, x);
    }
  }

  private static void spoil(Backend backend, LinearShape s) {
    try (Linear op = backend.linear(s);
        Buffer x = nans(backend, backend.activations(), s.inputCount());
        Buffer w = nans(backend, backend.activations(), s.weightCount());
        Buffer b = nans(backend, FLOAT32, s.outputs());
        Buffer y = nans(backend, backend.activations(), s.outputCount());
        Buffer dw = nans(backend, FLOAT32, s.weightCount());
        Buffer norms = nans(backend, FLOAT32, s.batch())) {
      op.forward(x, w, b, y);
      op.backwardWeights(x, y, dw, b);
      op.addExampleSquaredNorms(x, y, norms);
      op.backwardData(y, w, x);
    }
  }

  private static Buffer nans(Backend backend, DType type, long count) {
    float[] values = new float[(int) count];
    Arrays.fill(values, Float.NaN);
    Buffer buffer = backend.allocate(type, count);
    buffer.upload(values);
    return buffer;
  }

  private static void linearForward(Backend backend, Trial t, LinearShape s) {
    float[] x = t.activations(s.inputCount());
    float[] w = t.activations(s.weightCount());
    float[] b = t.uniform(s.outputs());
    var xs = t.activationInput(x);
    var ws = t.activationInput(w);
    var bs = t.input(b);
    var y = t.activationOutput(s.outputCount());
    try (Linear op = backend.linear(s)) {
      t.run(() -> op.forward(xs.buffer(), ws.buffer(), bs.buffer(), y.buffer()));
    }
    double[] sums =
        Reference.linear(s, absolute(doubles(x)), absolute(doubles(w)), absolute(doubles(b)));
    t.check(
        "y",
        y,
        Reference.linear(s, doubles(x), doubles(w), doubles(b)),
        withoutBias(
            t,
            true,
            ofSums(s.inputs(), sums),
            Reference.linear(s, doubles(x), doubles(w), new double[b.length])));
  }

  private static void linearData(Backend backend, Trial t, LinearShape s) {
    float[] dy = t.activations(s.outputCount());
    float[] w = t.activations(s.weightCount());
    var dys = t.activationInput(dy);
    var ws = t.activationInput(w);
    var dx = t.activationOutput(s.inputCount());
    try (Linear op = backend.linear(s)) {
      t.run(() -> op.backwardData(dys.buffer(), ws.buffer(), dx.buffer()));
    }
    double[] sums = Reference.linearBackwardData(s, absolute(doubles(dy)), absolute(doubles(w)));
    t.check(
        "dx",
        dx,
        Reference.linearBackwardData(s, doubles(dy), doubles(w)),
        ofSums(s.outputs(), sums));
  }

  private static void linearWeights(Backend backend, Trial t, LinearShape s) {
    float[] x = t.activations(s.inputCount());
    float[] dy = t.activations(s.outputCount());
    var xs = t.activationInput(x);
    var dys = t.activationInput(dy);
    var dw = t.output(s.weightCount());
    var db = t.output(s.outputs());
    try (Linear op = backend.linear(s)) {
      t.run(() -> op.backwardWeights(xs.buffer(), dys.buffer(), dw.buffer(), db.buffer()));
    }
    var expected = Reference.linearBackwardWeights(s, doubles(x), doubles(dy));
    var sums = Reference.linearBackwardWeights(s, absolute(doubles(x)), absolute(doubles(dy)));
    t.check("dw", dw, expected.weights(), ofSums(s.batch(), sums.weights()));
    t.check("db", db, expected.bias(), ofSums(s.batch(), sums.bias()));
  }

  private static void linearNorms(Backend backend, Trial t, LinearShape s) {
    float[] x = t.activations(s.inputCount());
    float[] dy = t.activations(s.outputCount());
    double[] expected = Reference.linearSquaredNorms(s, doubles(x), doubles(dy));
    float[] before = ofTheSize(t, expected);
    var xs = t.activationInput(x);
    var dys = t.activationInput(dy);
    var norms = t.updated(before);
    try (Linear op = backend.linear(s)) {
      t.run(() -> op.addExampleSquaredNorms(xs.buffer(), dys.buffer(), norms.buffer()));
    }
    // A product of two sums of squares, nothing cancels: the errors of the sums add.
    double gamma = gamma(s.inputs()) + gamma(s.outputs());
    checkAdded(t, norms, before, expected, expected.clone(), gamma);
  }

  private void maxPools() {
    int[][] shapes = {
      // batch, height, width, channels, kernel, stride
      {1, 1, 1, 1, 1, 1}, {1, 2, 2, 1, 2, 2}, {2, 5, 7, 3, 2, 2}, {3, 7, 5, 5, 3, 2},
      {2, 9, 9, 17, 3, 1}, {1, 13, 13, 33, 5, 3}, {5, 4, 4, 1, 4, 4}, {2, 7, 7, 7, 2, 3},
      {1, 3, 3, 1025, 3, 3}, {7, 6, 6, 2, 3, 3}, {2, 33, 31, 13, 2, 1}, {1, 16, 16, 3, 16, 1},
      {3, 24, 24, 20, 2, 2}, {3, 8, 8, 50, 2, 2}, {2, 4, 4, 512, 4, 4}, // networks' own
    };
    for (int[] n : shapes) {
      var shape = new PoolShape(n[0], n[1], n[2], n[3], n[4], n[5]);
      String name = Arrays.toString(n) + " (batch, height, width, channels, kernel, stride)";
      add(Op.MAX_POOL, name, (b, t) -> maxPool(b, t, shape, t.activations(shape.inputCount())));
      add(Op.MAX_POOL, "ties " + name, (b, t) -> maxPool(b, t, shape, t.ties(shape.inputCount())));
    }
    var shape = new PoolShape(2, 6, 6, 3, 3, 2);
    add(
        Op.MAX_POOL,
        "all equal and negative",
        (b, t) -> {
          float[] x = new float[(int) shape.inputCount()];
          Arrays.fill(x, -3e38f);
          maxPool(b, t, shape, t.asActivations(x));
        });
  }

  private static void maxPool(Backend backend, Trial t, PoolShape s, float[] x) {
    float[] dy = t.activations(s.outputCount());
    var xs = t.activationInput(x);
    var dys = t.activationInput(dy);
    var y = t.activationOutput(s.outputCount());
    var dx = t.activationOutput(s.inputCount());
    try (MaxPool op = backend.maxPool(s)) {
      t.run(
          () -> {
            op.forward(xs.buffer(), y.buffer());
            op.backward(dys.buffer(), dx.buffer());
          });
    }
    t.checkExact("y", y, Reference.maxPool(s, doubles(x)));
    double[] sums = Reference.maxPoolBackward(s, doubles(x), absolute(doubles(dy)));
    t.check(
        "dx",
        dx,
        Reference.maxPoolBackward(s, doubles(x), doubles(dy)),
        ofSums((double) s.kernel() * s.kernel(), sums));
  }

  private void relus() {
    for (int size : sizesAndLong()) {
      add(Op.RELU, "forward " + size, (b, t) -> relu(b, t, t.ties(size)));
      add(Op.RELU, "forward in place " + size, (b, t) -> reluInPlace(b, t, t.activations(size)));
      add(Op.RELU, "backward " + size, (b, t) -> reluBackward(b, t, size));
      add(Op.RELU, "backward in place " + size, (b, t) -> reluBackwardInPlace(b, t, size));
    }
    float[] extremes = {-0f, 0f, Float.MIN_VALUE, -Float.MIN_VALUE, 3e38f, -3e38f, 1e-40f};
    add(Op.RELU, "forward of extremes", (b, t) -> relu(b, t, t.asActivations(extremes.clone())));
  }

  private static void relu(Backend backend, Trial t, float[] x) {
    var xs = t.activationInput(x);
    var y = t.activationOutput(x.length);
    t.run(() -> backend.relu(xs.buffer(), y.buffer()));
    // Exact, but a backend may flush numbers below the normal range to zero.
    t.check("y", y, Reference.relu(doubles(x)), floor(x.length, Float.MIN_NORMAL));
  }

  private static void reluInPlace(Backend backend, Trial t, float[] x) {
    var xs = t.activationUpdated(x);
    t.run(() -> backend.relu(xs.buffer(), xs.buffer()));
    t.checkExact("x", xs, Reference.relu(doubles(x)));
  }

  private static void reluBackward(Backend backend, Trial t, int size) {
    float[] y = t.ties(size);
    float[] dy = t.activations(size);
    var ys = t.activationInput(y);
    var dys = t.activationInput(dy);
    var dx = t.activationOutput(size);
    t.run(() -> backend.reluBackward(ys.buffer(), dys.buffer(), dx.buffer()));
    t.checkExact("dx", dx, Reference.reluBackward(doubles(y), doubles(dy)));
  }

  private static void reluBackwardInPlace(Backend backend, Trial t, int size) {
    float[] y = t.ties(size);
    float[] dy = t.activations(size);
    var ys = t.activationInput(y);
    var dys = t.activationUpdated(dy);
    t.run(() -> backend.reluBackward(ys.buffer(), dys.buffer(), dys.buffer()));
    t.checkExact("dy", dys, Reference.reluBackward(doubles(y), doubles(dy)));
  }

  private void lossLayers() {
    for (int classes : new int[] {2, 3, 5, 6, 10, 31, 33, 100, 1000, 1025}) {
      for (int rows : new int[] {1, 7, 65, 129}) {
        String name = rows + " rows, " + classes + " classes, ";
        int k = classes;
        int m = rows;
        loss(name + "usual logits", m, k, t -> scaled(t.uniform((long) m * k), 4));
        loss(name + "ties", m, k, t -> t.ties((long) m * k));
        loss(name + "all equal", m, k, t -> new float[m * k]);
        loss(name + "extremes", m, k, t -> extremes(t, m * k));
      }
      int k = classes;
      add(Op.LOSS_LAYER, "nearly certain rows, " + k + " classes", (b, t) -> certain(b, t, k));
      add(Op.LOSS_LAYER, "no weights, no gradients, " + k + " classes", (b, t) -> bare(b, t, k));
      add(Op.LOSS_LAYER, "non-finite logits, " + k + " classes", (b, t) -> nonFinite(b, t, k));
    }
    loss("many rows", 4099, 10, t -> scaled(t.uniform(40990), 4));
    for (int classes : new int[] {10, 300, 4099}) {
      int k = classes;
      String name = k + " classes, ";
      loss(name + "large offset", 33, k, t -> offset(t.uniform(33L * k), 1e6f));
      loss(name + "far apart", 33, k, t -> scaled(t.uniform(33L * k), 39));
      loss(name + "enormous logits", 5, k, t -> scaled(t.uniform(5L * k), 1.6e38f));
    }
    // Around the lengths at which an implementation may change its ways.
    for (int classes : new int[] {255, 256, 257, 1536, 1537, 12_289, 50_257, 200_000}) {
      int k = classes;
      loss(k + " classes", 3, k, t -> scaled(t.uniform(3L * k), 4));
    }
  }

  private interface Data {
    float[] make(Trial trial);
  }

  private void loss(String name, int rows, int classes, Data data) {
    add(
        Op.LOSS_LAYER,
        name,
        (b, t) -> {
          float[] logits = data.make(t);
          int[] labels = new int[rows];
          float[] weights = new float[rows];
          for (int j = 0; j < rows; j++) {
            labels[j] = t.random().nextInt(classes);
            weights[j] = weight(t.random());
          }
          lossLayer(b, t, rows, classes, logits, labels, weights, 1f / rows);
        });
  }

  /** Importance weights: often 0, often large. */
  private static float weight(Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> 0f;
      case 1 -> 1000 * random.nextFloat();
      default -> 2 * random.nextFloat();
    };
  }

  private static float[] extremes(Trial t, int count) {
    float[] logits = new float[count];
    for (int i = 0; i < count; i++) {
      logits[i] = new float[] {-80, 80, 0, 79.5f}[t.random().nextInt(4)];
    }
    return logits;
  }

  /**
   * The label's logit is ahead by 5, 10, …: 1 − s loses all its digits when it is computed as 1 −
   * s.
   */
  private static void certain(Backend backend, Trial t, int classes) {
    int rows = 16;
    float[] logits = scaled(t.uniform((long) rows * classes), 0.5f);
    int[] labels = new int[rows];
    float[] weights = new float[rows];
    for (int j = 0; j < rows; j++) {
      labels[j] = t.random().nextInt(classes);
      logits[j * classes + labels[j]] = 5 * (j + 1);
      weights[j] = 1 + j;
    }
    lossLayer(backend, t, rows, classes, logits, labels, weights, 1f);
  }

  private static void lossLayer(
      Backend backend,
      Trial t,
      int rows,
      int classes,
      float[] logits,
      int[] labels,
      float[] weights,
      float scale) {
    t.asActivations(logits);
    var z = t.activationInput(logits);
    var w = t.input(weights);
    Buffer classesOfRows = t.integers(labels);
    var losses = t.output(rows);
    var norms = t.output(rows);
    var gradients = t.activationOutput((long) rows * classes);
    Buffer flags = t.bytes(null, rows);
    t.run(
        () ->
            backend.lossLayer(
                rows,
                classes,
                z.buffer(),
                classesOfRows,
                w.buffer(),
                scale,
                losses.buffer(),
                norms.buffer(),
                gradients.buffer(),
                Trial.inside(flags)));
    var expected =
        Reference.lossLayer(rows, classes, doubles(logits), labels, doubles(weights), scale);
    checkLoss(t, expected, classes, losses, norms, flags);
    // Relative, because small gradients count; the floor is where floats end.
    double[] bounds = relative(tolerance(classes), expected.gradients(), 0);
    for (int i = 0; i < bounds.length; i++) {
      bounds[i] += 1e-36 * scale * weights[i / classes] + Float.MIN_NORMAL;
    }
    t.check("gradients", gradients, expected.gradients(), bounds);
  }

  private static void checkLoss(
      Trial t,
      Reference.Loss expected,
      int classes,
      Trial.Operand losses,
      Trial.Operand norms,
      Buffer flags) {
    // −log s is a difference of numbers near the largest loss possible; its last digits go.
    t.check("losses", losses, expected.losses(), relative(1e-6, expected.losses(), 1e-6));
    t.check(
        "norms",
        norms,
        expected.norms(),
        relative(tolerance(classes), expected.norms(), 1e-36 * classes));
    int[] ranks = expected.ranks();
    int[] expectedFlags = new int[ranks.length];
    for (int j = 0; j < ranks.length; j++) {
      expectedFlags[j] = (ranks[j] == 0 ? Backend.TOP_1 : 0) | (ranks[j] < 5 ? Backend.TOP_5 : 0);
    }
    t.checkBytes("correctness", t.read(flags), expectedFlags);
  }

  /**
   * An exponential may err by a few units, times an argument up to 160; then a sum over classes.
   */
  private static double tolerance(int classes) {
    return 1e-5 + gamma(classes);
  }

  private static void bare(Backend backend, Trial t, int classes) {
    int rows = 13;
    float[] logits = scaled(t.uniform((long) rows * classes), 3);
    int[] labels = new int[rows];
    for (int j = 0; j < rows; j++) {
      labels[j] = t.random().nextInt(classes);
    }
    t.asActivations(logits);
    var z = t.activationInput(logits);
    Buffer classesOfRows = t.integers(labels);
    var losses = t.output(rows);
    var norms = t.output(rows);
    Buffer flags = t.bytes(null, rows);
    t.run(
        () ->
            backend.lossLayer(
                rows,
                classes,
                z.buffer(),
                classesOfRows,
                null,
                1f,
                losses.buffer(),
                norms.buffer(),
                null,
                Trial.inside(flags)));
    var expected = Reference.lossLayer(rows, classes, doubles(logits), labels, null, 1);
    checkLoss(t, expected, classes, losses, norms, flags);
  }

  private static void nonFinite(Backend backend, Trial t, int classes) {
    int rows = 7;
    float[] logits = t.uniform((long) rows * classes);
    int[] labels = new int[rows];
    float[] defects = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
    for (int j = 0; j < rows - 1; j++) {
      // Once in the label's own logit, once in another.
      labels[j] = j < 3 ? classes - 1 : 0;
      logits[j * classes + classes - 1] = defects[j % 3];
    }
    var z = t.activationInput(t.asActivations(logits));
    Buffer classesOfRows = t.integers(labels);
    var losses = t.output(rows);
    var norms = t.output(rows);
    Buffer flags = t.bytes(null, rows);
    t.run(
        () ->
            backend.lossLayer(
                rows,
                classes,
                z.buffer(),
                classesOfRows,
                null,
                1f,
                losses.buffer(),
                norms.buffer(),
                null,
                Trial.inside(flags)));
    float[] found = losses.buffer().toFloats();
    byte[] correctness = t.read(flags);
    for (int j = 0; j < rows - 1; j++) {
      String row = "row " + j + " with a logit " + defects[j % 3];
      assertTrue(Float.isNaN(found[j]), row + ": " + found[j]);
      assertEquals(0, correctness[j], row);
    }
    assertTrue(Float.isFinite(found[rows - 1]), "a bad row spoils its neighbour");
  }

  /** Where images may lie. */
  private static final Placement[] PLACES = {Placement.DEVICE, Placement.HOST};

  private void gathers() {
    int[][] shapes = {
      // images, image size, channels, batch
      {1, 1, 1, 1},
      {3, 7, 1, 5},
      {5, 12, 3, 13},
      {2, 33, 3, 65},
      {17, 784, 1, 31},
      {7, 3072, 3, 129},
      {31, 1025, 5, 63},
      {3, 64, 64, 127},
      {2, 1023, 1, 1},
    };
    for (int[] n : shapes) {
      String name = Arrays.toString(n) + " (images, image size, channels, batch)";
      for (Placement place : PLACES) {
        add(
            Op.GATHER,
            name + ", images at the " + place,
            (b, t) -> gather(b, t, place, n[0], n[1], n[2], n[3]));
      }
    }
    int[][] augmentations = {
      // images, height, width, channels, batch, padding, flip, cutout
      {1, 1, 1, 1, 1, 0, 0, 0},
      {3, 1, 1, 1, 17, 1, 1, 1},
      {5, 7, 5, 1, 33, 2, 0, 0},
      {5, 5, 7, 3, 33, 0, 1, 0},
      {5, 9, 6, 2, 33, 0, 0, 3},
      {4, 6, 9, 3, 65, 3, 1, 4},
      {2, 3, 4, 3, 129, 20, 1, 0}, // mostly nothing of the image is left
      {2, 3, 4, 1, 31, 1, 1, 99}, // nothing at all
      {11, 32, 32, 3, 128, 4, 1, 0}, // the usual
      {11, 32, 32, 3, 131, 4, 1, 8},
      {3, 28, 28, 1, 127, 2, 0, 7},
      {2, 4, 3, 65, 13, 1, 1, 2},
    };
    for (int[] n : augmentations) {
      String name =
          Arrays.toString(n) + " (images, height, width, channels, batch, padding, flip, cutout)";
      for (Placement place : PLACES) {
        add(
            Op.GATHER,
            "augmented " + name + ", images at the " + place,
            (b, t) -> augment(b, t, place, n));
      }
    }
  }

  private static void augment(Backend backend, Trial t, Placement place, int[] n) {
    var shape = new ImageShape(n[1], n[2], n[3]);
    byte[] images = new byte[n[0] * shape.size()];
    t.random().nextBytes(images);
    int[] indices = t.random().ints(n[4], 0, n[0]).toArray();
    var augmentation = new Augmentation(n[5], n[6] == 1, n[7]);
    float[] scale = t.uniform(n[3]);
    float[] shift = t.uniform(n[3]);
    long seed = t.random().nextLong();
    // Iterations beyond 32 bits too.
    long iteration = t.random().nextLong() >>> t.random().nextInt(64);
    int[][] words = new int[n[4]][4];
    for (int j = 0; j < n[4]; j++) {
      Philox.block(
          (int) iteration,
          (int) (iteration >>> 32),
          j,
          12,
          (int) seed,
          (int) (seed >>> 32),
          words[j]);
    }
    float[] expected =
        Reference.augment(images, n[1], n[2], indices, scale, shift, n[5], n[6] == 1, n[7], words);
    Buffer bytes = t.images(images, place);
    Buffer chosen = t.integers(indices);
    var scales = t.input(scale);
    var shifts = t.input(shift);
    var batch = t.activationOutput((long) n[4] * shape.size());
    t.run(
        () ->
            backend.gather(
                Trial.inside(bytes),
                shape,
                chosen,
                scales.buffer(),
                shifts.buffer(),
                augmentation,
                seed,
                iteration,
                batch.buffer()));
    assertArrayEquals(images, t.read(bytes), "images");
    t.checkExact("batch", batch, doubles(expected));
  }

  /**
   * A batch of which an implementation in another language made the checksum: the CRC-32 of the
   * little-endian floats.
   */
  private static void golden(Backend backend, Trial t, Placement place) {
    var shape = new ImageShape(32, 32, 3);
    byte[] images = new byte[7 * shape.size()];
    for (int i = 0; i < images.length; i++) {
      images[i] = (byte) (i * 31 + i / 97);
    }
    int[] indices = new int[64];
    Arrays.setAll(indices, j -> j * 5 % 7);
    Buffer bytes = t.images(images, place);
    Buffer chosen = t.integers(indices);
    var scale = t.input(new float[] {0.015625f, 0.0157f, 0.0163f});
    var shift = t.input(new float[] {-1.9f, -2.01f, -1.7f});
    var batch = t.activationOutput(64L * shape.size());
    t.run(
        () ->
            backend.gather(
                Trial.inside(bytes),
                shape,
                chosen,
                scale.buffer(),
                shift.buffer(),
                new Augmentation(4, true, 8),
                0x1234567_89abcdefL,
                0x3_00000002L,
                batch.buffer()));
    float[] found = batch.buffer().toFloats();
    ByteBuffer little = ByteBuffer.allocate(4 * found.length).order(ByteOrder.LITTLE_ENDIAN);
    little.asFloatBuffer().put(found);
    CRC32 crc = new CRC32();
    crc.update(little);
    assertEquals(GOLDEN, Long.toHexString(crc.getValue()));
  }

  private static void gather(
      Backend backend, Trial t, Placement place, int count, int imageSize, int channels, int rows) {
    byte[] images = new byte[count * imageSize];
    t.random().nextBytes(images);
    images[0] = (byte) 255;
    int[] indices = new int[rows];
    for (int j = 0; j < rows; j++) {
      // The last image is drawn, and the first more than once.
      indices[j] = j == 0 ? count - 1 : j < 3 ? 0 : t.random().nextInt(count);
    }
    float[] scale = t.uniform(channels);
    float[] shift = t.uniform(channels);
    Buffer bytes = t.images(images, place);
    Buffer chosen = t.integers(indices);
    var scales = t.input(scale);
    var shifts = t.input(shift);
    var batch = t.activationOutput((long) rows * imageSize);
    t.run(
        () ->
            backend.gather(
                Trial.inside(bytes),
                new ImageShape(1, imageSize / channels, channels),
                chosen,
                scales.buffer(),
                shifts.buffer(),
                batch.buffer()));
    assertArrayEquals(images, t.read(bytes), "images");
    double[] sums =
        Reference.gather(
            images, imageSize, indices, absolute(doubles(scale)), absolute(doubles(shift)));
    t.check(
        "batch",
        batch,
        Reference.gather(images, imageSize, indices, doubles(scale), doubles(shift)),
        relative(2 * U, sums, 0)); // one rounded product, one rounded sum
  }

  private void sgds() {
    float[][] settings = {
      // learning rate, momentum, weight decay
      {0.1f, 0.9f, 5e-4f}, {0.01f, 0f, 0f}, {0f, 0.9f, 0.1f}, {1f, 0.5f, 0.25f},
    };
    for (int size : sizesAndLong()) {
      for (float[] n : settings) {
        String name = size + " parameters, " + Arrays.toString(n) + " (rate, momentum, decay)";
        add(Op.SGD, name, (b, t) -> sgd(b, t, size, n[0], n[1], n[2], false));
      }
    }
  }

  private static void sgd(
      Backend backend, Trial t, int size, float rate, float momentum, float decay, boolean rounds) {
    float[] w = t.uniform(size);
    float[] u = t.uniform(size);
    float[] g = t.uniform(size);
    var ws = t.updated(w);
    var us = t.updated(u);
    var gs = t.input(g);
    var rounded = rounds ? t.output(DType.BFLOAT16, size) : null;
    Buffer copy = rounds ? rounded.buffer() : null;
    t.run(() -> backend.sgd(ws.buffer(), us.buffer(), gs.buffer(), copy, rate, momentum, decay));
    var expected = Reference.sgd(doubles(w), doubles(u), doubles(g), rate, momentum, decay);
    // Σ of absolute terms: a negative rate makes the reference add them.
    var sums =
        Reference.sgd(
            absolute(doubles(w)),
            absolute(doubles(u)),
            absolute(doubles(g)),
            -rate,
            momentum,
            decay);
    t.check("u", us, expected.u(), relative(6 * U, sums.u(), 0));
    t.check("w", ws, expected.w(), relative(7 * U, sums.w(), 0));
    if (rounds) {
      t.checkExact("rounded", rounded, doubles(ws.buffer().toFloats()));
    }
  }

  private void roundings() {
    for (int size : sizesAndLong()) {
      add(Op.ROUND, size + " elements", (b, t) -> round(b, t, t.uniform(size)));
      add(
          Op.ROUND,
          "after a momentum step of " + size,
          (b, t) -> sgd(b, t, size, 0.1f, 0.9f, 1e-3f, true));
    }
    float[] special = {
      0x1.01p0f, // half-way to the one above, whose last bit is 1
      0x1.03p0f, // the same, and the one above is even
      Math.nextUp(0x1.01p0f),
      -0x1.01p0f,
      -0f,
      Float.MIN_VALUE,
      Float.MAX_VALUE, // beyond the largest there is
      Float.POSITIVE_INFINITY,
    };
    add(Op.ROUND, "special numbers", (b, t) -> round(b, t, special));
    add(
        Op.ROUND,
        "a NaN stays one",
        (b, t) -> {
          // Its payload lies in the half that goes.
          var x = t.input(new float[] {1, Float.intBitsToFloat(0x7f800001), 2});
          var y = t.output(DType.BFLOAT16, 3);
          t.run(() -> b.round(x.buffer(), y.buffer()));
          float[] found = y.buffer().toFloats();
          assertTrue(found[0] == 1 && Float.isNaN(found[1]) && found[2] == 2);
        });
  }

  private static void round(Backend backend, Trial t, float[] x) {
    var xs = t.input(x);
    var y = t.output(DType.BFLOAT16, x.length);
    t.run(() -> backend.round(xs.buffer(), y.buffer()));
    float[] found = y.buffer().toFloats();
    for (int i = 0; i < x.length; i++) {
      assertEquals(
          Float.floatToIntBits(Bfloat16.rounded(x[i])), Float.floatToIntBits(found[i]), "" + x[i]);
    }
  }

  private void norms() {
    for (int size : sizesAndLong()) {
      add(Op.SQUARED_NORM, size + " elements", (b, t) -> squaredNorm(b, t, t.uniform(size)));
    }
    add(Op.SQUARED_NORM, "zeros", (b, t) -> squaredNorm(b, t, new float[65]));
    add(
        Op.SQUARED_NORM,
        "one large among many small",
        (b, t) -> {
          float[] x = scaled(t.uniform(LONG), 1e-3f);
          x[LONG / 2] = 1000;
          squaredNorm(b, t, x);
        });
    for (int columns : AWKWARD) {
      for (int rows : new int[] {1, 7, 129}) {
        add(
            Op.ROW_SQUARED_NORMS,
            rows + " rows of " + columns,
            (b, t) -> rowSquaredNorms(b, t, rows, columns));
      }
    }
    add(Op.ROW_SQUARED_NORMS, "many rows", (b, t) -> rowSquaredNorms(b, t, 4099, 65));
  }

  private static void squaredNorm(Backend backend, Trial t, float[] x) {
    var xs = t.input(x);
    double[] found = new double[2];
    int[] run = {0};
    t.run(() -> found[run[0]++] = backend.squaredNorm(xs.buffer()));
    double expected = Reference.squaredNorm(doubles(x));
    // Every backend sums in blocks; 128 roundings deep is generous.
    assertEquals(expected, found[0], 128 * U * expected);
    assertEquals(
        Double.doubleToRawLongBits(found[0]),
        Double.doubleToRawLongBits(found[1]),
        "the same sum twice");
  }

  private static void rowSquaredNorms(Backend backend, Trial t, int rows, int columns) {
    float[] x = t.activations((long) rows * columns);
    var xs = t.activationInput(x);
    var sums = t.output(rows);
    t.run(() -> backend.rowSquaredNorms(xs.buffer(), sums.buffer()));
    double[] expected = Reference.rowSquaredNorms(rows, doubles(x));
    t.check("sums", sums, expected, ofSums(columns, expected));
  }

  private void add(Op op, String name, BiConsumer<Backend, Trial> body) {
    cases.add(new Case(op, op + " " + name, body));
  }

  private static int[] sizesAndLong() {
    int[] sizes = Arrays.copyOf(AWKWARD, AWKWARD.length + 1);
    sizes[AWKWARD.length] = LONG;
    return sizes;
  }

  private static float[] scaled(float[] values, float factor) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    return values;
  }

  private static float[] offset(float[] values, float by) {
    for (int i = 0; i < values.length; i++) {
      values[i] += by;
    }
    return values;
  }

  private static double[] floor(int count, double value) {
    double[] bounds = new double[count];
    Arrays.fill(bounds, value);
    return bounds;
  }
}
