package dev.rais.bench.overhead;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.cpu.OneDnnBatchNorm;
import dev.rais.bench.BenchException;
import dev.rais.bench.Quantiles;
import dev.rais.nn.BatchNorm2d;
import dev.rais.nn.Model;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Weighted batch norm against oneDNN's, which knows no weights: forward and backward over all batch
 * norms of a model.
 *
 * @param weightedSeconds ours with unequal weights, sum of the layers' medians
 * @param plainSeconds oneDNN's
 */
record BatchNormOverhead(double weightedSeconds, double plainSeconds) {
  private static final int WARMUP = 5;
  private static final int REPETITIONS = 15;

  /** Relative to 1, the size of what is normalised; float sums in another order. */
  private static final double TOLERANCE = 1e-3;

  /** Share of outputs that are 0 but for rounding. */
  private static final double MOST_AT_THE_EDGE = 1e-5;

  private static final float MOMENTUM = 0.1f;

  double ratio() {
    return weightedSeconds / plainSeconds;
  }

  /**
   * The batch norms of a model: how often each shape occurs. One that ends a residual block counts
   * as one with a rectifier alone, as oneDNN's cannot add on a CPU.
   */
  static Map<BatchNormShape, Integer> layers(Model model, int batch) {
    Map<BatchNormShape, Integer> counts = new LinkedHashMap<>();
    for (Model.NamedLayer named : model.layers()) {
      if (named.layer() instanceof BatchNorm2d norm) {
        int channels = named.inputShape().channels();
        int positions = named.inputShape().size() / channels;
        Fusion fusion = norm.fusion() == Fusion.NONE ? Fusion.NONE : Fusion.RELU;
        counts.merge(
            new BatchNormShape(batch, positions, channels, norm.epsilon(), fusion),
            1,
            Integer::sum);
      }
    }
    return counts;
  }

  /** Measures; null for a model without batch norms. */
  static BatchNormOverhead measure(Model model, int batch, int threads, Consumer<String> progress) {
    double weighted = 0;
    double plain = 0;
    Map<BatchNormShape, Integer> layers = layers(model, batch);
    for (Map.Entry<BatchNormShape, Integer> layer : layers.entrySet()) {
      BatchNormShape shape = layer.getKey();
      try (Pair pair = new Pair(shape, threads)) {
        pair.requireAlike();
        BatchNormOverhead one = pair.measure();
        progress.accept(
            String.format(
                Locale.ROOT,
                "%d batch norms of %d x %d x %d, %s: %.2f ms weighted, %.2f ms plain (%s)",
                layer.getValue(),
                shape.batch(),
                shape.positions(),
                shape.channels(),
                shape.fusion(),
                1000 * one.weightedSeconds,
                1000 * one.plainSeconds,
                pair.plain.implementation()));
        weighted += layer.getValue() * one.weightedSeconds;
        plain += layer.getValue() * one.plainSeconds;
      }
    }
    return layers.isEmpty() ? null : new BatchNormOverhead(weighted, plain);
  }

  /** Both on the same operands. */
  private static final class Pair implements AutoCloseable {
    final OneDnnBatchNorm plain;
    private final Backend backend;
    private final BatchNorm ours;
    private final SplittableRandom random = new SplittableRandom(1);
    private final Buffer x;
    private final Buffer dy;
    private final Buffer weights;
    private final Buffer gamma;
    private final Buffer beta;
    private final Buffer y;
    private final Buffer dx;
    private final Buffer mean;
    private final Buffer inverseDeviation;
    private final Buffer runningMean;
    private final Buffer runningVariance;
    private final Buffer dgamma;
    private final Buffer dbeta;

    Pair(BatchNormShape shape, int threads) {
      backend =
          Backends.open(
              "cpu",
              threads,
              warning -> {
                throw new BenchException(warning);
              });
      ours = backend.batchNorm(shape);
      plain = new OneDnnBatchNorm(shape, threads);
      x = normal(shape.count());
      dy = normal(shape.count());
      y = backend.allocate(DType.FLOAT32, shape.count());
      dx = backend.allocate(DType.FLOAT32, shape.count());
      weights = backend.allocate(DType.FLOAT32, shape.batch());
      float[] unequal = new float[shape.batch()];
      for (int j = 0; j < unequal.length; j++) {
        unequal[j] = (float) random.nextDouble(0.1, 1.9);
      }
      weights.upload(unequal);
      gamma = normal(shape.channels());
      beta = normal(shape.channels());
      mean = normal(shape.channels());
      inverseDeviation = normal(shape.channels());
      runningMean = normal(shape.channels());
      runningVariance = normal(shape.channels());
      dgamma = normal(shape.channels());
      dbeta = normal(shape.channels());
    }

