package dev.rais.backend;

import static dev.rais.backend.DType.FLOAT32;
import static dev.rais.backend.DType.INT32;
import static dev.rais.backend.DType.UINT8;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * A short look at whether a backend computes what another one does: a step of a small network, with
 * one operation of each kind. For people who want to know whether an installation works; the test
 * suite is what looks closely.
 */
final class SelfTest {
  /** Differences allowed, as a share of the largest value: sums of some hundred floats. */
  private static final double TOLERANCE = 1e-4;

  /** TF32 has 10 bits. */
  private static final double TF32_TOLERANCE = 1e-2;

  /** bfloat16 has 8, and a sum is rounded before its bias is added, and after that. */
  private static final double BF16_TOLERANCE = 2 * 0x1p-8 + TOLERANCE;

  private static final int BATCH = 8;
  private static final int CLASSES = 10;
  private static final int COPIED = 64 << 20;

  /** A result of one operation. */
  private record Result(String operation, float[] values) {}

  private final Backend backend;
  private final DType type;
  private final List<Result> others;
  private final List<Result> results = new ArrayList<>();
  private final List<Buffer> all = new ArrayList<>();

  /**
   * A backend's part.
   *
   * @param type what operands are rounded to before they are used, whatever the backend has, so
   *     that two backends find the same ones
   * @param others another backend's results, to go on with instead of one's own: a difference that
   *     decides which of two values is the larger would grow otherwise; empty for none
   */
  private SelfTest(Backend backend, DType type, List<Result> others) {
    this.backend = backend;
    this.type = type;
    this.others = others;
  }

  /**
   * Compares a backend with one that is trusted.
   *
   * @return what was found, one line; begins with "failed" if they disagree
   */
  static String compare(Backend backend, Backend trusted) {
    double tolerance =
        switch (backend.precision()) {
          case FP32 -> TOLERANCE;
          case TF32 -> TF32_TOLERANCE;
          case BF16 -> BF16_TOLERANCE;
        };
    DType type = backend.activations();
    List<Result> expected = new SelfTest(trusted, type, List.of()).step();
    List<Result> found = new SelfTest(backend, type, expected).step();
    double worst = 0;
    for (int i = 0; i < expected.size(); i++) {
      double difference = difference(expected.get(i).values(), found.get(i).values());
      if (!(difference <= tolerance)) { // also where it is NaN
        return String.format(
            Locale.ROOT,
            "failed: %s differs from the CPU's by %.1e of its largest value",
            expected.get(i).operation(),
            difference);
      }
      worst = Math.max(worst, difference);
    }
    return String.format(
        Locale.ROOT,
        "%d operations agree with the CPU's to %.0e; %s",
        expected.size(),
        worst,
        copies(backend));
  }

  private static double difference(float[] expected, float[] found) {
    double largest = Float.MIN_NORMAL;
    double difference = 0;
    for (int i = 0; i < expected.length; i++) {
      if (Float.isNaN(found[i])) {
        return Double.NaN;
      }
      largest = Math.max(largest, Math.abs(expected[i]));
      difference = Math.max(difference, Math.abs((double) expected[i] - found[i]));
    }
    return difference / largest;
  }

  /** Speed of copies from and to Java's arrays. */
  private static String copies(Backend backend) {
    byte[] bytes = new byte[COPIED];
    try (Buffer buffer = backend.allocate(UINT8, COPIED)) {
      buffer.upload(bytes, 0); // the first one finds memory that was never touched
      buffer.download(bytes);
      long begin = System.nanoTime();
      buffer.upload(bytes, 0);
      buffer.slice(0, 1).download(new byte[1]); // waits
      long middle = System.nanoTime();
      buffer.download(bytes);
      long end = System.nanoTime();
      return String.format(
          Locale.ROOT,
          "copies %.1f GB/s to and %.1f GB/s from it",
          (double) COPIED / (middle - begin),
          (double) COPIED / (end - middle));
    }
  }

