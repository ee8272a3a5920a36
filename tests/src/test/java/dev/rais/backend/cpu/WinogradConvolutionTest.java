package dev.rais.backend.cpu;

import static dev.rais.backend.ErrorBounds.absolute;
import static dev.rais.backend.ErrorBounds.doubles;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rais.backend.Buffer;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.ErrorBounds;
import dev.rais.reference.Reference;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Convolutions by tiles against the double-precision reference, in whole and in short chunks. */
class WinogradConvolutionTest {
  private static final int THREADS = 3;

  private final SplittableRandom random = new SplittableRandom(7);
  private DnnRuntime runtime;
  private Workers workers;

  @BeforeEach
  void open() {
    assumeTrue(VectorLoops.areUsed(), "no Vector API, which the transforms need");
    runtime = new DnnRuntime(new Dnn(), THREADS);
    workers = new ForkJoinWorkers(THREADS);
  }

  @AfterEach
  void close() {
    if (runtime != null) {
      workers.close();
      runtime.close();
    }
  }

  private static ConvolutionShape shape(int batch, int height, int width, int in, int out) {
    return new ConvolutionShape(batch, height, width, in, out, 3, 1, 1).withoutBias();
  }

  @ParameterizedTest
  @CsvSource({
    "1, 2, 2, 16, 16, 1024",
    "2, 2, 6, 16, 32, 1024",
    "3, 8, 4, 48, 16, 1024",
    "7, 4, 4, 32, 48, 8", // chunks of 2 images, and one of 1
    "6, 6, 4, 16, 16, 18", // of 3
    "5, 4, 6, 16, 48, 1", // an image at a time
    "5, 2, 2, 144, 128, 4", // of 3 and 2
  })
  void resultsAreThoseOfTheReference(int batch, int height, int width, int in, int out, int most) {
    ConvolutionShape s = shape(batch, height, width, in, out);
    float[] x = values(s.inputCount());
    float[] w = values(s.weightCount());
    float[] dy = values(s.outputCount());
    try (var convolution = new WinogradConvolution(s, most, runtime, workers);
        Buffer xs = buffer(x);
        Buffer ws = buffer(w);
        Buffer dys = buffer(dy)) {
      check(
          "y",
          computed(s.outputCount(), y -> convolution.forward(xs, ws, null, y)),
          Reference.convolution(s, doubles(x), doubles(w), new double[out]),
          Reference.convolution(s, absolute(doubles(x)), absolute(doubles(w)), new double[out]),
          9 * in);
      check(
          "dx",
          computed(s.inputCount(), dx -> convolution.backwardData(dys, ws, dx)),
          Reference.convolutionBackwardData(s, doubles(dy), doubles(w)),
          Reference.convolutionBackwardData(s, absolute(doubles(dy)), absolute(doubles(w))),
          9 * out);
      check(
          "dw",
          computed(s.weightCount(), dw -> convolution.backwardWeights(xs, dys, dw, null)),
          Reference.convolutionBackwardWeights(s, doubles(x), doubles(dy)).weights(),
          Reference.convolutionBackwardWeights(s, absolute(doubles(x)), absolute(doubles(dy)))
              .weights(),
          batch * height * width);
    }
  }

  /**
   * Errors of a tile's values are those of its largest, so the bound is that of the largest sum.
   */
  private static void check(
      String name, float[] found, double[] expected, double[] absoluteSums, int terms) {
    double bound = 2 * ErrorBounds.gamma(terms) * Arrays.stream(absoluteSums).max().orElseThrow();
    for (int i = 0; i < expected.length; i++) {
      double error = Math.abs(found[i] - expected[i]);
      int at = i;
      assertTrue(
          error <= bound,
          () -> "%s[%d] is %s, not %s".formatted(name, at, found[at], expected[at]));
    }
  }

  @Test
  void theSameComesOutTwice() {
    ConvolutionShape s = shape(7, 4, 4, 32, 16);
    try (var convolution = new WinogradConvolution(s, 12, runtime, workers);
        Buffer xs = buffer(values(s.inputCount()));
        Buffer ws = buffer(values(s.weightCount()));
        Buffer dys = buffer(values(s.outputCount()))) {
      for (int i = 0; i < 3; i++) {
        assertArrayEquals(
            computed(s.outputCount(), y -> convolution.forward(xs, ws, null, y)),
            computed(s.outputCount(), y -> convolution.forward(xs, ws, null, y)));
        assertArrayEquals(
            computed(s.inputCount(), dx -> convolution.backwardData(dys, ws, dx)),
            computed(s.inputCount(), dx -> convolution.backwardData(dys, ws, dx)));
        assertArrayEquals(
            computed(s.weightCount(), dw -> convolution.backwardWeights(xs, dys, dw, null)),
            computed(s.weightCount(), dw -> convolution.backwardWeights(xs, dys, dw, null)));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "64, 4, 4, 512, 512, true",
    "64, 16, 16, 128, 128, true",
    "64, 8, 8, 256, 256, true",
    "64, 32, 32, 64, 64, false", // few channels
    "64, 7, 7, 256, 256, false", // no whole tiles
    "64, 4, 4, 130, 128, false", // no whole vectors
    "31, 4, 4, 512, 512, false", // few tiles
    "1, 224, 224, 128, 128, false", // many
  })
  void itIsTakenForWideImagesThatCutIntoTiles(
      int batch, int height, int width, int in, int out, boolean taken) {
    assertEquals(taken, WinogradConvolution.suits(shape(batch, height, width, in, out)));
  }

  @Test
  void itIsTakenForNothingElse() {
    int[][] others = {{5, 1, 2}, {3, 2, 1}, {3, 1, 0}, {1, 1, 0}};
    for (int[] o : others) {
      var s = new ConvolutionShape(64, 8, 8, 256, 256, o[0], o[1], o[2]).withoutBias();
      assertEquals(false, WinogradConvolution.suits(s), s.toString());
    }
    var biased = new ConvolutionShape(64, 8, 8, 256, 256, 3, 1, 1);
    assertEquals(false, WinogradConvolution.suits(biased));
  }

  private float[] values(long count) {
    float[] values = new float[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  private static Buffer buffer(float[] values) {
    Buffer buffer = CpuBuffer.allocate(DType.FLOAT32, values.length);
    buffer.upload(values);
    return buffer;
  }

  /** What an operation writes to where NaNs were. */
  private static float[] computed(long count, Consumer<Buffer> operation) {
    float[] poison = new float[Math.toIntExact(count)];
    Arrays.fill(poison, Float.NaN);
    try (Buffer result = buffer(poison)) {
      operation.accept(result);
      return result.toFloats();
    }
  }
}
