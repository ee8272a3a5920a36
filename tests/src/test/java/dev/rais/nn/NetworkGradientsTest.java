package dev.rais.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Gradients of whole networks against central differences of the weighted loss, layer by layer, and
 * per-example norms against backward passes of one example each.
 */
class NetworkGradientsTest extends RandomTest {
  private static final int M = 6;
  private static final int CLASSES = 5;

  /**
   * Largest step along a direction of unit length. The loss has about seven digits, so with it a
   * slope of 1 keeps about four.
   */
  private static final double STEP = 2e-3;

  /** Where the slope is steep the step is shortened to about this change of the loss. */
  private static final double CHANGE = 5e-3;

  private static final int ATTEMPTS = 20;

  private Backend backend;

  @BeforeEach
  void open() {
    backend = Backends.open("cpu", 2, warning -> {});
  }

  @AfterEach
  void close() {
    backend.close();
  }

  static Stream<Model> models() {
    Shape image = new Shape(9, 8, 3);
    return Stream.of(
        Model.builder("dense", image).add("fc", new Dense(CLASSES)).build(),
        Model.builder("dense-dense", image)
            .add("fc1", new Dense(7))
            .add("fc2", new Dense(CLASSES))
            .build(),
        Model.builder("relu", image)
            .add("fc1", new Dense(30))
            .add("relu", new Relu())
            .add("fc2", new Dense(CLASSES))
            .build(),
        Model.builder("convolution", image)
            .add("conv1", new Conv2d(4, 3))
            .add("conv2", new Conv2d(6, 3))
            .add("fc", new Dense(CLASSES))
            .build(),
        Model.builder("strided, padded convolution", image)
            .add("conv1", new Conv2d(5, 3, 2, 1))
            .add("conv2", new Conv2d(3, 1, 1, 0))
            .add("fc", new Dense(CLASSES))
            .build(),
        Model.builder("max pooling", image)
            .add("conv1", new Conv2d(4, 3))
            .add("pool", new MaxPool2d(2, 2))
            .add("fc", new Dense(CLASSES))
            .build(),
        Model.builder("overlapping max pooling", image)
            .add("conv1", new Conv2d(4, 2))
            .add("pool", new MaxPool2d(3, 2))
            .add("fc", new Dense(CLASSES))
            .build(),
        Models.lenet5(new Shape(20, 20, 2), CLASSES),
        Models.mlp(image, CLASSES));
  }

  /** A network, a weighted batch, and the buffers of its loss layer. */
  private final class Task implements AutoCloseable {
    final Network network;
    final BoundNetwork net;
    final float[] w = new float[M];
    final Buffer weights = backend.allocate(DType.FLOAT32, M);
    final Buffer labels = backend.allocate(DType.INT32, M);
    final Buffer losses = backend.allocate(DType.FLOAT32, M);
    final Buffer norms = backend.allocate(DType.FLOAT32, M);
    final Buffer gradients = backend.allocate(DType.FLOAT32, (long) M * CLASSES);
    final Buffer correctness = backend.allocate(DType.UINT8, M);

