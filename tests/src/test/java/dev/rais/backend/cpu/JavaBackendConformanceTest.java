package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.rais.backend.Backend;
import dev.rais.backend.BackendConformance;
import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** The pure Java backend under the conformance suite, and the same bits at any thread count. */
class JavaBackendConformanceTest {
  @Nested
  class OneThread extends BackendConformance {
    @Override
    protected Backend create() {
      return new JavaBackend(1);
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
    }
    return results;
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
