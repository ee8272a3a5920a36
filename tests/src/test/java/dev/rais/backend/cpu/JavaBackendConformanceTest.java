package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.rais.backend.Backend;
import dev.rais.backend.BackendConformance;
import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import dev.rais.backend.PoolShape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The pure Java backend under the conformance suite, and the same bits at any thread count. */
class JavaBackendConformanceTest {
  /** The loops for JVMs without the Vector API; the others' run with it. */
  @Nested
  class OneThreadWithoutVectors extends BackendConformance {
    private static final String VECTORS = "rais.backend.vectors";

    @Override
    protected Backend create() {
      System.setProperty(VECTORS, "false");
      return new JavaBackend(1);
    }

    @AfterAll
    static void asUsual() {
      System.clearProperty(VECTORS);
    }
  }

  @Nested
  class TwoThreads extends BackendConformance {
    @Override
    protected Backend create() {
      return new JavaBackend(2);
    }
  }

  /** More threads than some loops have pieces, and none that divides the others. */
  @Nested
  class FiveThreads extends BackendConformance {
    @Override
    protected Backend create() {
      return new JavaBackend(5);
    }
  }

  /** The square of the last is 0 as an int. */
  @ParameterizedTest
  @ValueSource(ints = {17, 65_536})
  void windowsWhosePlacesFitIntoNoByteAreRefused(int kernel) {
    var shape = new PoolShape(1, kernel, kernel, 1, kernel, 1);
    try (Backend backend = new JavaBackend(1)) {
      assertThrows(IllegalArgumentException.class, () -> backend.maxPool(shape));
    }
  }

  @Test
  void resultsDoNotDependOnTheNumberOfThreads() {
    List<float[]> one = results(1);
    for (int threads : new int[] {2, 3, 5}) {
      List<float[]> more = results(threads);
      for (int i = 0; i < one.size(); i++) {
        assertArrayEquals(one.get(i), more.get(i), threads + " threads, result " + i);
      }
    }
  }

  private static List<float[]> results(int threads) {
    List<float[]> results = new ArrayList<>();
    try (Backend backend = new JavaBackend(threads)) {
      for (var shape :
          new ConvolutionShape[] {
            new ConvolutionShape(9, 12, 12, 20, 50, 5, 1, 0),
            new ConvolutionShape(5, 9, 9, 16, 33, 3, 2, 1),
            new ConvolutionShape(7, 2, 2, 65, 129, 3, 1, 1)
          }) {
        Buffer x = random(backend, shape.inputCount());
        Buffer w = random(backend, shape.weightCount());
        Buffer b = random(backend, shape.outputChannels());
        Buffer y = random(backend, shape.outputCount());
        Buffer norms = random(backend, shape.batch());
        try (Convolution op = backend.convolution(shape)) {
          op.addExampleSquaredNorms(x, y, norms);
          results.add(norms.toFloats());
          op.forward(x, w, b, y);
          results.add(y.toFloats());
          op.backwardWeights(x, y, w, b);
          results.add(w.toFloats());
          results.add(b.toFloats());
          op.backwardData(y, w, x);
          results.add(x.toFloats());
        }
      }
      var shape = new LinearShape(67, 801, 530);
      Buffer x = random(backend, shape.inputCount());
      Buffer w = random(backend, shape.weightCount());
      Buffer b = random(backend, shape.outputs());
      Buffer y = random(backend, shape.outputCount());
      try (Linear op = backend.linear(shape)) {
        op.forward(x, w, b, y);
        results.add(y.toFloats());
        op.backwardWeights(x, y, w, b);
        results.add(w.toFloats());
        results.add(b.toFloats());
        op.backwardData(y, w, x);
        results.add(x.toFloats());
      }
      results.add(new float[] {(float) backend.squaredNorm(w)});
      for (int[] n : new int[][] {{13, 49, 33}, {5, 1024, 16}, {64, 64, 64}, {3, 16, 512}}) {
        batchNorm(backend, n[0], n[1], n[2], results);
      }
      Buffer dropped = backend.allocate(DType.FLOAT32, x.count());
      backend.dropout(x, 0.5f, 1, 2, 3, dropped);
      results.add(dropped.toFloats());
    }
    return results;
  }

  private static void batchNorm(
      Backend backend, int batch, int positions, int channels, List<float[]> results) {
    var shape = new BatchNormShape(batch, positions, channels, 1e-5f, Fusion.ADD_RELU);
    Buffer x = random(backend, shape.count());
    Buffer weights = backend.allocate(DType.FLOAT32, batch);
    float[] values = new float[batch];
    for (int j = 0; j < batch; j++) {
      values[j] = 1 + j % 3;
    }
    weights.upload(values);
    Buffer gamma = random(backend, channels);
    Buffer[] perChannel = new Buffer[6];
    Arrays.setAll(perChannel, i -> random(backend, channels));
    Buffer y = backend.allocate(DType.FLOAT32, shape.count());
    Buffer dx = backend.allocate(DType.FLOAT32, shape.count());
    Buffer dresidual = backend.allocate(DType.FLOAT32, shape.count());
    Buffer norms = random(backend, batch);
    try (BatchNorm op = backend.batchNorm(shape)) {
      op.forward(
          x,
          weights,
          gamma,
          gamma,
          x,
          y,
          perChannel[0],
          perChannel[1],
          perChannel[2],
          perChannel[3],
          0.1f);
      op.backward(
          x,
          y,
          x,
          weights,
          gamma,
          gamma,
          perChannel[0],
          perChannel[1],
          dx,
          perChannel[4],
          perChannel[5],
          dresidual);
      for (Buffer buffer : perChannel) {
        results.add(buffer.toFloats());
      }
      results.addAll(List.of(y.toFloats(), dx.toFloats(), dresidual.toFloats()));
      // The variance is an input here, so it has to be positive.
      op.backwardRunning(x, y, x, gamma, gamma, perChannel[0], perChannel[1], dx, dresidual, norms);
      results.addAll(List.of(dx.toFloats(), norms.toFloats()));
    }
    Buffer means = backend.allocate(DType.FLOAT32, (long) batch * channels);
    backend.globalAveragePool(batch, positions, channels, x, means);
    results.add(means.toFloats());
  }

  private static Buffer random(Backend backend, long count) {
    var random = new Random(count);
    float[] values = new float[(int) count];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextFloat() - 0.5f;
    }
    Buffer buffer = backend.allocate(DType.FLOAT32, count);
    buffer.upload(values);
    return buffer;
  }
}