    /** FLOAT32 of normally distributed values; the backend frees it. */
    private Buffer normal(long count) {
      float[] values = new float[Math.toIntExact(count)];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      Buffer buffer = backend.allocate(DType.FLOAT32, count);
      buffer.upload(values);
      return buffer;
    }

    /** Without weights both must come to the same, or something else is timed. */
    void requireAlike() {
      seconds(oursForward(null), oursBackward(null));
      float[][] expected = {y.toFloats(), dx.toFloats(), dgamma.toFloats(), dbeta.toFloats()};
      seconds(this::oneDnnForward, this::oneDnnBackward);
      float[][] found = {y.toFloats(), dx.toFloats(), dgamma.toFloats(), dbeta.toFloats()};
      moveToTheSameSide(expected[0], found);
      String[] names = {"y", "dx", "dgamma", "dbeta"};
      for (int k = 0; k < names.length; k++) {
        // Sums over all positions are as large as the root of their number.
        double scale = k < 2 ? 1 : Math.sqrt(ours.shape().batch() * ours.shape().positions());
        for (int i = 0; i < expected[k].length; i++) {
          if (k == 1 && isOpen(expected[0][i]) != isOpen(found[0][i])) {
            continue;
          }
          if (!(Math.abs(expected[k][i] - found[k][i]) <= TOLERANCE * scale)) {
            throw new BenchException(
                "%s[%d] of oneDNN's batch norm is %s, ours without weights %s"
                    .formatted(names[k], i, found[k][i], expected[k][i]));
          }
        }
      }
    }

    private boolean isOpen(float output) {
      return ours.shape().fusion() == Fusion.NONE || output > 0;
    }

    /**
     * Where an output is 0 but for rounding, one side's rectifier may let a gradient through that
     * the other's holds back: gives oneDNN's sums what ours have, or takes it from them.
     */
    private void moveToTheSameSide(float[] expected, float[][] found) {
      float[] gradients = dy.toFloats();
      float[] scales = gamma.toFloats();
      float[] shifts = beta.toFloats();
      int moved = 0;
      for (int i = 0; i < expected.length; i++) {
        if (isOpen(expected[i]) != isOpen(found[0][i])) {
          int c = i % ours.shape().channels();
          float gradient = isOpen(expected[i]) ? gradients[i] : -gradients[i];
          found[2][c] += gradient * -shifts[c] / scales[c];
          found[3][c] += gradient;
          moved++;
        }
      }
      if (moved > 1 + expected.length * MOST_AT_THE_EDGE) {
        throw new BenchException(
            "oneDNN's rectifier and ours differ at %d of %d outputs"
                .formatted(moved, expected.length));
      }
    }

    BatchNormOverhead measure() {
      Runnable forward = oursForward(weights);
      Runnable backward = oursBackward(weights);
      double[] weighted = new double[WARMUP + REPETITIONS];
      double[] unweighted = new double[WARMUP + REPETITIONS];
      for (int i = 0; i < WARMUP + REPETITIONS; i++) {
        weighted[i] = seconds(forward, backward);
        unweighted[i] = seconds(this::oneDnnForward, this::oneDnnBackward);
      }
      return new BatchNormOverhead(measured(weighted), measured(unweighted));
    }

    private static double measured(double[] seconds) {
      return Quantiles.median(Arrays.copyOfRange(seconds, WARMUP, seconds.length));
    }

    /**
     * Time of both passes. The backward pass works in place, as it does in a network, where what
     * comes before it has just written dy.
     */
    private double seconds(Runnable forward, Runnable backward) {
      long start = System.nanoTime();
      forward.run();
      long nanos = System.nanoTime() - start;
      dx.copyFrom(dy);
      start = System.nanoTime();
      backward.run();
      return (nanos + System.nanoTime() - start) / 1e9;
    }

    private Runnable oursForward(Buffer exampleWeights) {
      return () ->
          ours.forward(
              x,
              exampleWeights,
              gamma,
              beta,
              null,
              y,
              mean,
              inverseDeviation,
              runningMean,
              runningVariance,
              MOMENTUM);
    }

    private Runnable oursBackward(Buffer exampleWeights) {
      return () ->
          ours.backward(
              x,
              null,
              dx,
              exampleWeights,
              gamma,
              beta,
              mean,
              inverseDeviation,
              dx,
              dgamma,
              dbeta,
              null);
    }

    private void oneDnnForward() {
      plain.forward(x, gamma, beta, y, mean);
    }

    private void oneDnnBackward() {
      plain.backward(x, dx, gamma, mean, dx, dgamma, dbeta);
    }

    @Override
    public void close() {
      plain.close();
      ours.close();
      // With all buffers.
      backend.close();
    }
  }
}