  /** All operations, one after the other. */
  private List<Result> step() {
    var image = new ImageShape(12, 12, 3);
    var convolution = new ConvolutionShape(BATCH, 12, 12, 3, 16, 3, 1, 1);
    var norm = new BatchNormShape(BATCH, 144, 16, 1e-5f, BatchNormShape.Fusion.RELU);
    var pool = new PoolShape(BATCH, 12, 12, 16, 2, 2);
    var linear = new LinearShape(BATCH, 6 * 6 * 16, CLASSES);
    try (Convolution conv = backend.convolution(convolution);
        BatchNorm bn = backend.batchNorm(norm);
        MaxPool maxPool = backend.maxPool(pool);
        Linear fc = backend.linear(linear)) {
      Buffer images = bytes(20 * image.size(), Placement.DEVICE);
      Buffer indices = integers(20);
      Buffer labels = integers(CLASSES);
      Buffer scale = floats(3, 1);
      Buffer shift = floats(3, 2);
      Buffer x = activations(convolution.inputCount(), 0);
      Buffer w = activations(convolution.weightCount(), 3);
      Buffer b = floats(16, 4);
      Buffer y = activations(convolution.outputCount(), 0);
      Buffer normed = activations(norm.count(), 0);
      Buffer gamma = floats(16, 5);
      Buffer weights = floats(BATCH, 6);
      Buffer mean = floats(16, 0);
      Buffer deviation = floats(16, 0);
      Buffer runningMean = floats(16, 7);
      Buffer runningVariance = floats(16, 11);
      Buffer pooled = activations(pool.outputCount(), 0);
      Buffer wide = activations(linear.weightCount(), 8);
      Buffer bias = floats(CLASSES, 9);
      Buffer logits = activations((long) BATCH * CLASSES, 0);
      Buffer losses = floats(BATCH, 0);
      Buffer norms = floats(BATCH, 0);
      Buffer flags = backend.allocate(UINT8, BATCH);
      all.add(flags);
      var varied = new Augmentation(2, true, 3);
      backend.gather(images, image, indices, scale, shift, varied, 1, 2, x);
      add("gather", x);
      Buffer onHost = bytes(20 * image.size(), Placement.HOST);
      backend.gather(onHost, image, indices, scale, shift, varied, 1, 2, x);
      add("gather out of host memory", x);
      conv.forward(x, w, b, y);
      add("convolution forward", y);
      bn.forward(
          y,
          weights,
          gamma,
          gamma,
          null,
          normed,
          mean,
          deviation,
          runningMean,
          runningVariance,
          0.1f);
      add("batch norm forward", normed);
      maxPool.forward(normed, pooled);
      add("max-pool forward", pooled);
      fc.forward(pooled, wide, bias, logits);
      add("linear forward", logits);
      backend.lossLayer(
          BATCH, CLASSES, logits, labels, weights, 1f / BATCH, losses, norms, logits, flags);
      add("losses", losses);
      add("loss layer's gradients", logits);
      Buffer dPooled = activations(pool.outputCount(), 0);
      Buffer dWide = floats(linear.weightCount(), 0);
      Buffer dBias = floats(CLASSES, 0);
      fc.backwardWeights(pooled, logits, dWide, dBias);
      add("linear backward to weights", dWide);
      fc.backwardData(logits, wide, dPooled);
      add("linear backward to data", dPooled);
      Buffer dNormed = activations(norm.count(), 0);
      maxPool.backward(dPooled, dNormed);
      add("max-pool backward", dNormed);
      Buffer dGamma = floats(16, 0);
      Buffer dBeta = floats(16, 0);
      bn.backward(
          y, null, dNormed, weights, gamma, gamma, mean, deviation, dNormed, dGamma, dBeta, null);
      add("batch norm backward", dNormed);
      Buffer dW = floats(convolution.weightCount(), 0);
      Buffer dX = activations(convolution.inputCount(), 0);
      conv.backwardWeights(x, dNormed, dW, b);
      add("convolution backward to weights", dW);
      conv.backwardData(dNormed, w, dX);
      add("convolution backward to data", dX);
      Buffer master = floats(convolution.weightCount(), 3);
      Buffer velocity = floats(convolution.weightCount(), 0);
      Buffer rounded = w.type() == FLOAT32 ? null : w;
      backend.sgd(master, velocity, dW, rounded, 0.1f, 0.9f, 1e-4f);
      add("momentum step", master);
      results.add(new Result("squared norm", new float[] {(float) backend.squaredNorm(dWide)}));
      return results;
    } finally {
      all.forEach(Buffer::close);
    }
  }

  private void add(String operation, Buffer buffer) {
    float[] found = buffer.toFloats();
    results.add(new Result(operation, found));
    buffer.upload(rounded(others.isEmpty() ? found : others.get(results.size() - 1).values()));
  }

  private float[] rounded(float[] values) {
    if (type != DType.BFLOAT16) {
      return values;
    }
    float[] result = new float[values.length];
    Bfloat16.widen(Bfloat16.round(values, 0, values.length), result, 0);
    return result;
  }

  private Buffer floats(long count, int stream) {
    return numbers(FLOAT32, count, stream);
  }

  private Buffer activations(long count, int stream) {
    return numbers(backend.activations(), count, stream);
  }

  /** Numbers from 0.5 to 1.5, the same ones every time; zeros if the stream is 0. */
  private Buffer numbers(DType bufferType, long count, int stream) {
    Buffer buffer = backend.allocate(bufferType, count);
    all.add(buffer);
    if (stream != 0) {
      var random = new Random(stream);
      float[] values = new float[(int) count];
      for (int i = 0; i < values.length; i++) {
        values[i] = 0.5f + random.nextFloat();
        // Weights of both signs; means and scales stay away from 0.
        if (count > 16 && (i & 1) == 1) {
          values[i] = -values[i];
        }
      }
      buffer.upload(rounded(values));
    }
    return buffer;
  }

  private Buffer bytes(int count, Placement placement) {
    byte[] values = new byte[count];
    new Random(10).nextBytes(values);
    Buffer buffer = backend.wrap(values, placement);
    all.add(buffer);
    return buffer;
  }

  private Buffer integers(int below) {
    int[] values = new int[BATCH];
    for (int i = 0; i < BATCH; i++) {
      values[i] = 7 * i % below;
    }
    Buffer buffer = backend.allocate(INT32, BATCH);
    all.add(buffer);
    buffer.upload(values);
    return buffer;
  }
}
