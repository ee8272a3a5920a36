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

  /**
   * bfloat16 has 8, so that both factors of a product and the result are off by up to 2^-8; such
   * errors add up as the products do.
   */
  private static final double BF16_TOLERANCE = 3 * 0x1p-8;

  private static final int BATCH = 8;
  private static final int CLASSES = 10;
  private static final int COPIED = 64 << 20;

  private SelfTest() {}

  /** A result of one operation. */
  private record Result(String operation, float[] values) {}

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
    List<Result> expected = step(trusted, List.of());
    List<Result> found = step(backend, expected);
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

  /**
   * All operations, one after the other.
   *
   * @param others another backend's results, to go on with instead of one's own: a difference that
   *     decides which of two values is the larger would grow otherwise; empty for none
   */
  private static List<Result> step(Backend backend, List<Result> others) {
    var image = new ImageShape(12, 12, 3);
    var convolution = new ConvolutionShape(BATCH, 12, 12, 3, 16, 3, 1, 1);
    var norm = new BatchNormShape(BATCH, 144, 16, 1e-5f, BatchNormShape.Fusion.RELU);
    var pool = new PoolShape(BATCH, 12, 12, 16, 2, 2);
    var linear = new LinearShape(BATCH, 6 * 6 * 16, CLASSES);
    List<Result> results = new ArrayList<>();
    List<Buffer> all = new ArrayList<>();
    try (Convolution conv = backend.convolution(convolution);
        BatchNorm bn = backend.batchNorm(norm);
        MaxPool maxPool = backend.maxPool(pool);
        Linear fc = backend.linear(linear)) {
      Buffer images = bytes(backend, all, 20 * image.size());
      Buffer indices = integers(backend, all, 20);
      Buffer labels = integers(backend, all, CLASSES);
      Buffer scale = floats(backend, all, 3, 1);
      Buffer shift = floats(backend, all, 3, 2);
      Buffer x = activations(backend, all, convolution.inputCount(), 0);
      Buffer w = activations(backend, all, convolution.weightCount(), 3);
      Buffer b = floats(backend, all, 16, 4);
      Buffer y = activations(backend, all, convolution.outputCount(), 0);
      Buffer normed = activations(backend, all, norm.count(), 0);
      Buffer gamma = floats(backend, all, 16, 5);
      Buffer weights = floats(backend, all, BATCH, 6);
      Buffer mean = floats(backend, all, 16, 0);
      Buffer deviation = floats(backend, all, 16, 0);
      Buffer runningMean = floats(backend, all, 16, 7);
      Buffer runningVariance = floats(backend, all, 16, 11);
      Buffer pooled = activations(backend, all, pool.outputCount(), 0);
      Buffer wide = activations(backend, all, linear.weightCount(), 8);
      Buffer bias = floats(backend, all, CLASSES, 9);
      Buffer logits = activations(backend, all, (long) BATCH * CLASSES, 0);
      Buffer losses = floats(backend, all, BATCH, 0);
      Buffer norms = floats(backend, all, BATCH, 0);
      Buffer flags = backend.allocate(UINT8, BATCH);
      all.add(flags);
      var varied = new Augmentation(2, true, 3);
      backend.gather(images, image, indices, scale, shift, varied, 1, 2, x);
      add(results, others, "gather", x);
      conv.forward(x, w, b, y);
      add(results, others, "convolution forward", y);
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
      add(results, others, "batch norm forward", normed);
      maxPool.forward(normed, pooled);
      add(results, others, "max-pool forward", pooled);
      fc.forward(pooled, wide, bias, logits);
      add(results, others, "linear forward", logits);
      backend.lossLayer(
          BATCH, CLASSES, logits, labels, weights, 1f / BATCH, losses, norms, logits, flags);
      add(results, others, "losses", losses);
      add(results, others, "loss layer's gradients", logits);
      Buffer dPooled = activations(backend, all, pool.outputCount(), 0);
      Buffer dWide = floats(backend, all, linear.weightCount(), 0);
      Buffer dBias = floats(backend, all, CLASSES, 0);
      fc.backwardWeights(pooled, logits, dWide, dBias);
      add(results, others, "linear backward to weights", dWide);
      fc.backwardData(logits, wide, dPooled);
      add(results, others, "linear backward to data", dPooled);
      Buffer dNormed = activations(backend, all, norm.count(), 0);
      maxPool.backward(dPooled, dNormed);
      add(results, others, "max-pool backward", dNormed);
      Buffer dGamma = floats(backend, all, 16, 0);
      Buffer dBeta = floats(backend, all, 16, 0);
      bn.backward(
          y, null, dNormed, weights, gamma, gamma, mean, deviation, dNormed, dGamma, dBeta, null);
      add(results, others, "batch norm backward", dNormed);
      Buffer dW = floats(backend, all, convolution.weightCount(), 0);
      Buffer dX = activations(backend, all, convolution.inputCount(), 0);
      conv.backwardWeights(x, dNormed, dW, b);
      add(results, others, "convolution backward to weights", dW);
      conv.backwardData(dNormed, w, dX);
      add(results, others, "convolution backward to data", dX);
      Buffer master = floats(backend, all, convolution.weightCount(), 3);
      Buffer velocity = floats(backend, all, convolution.weightCount(), 0);
      Buffer rounded = w.type() == FLOAT32 ? null : w;
      backend.sgd(master, velocity, dW, rounded, 0.1f, 0.9f, 1e-4f);
      add(results, others, "momentum step", master);
      results.add(new Result("squared norm", new float[] {(float) backend.squaredNorm(dWide)}));
      return results;
    } finally {
      all.forEach(Buffer::close);
    }
  }

  private static void add(
      List<Result> results, List<Result> others, String operation, Buffer buffer) {
    results.add(new Result(operation, buffer.toFloats()));
    if (!others.isEmpty()) {
      buffer.upload(others.get(results.size() - 1).values());
    }
  }

  private static Buffer floats(Backend backend, List<Buffer> all, long count, int stream) {
    return numbers(backend, all, FLOAT32, count, stream);
  }

  private static Buffer activations(Backend backend, List<Buffer> all, long count, int stream) {
    return numbers(backend, all, backend.activations(), count, stream);
  }

  /** Numbers from 0.5 to 1.5, the same ones every time; zeros if the stream is 0. */
  private static Buffer numbers(
      Backend backend, List<Buffer> all, DType type, long count, int stream) {
    Buffer buffer = backend.allocate(type, count);
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
      buffer.upload(values);
    }
    return buffer;
  }

  private static Buffer bytes(Backend backend, List<Buffer> all, int count) {
    byte[] values = new byte[count];
    new Random(10).nextBytes(values);
    Buffer buffer = backend.wrap(values);
    all.add(buffer);
    return buffer;
  }

  private static Buffer integers(Backend backend, List<Buffer> all, int below) {
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