    Task(Model model, Random random) {
      network = new Network(backend, model, random.nextLong());
      net = network.bind(M, true);
      float[] x = new float[Math.toIntExact(net.input().count())];
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) random.nextGaussian();
      }
      net.input().upload(x);
      int[] y = new int[M];
      for (int j = 0; j < M; j++) {
        y[j] = random.nextInt(CLASSES);
        w[j] = 0.2f + 2 * random.nextFloat();
      }
      labels.upload(y);
      weights.upload(w);
    }

    /** (1/m) Σ w_j loss_j, and its gradient with regard to the logits. */
    double loss() {
      net.forward();
      backend.lossLayer(
          M, CLASSES, net.logits(), labels, weights, 1f / M, losses, norms, gradients, correctness);
      float[] each = losses.toFloats();
      double sum = 0;
      for (int j = 0; j < M; j++) {
        sum += w[j] * (double) each[j] / M;
      }
      return sum;
    }

    @Override
    public void close() {
      net.close();
      network.close();
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void theGradientOfEveryParameterMatchesCentralDifferences(Model model) {
    Random random = random("gradients of " + model.name());
    int parameters;
    try (Task task = new Task(model, random)) {
      parameters = task.network.parameters().size();
    }
    for (int p = 0; p < parameters; p++) {
      int attempt = 0;
      while (!gradientMatches(model, p, random)) {
        assertTrue(++attempt < ATTEMPTS, "no point without a kink nearby for parameter " + p);
      }
    }
  }

  /**
   * Compares the gradient of one parameter at a random point with difference quotients, in two
   * directions; returns false, without a judgement, where the losses alone show a kink within
   * reach.
   */
  private boolean gradientMatches(Model model, int p, Random random) {
    try (Task task = new Task(model, random)) {
      task.loss();
      task.net.backward(task.gradients, BackwardPass.gradients());
      Parameter parameter = task.network.parameters().get(p);
      float[] gradient = parameter.gradient().toFloats();
      float[] value = parameter.value().toFloats();
      double norm = 0;
      for (float g : gradient) {
        norm += (double) g * g;
      }
      norm = Math.sqrt(norm);
      assertTrue(norm > 1e-5, parameter.name() + " has a gradient of " + norm);
      // Along the gradient itself the derivative is its norm: the best-conditioned direction,
      // to which an error in any element contributes. A second, random one guards against
      // errors at right angles to it.
      double[] along = new double[value.length];
      double[] mixed = new double[value.length];
      double mixedNorm = 0;
      for (int i = 0; i < value.length; i++) {
        along[i] = gradient[i] / norm;
        mixed[i] = along[i] + random.nextGaussian() / Math.sqrt(value.length);
        mixedNorm += mixed[i] * mixed[i];
      }
      for (int i = 0; i < value.length; i++) {
        mixed[i] /= Math.sqrt(mixedNorm);
      }
      for (double[] direction : List.of(along, mixed)) {
        double expected = 0;
        for (int i = 0; i < value.length; i++) {
          expected += gradient[i] * direction[i];
        }
        double tolerance = 0.01 * norm + 2e-4;
        // Steep slopes leave digits to spare, and a short step crosses fewer kinks.
        double step = Math.clamp(CHANGE / norm, STEP / 20, STEP);
        double found = derivative(task, parameter, value, direction, step, tolerance);
        if (Double.isNaN(found)) {
          return false;
        }
        assertEquals(expected, found, tolerance, parameter.name());
      }
      return true;
    }
  }

  /**
   * Central difference along a direction, or NaN where the loss is not smooth enough for one. A
   * kink of slope J at distance x within the step h makes central differences at h and h/2 differ
   * by J x / (2h), or, if it is too close for that to show, their second differences by J h instead
   * of in proportion to h².
   */
  private static double derivative(
      Task task,
      Parameter parameter,
      float[] value,
      double[] direction,
      double step,
      double tolerance) {
    double[] loss = new double[5];
    for (int k = 0; k < loss.length; k++) {
      float[] moved = new float[value.length];
      for (int i = 0; i < value.length; i++) {
        moved[i] = (float) (value[i] + (k - 2) * step / 2 * direction[i]);
      }
      parameter.value().upload(moved);
      loss[k] = task.loss();
    }
    double wide = (loss[4] - loss[0]) / (2 * step);
    double narrow = (loss[3] - loss[1]) / step;
    double wideBend = loss[4] + loss[0] - 2 * loss[2];
    double narrowBend = loss[3] + loss[1] - 2 * loss[2];
    boolean smooth =
        Math.abs(wide - narrow) <= tolerance / 2
            && Math.abs(4 * narrowBend - wideBend) / step <= tolerance;
    return smooth ? wide : Double.NaN;
  }

  @ParameterizedTest
  @MethodSource("models")
  void exampleNormsAreTheNormsOfTheExamplesOwnGradients(Model model) {
    Random random = random("example norms of " + model.name());
    try (Task task = new Task(model, random);
        BoundNetwork single = task.network.bind(1, true)) {
      Buffer unweighted = backend.allocate(DType.FLOAT32, (long) M * CLASSES);
      Buffer squares = backend.allocate(DType.FLOAT32, M);
      task.net.forward();
      backend.lossLayer(
          M,
          CLASSES,
          task.net.logits(),
          task.labels,
          null,
          1,
          task.losses,
          task.norms,
          unweighted,
          task.correctness);
      List<Buffer> rows = new ArrayList<>();
      for (int j = 0; j < M; j++) {
        Buffer row = backend.allocate(DType.FLOAT32, CLASSES);
        row.copyFrom(unweighted.slice((long) j * CLASSES, CLASSES));
        rows.add(row);
      }
      task.net.backward(unweighted, BackwardPass.exampleNorms(squares));
      float[] found = squares.toFloats();
      int size = model.input().size();
      for (int j = 0; j < M; j++) {
        single.input().copyFrom(task.net.input().slice((long) j * size, size));
        single.forward();
        single.backward(rows.get(j), BackwardPass.gradients());
        double expected = backend.squaredNorm(task.network.gradients());
        assertEquals(expected, found[j], 1e-4 * expected, "example " + j);
      }
    }
  }
}
