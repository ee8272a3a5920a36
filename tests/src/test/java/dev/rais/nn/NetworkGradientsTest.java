package dev.rais.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.reference.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Gradients of whole networks in weighted minibatches against central differences of the loss that
 * {@link ReferenceNetwork} computes in double precision, and per-example norms against gradients of
 * one example each.
 */
class NetworkGradientsTest extends RandomTest {
  private static final int M = 6;
  private static final int CLASSES = 5;
  private static final long ITERATION = 12;

  /**
   * Step along a direction of unit length: kinks are seldom that near, rounding errors far away.
   */
  private static final double STEP = 1e-6;

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
            .add("conv2", new Conv2d(6, 3).withoutBias())
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
        Model.builder("sums", image)
            .add("conv", new Conv2d(4, 1))
            .residual("plain", b -> b.add("conv", new Conv2d(4, 3, 1, 1)))
            .residual("nested", b -> b.residual("inner", c -> c.add("relu", new Relu())))
            .add("fc", new Dense(CLASSES))
            .build(),
        Models.lenet5(new Shape(20, 20, 2), CLASSES),
        Models.mlp(image, CLASSES));
  }

  /** Models with layers that do something else in training than otherwise. */
  static Stream<Model> modelsWithModes() {
    Shape image = new Shape(5, 6, 2);
    return Stream.of(
        Model.builder("dropout", image)
            .add("conv1", new Conv2d(4, 3))
            .add("drop1", new Dropout(0.3f))
            .add("relu1", new Relu())
            .add("drop2", new Dropout(0.5f))
            .add("fc", new Dense(CLASSES))
            .build(),
        Model.builder("residual on the image", image)
            .residual("block", b -> b.add("conv", new Conv2d(2, 3, 1, 1)).add("bn", norm()))
            .add("pool", new GlobalAveragePool())
            .add("fc", new Dense(CLASSES))
            .build(),
        Model.builder("batch norm of a vector", image)
            .add("fc1", new Dense(8))
            .add("bn", norm())
            .add("relu", new Relu())
            .add("fc2", new Dense(CLASSES))
            .build(),
        Model.builder("batch norm", image)
            .add("conv", new Conv2d(4, 3, 2, 1).withoutBias())
            .add("bn", norm())
            .add("drop", new Dropout(0.2f))
            .add("fc", new Dense(CLASSES))
            .build(),
        Model.builder("identity block", image)
            .add("conv", new Conv2d(3, 3, 1, 1).withoutBias())
            .add("bn", norm())
            .add("relu", new Relu())
            .residual("block", b -> body(b, 3, 1))
            .add("pool", new GlobalAveragePool())
            .add("fc", new Dense(CLASSES))
            .build(),
        Model.builder("projection block", image)
            .add("conv", new Conv2d(3, 3, 1, 1).withoutBias())
            .add("bn", norm())
            .residual("block", b -> body(b, 4, 2), NetworkGradientsTest::projection)
            .add("pool", new GlobalAveragePool())
            .add("fc", new Dense(CLASSES))
            .build(),
        Model.builder("block whose body begins with what a norm could take in", image)
            .add("bn", norm())
            .residual(
                "block",
                b ->
                    b.add("relu", new Relu()).add("conv", new Conv2d(2, 3, 1, 1)).add("bn", norm()))
            .add("fc", new Dense(CLASSES))
            .build(),
        Model.builder("two blocks with dropout between", image)
            .add("conv", new Conv2d(3, 3, 1, 1).withoutBias())
            .residual("block1", b -> body(b, 3, 1))
            .add("drop", new Dropout(0.25f))
            .residual("block2", b -> body(b, 4, 2), NetworkGradientsTest::projection)
            .residual("block3", b -> body(b, 4, 1))
            .add("pool", new GlobalAveragePool())
            .add("fc", new Dense(CLASSES))
            .build(),
        ResNets.resnet("small residual network", image, CLASSES, 2, 2, 3));
  }

  static Stream<Model> allModels() {
    return Stream.concat(models(), modelsWithModes());
  }

  private static BatchNorm2d norm() {
    return new BatchNorm2d();
  }

  private static Model.Builder body(Model.Builder block, int channels, int stride) {
    return block
        .add("conv1", new Conv2d(channels, 3, stride, 1).withoutBias())
        .add("bn1", norm())
        .add("relu1", new Relu())
        .add("conv2", new Conv2d(channels, 3, 1, 1).withoutBias())
        .add("bn2", norm());
  }

  private static Model.Builder projection(Model.Builder shortcut) {
    return shortcut
        .add("shortcut.conv", new Conv2d(4, 1, 2, 0).withoutBias())
        .add("shortcut.bn", norm());
  }

  /** A network, a weighted batch, and the buffers of its loss layer. */
  private final class Task implements AutoCloseable {
    final Model model;
    final Mode mode;
    final Network network;
    final BoundNetwork net;
    final float[] x;
    final int[] y = new int[M];
    final float[] w = new float[M];
    final List<double[]> parameters = new ArrayList<>();
    final List<double[]> state = new ArrayList<>();
    final ReferenceNetwork reference;
    final Buffer weights = backend.allocate(DType.FLOAT32, M);
    final Buffer labels = backend.allocate(DType.INT32, M);
    final Buffer losses = backend.allocate(DType.FLOAT32, M);
    final Buffer norms = backend.allocate(DType.FLOAT32, M);
    final Buffer correctness = backend.allocate(DType.UINT8, M);

    Task(Model model, Mode mode, Random random) {
      this.model = model;
      this.mode = mode;
      network = new Network(backend, model, random.nextLong());
      net = network.bind(M, mode);
      x = new float[Math.toIntExact(net.input().count())];
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) random.nextGaussian();
      }
      for (int j = 0; j < M; j++) {
        y[j] = random.nextInt(CLASSES);
        w[j] = 0.2f + 2 * random.nextFloat();
      }
      labels.upload(y);
      weights.upload(w);
      List<TensorSpec> specs = new ArrayList<>(model.parameters());
      specs.addAll(model.state());
      for (int k = 0; k < specs.size(); k++) {
        NamedTensor tensor = network.tensors().get(k);
        float[] values = tensor.value().toFloats();
        if (specs.get(k).fanIn() == 0) {
          // What starts at 0 or 1 shall matter too.
          for (int i = 0; i < values.length; i++) {
            values[i] += 0.3f * random.nextFloat();
          }
          tensor.value().upload(values);
        }
        (tensor instanceof Parameter ? parameters : state).add(doubles(values));
      }
      reference = new ReferenceNetwork(model, M, mode, doubles(w), network.seed(), ITERATION);
    }

    /** Forward, the gradient of (1/m) Σ w_j loss_j or of every example's loss, backward. */
    void run() {
      boolean weighted = mode == Mode.TRAINING;
      net.input().upload(x);
      net.forward(weights, ITERATION);
      backend.lossLayer(
          M,
          CLASSES,
          net.logits(),
          labels,
          weighted ? weights : null,
          weighted ? 1f / M : 1,
          losses,
          norms,
          net.logitGradients(),
          correctness);
      net.backward();
    }

    double[] referenceLosses() {
      return reference.losses(doubles(x), parameters, state, y);
    }

    double referenceLoss() {
      double[] each = referenceLosses();
      double sum = 0;
      for (int j = 0; j < M; j++) {
        sum += w[j] * each[j] / M;
      }
      return sum;
    }

    @Override
    public void close() {
      net.close();
      network.close();
    }
  }

  private static double[] doubles(float[] values) {
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = values[i];
    }
    return result;
  }

  @ParameterizedTest
  @MethodSource("allModels")
  void lossesAreThoseOfTheReference(Model model) {
    Random random = random("losses of " + model.name());
    for (Mode mode : List.of(Mode.TRAINING, Mode.EXAMPLE_NORMS)) {
      try (Task task = new Task(model, mode, random)) {
        task.run();
        float[] found = task.losses.toFloats();
        double[] expected = task.referenceLosses();
        for (int j = 0; j < M; j++) {
          assertEquals(expected[j], found[j], 1e-5 + 1e-4 * expected[j], mode + " " + j);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("allModels")
  void theGradientOfEveryParameterMatchesCentralDifferences(Model model) {
    Random random = random("gradients of " + model.name());
    try (Task task = new Task(model, Mode.TRAINING, random)) {
      task.run();
      double all = Math.sqrt(backend.squaredNorm(task.network.gradients()));
      assertTrue(all > 0.01, "a gradient of " + all + " proves nothing");
      for (int p = 0; p < task.parameters.size(); p++) {
        Parameter parameter = task.network.parameters().get(p);
        float[] gradient = parameter.gradient().toFloats();
        double norm = Math.sqrt(Reference.squaredNorm(doubles(gradient)));
        // Along the gradient itself the derivative is its norm: the best-conditioned direction,
        // to which an error in any element contributes. Random ones guard against errors at right
        // angles to it.
        for (int d = 0; d < 3; d++) {
          double[] direction = new double[gradient.length];
          for (int i = 0; i < direction.length; i++) {
            direction[i] = d == 0 ? gradient[i] : random.nextGaussian();
          }
          // What stands before a batch norm may have no gradient: its mean is taken off.
          double length = Math.max(1e-12, Math.sqrt(Reference.squaredNorm(direction)));
          double expected = 0;
          for (int i = 0; i < direction.length; i++) {
            direction[i] /= length;
            expected += direction[i] * gradient[i];
          }
          double found = derivative(task, p, direction);
          assertEquals(
              found, expected, 1e-3 * norm + 1e-5 * all, parameter.name() + ", direction " + d);
        }
      }
    }
  }

  private static double derivative(Task task, int p, double[] direction) {
    double[] value = task.parameters.get(p);
    double[] loss = new double[2];
    for (int side = 0; side < 2; side++) {
      double[] moved = value.clone();
      for (int i = 0; i < value.length; i++) {
        moved[i] += (2 * side - 1) * STEP * direction[i];
      }
      task.parameters.set(p, moved);
      loss[side] = task.referenceLoss();
    }
    task.parameters.set(p, value);
    return (loss[1] - loss[0]) / (2 * STEP);
  }

  @ParameterizedTest
  @MethodSource("models")
  void exampleNormsAreTheNormsOfTheExamplesOwnGradients(Model model) {
    Random random = random("example norms of " + model.name());
    try (Task task = new Task(model, Mode.EXAMPLE_NORMS, random);
        BoundNetwork single = task.network.bind(1, Mode.TRAINING)) {
      task.run();
      float[] found = task.net.squaredNorms().toFloats();
      int size = model.input().size();
      for (int j = 0; j < M; j++) {
        single.input().upload(Arrays.copyOfRange(task.x, j * size, (j + 1) * size));
        single.forward();
        backend.lossLayer(
            1,
            CLASSES,
            single.logits(),
            task.labels.slice(j, 1),
            null,
            1,
            task.losses.slice(0, 1),
            task.norms.slice(0, 1),
            single.logitGradients(),
            task.correctness.slice(0, 1));
        single.backward();
        double expected = backend.squaredNorm(task.network.gradients());
        assertEquals(expected, found[j], 1e-4 * expected + 1e-8, "example " + j);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("modelsWithModes")
  void exampleNormsTakeRunningStatisticsAsConstantAndDropNothing(Model model) {
    Random random = random("example norms of " + model.name());
    try (Task task = new Task(model, Mode.EXAMPLE_NORMS, random)) {
      float[] gradients = task.network.gradients().toFloats();
      float[] state = task.network.stateValues().toFloats();
      task.run();
      double[] squares = new double[M];
      for (double[] value : task.parameters) {
        for (int i = 0; i < value.length; i++) {
          double was = value[i];
          value[i] = was + STEP;
          double[] up = task.referenceLosses();
          value[i] = was - STEP;
          double[] down = task.referenceLosses();
          value[i] = was;
          for (int j = 0; j < M; j++) {
            double slope = (up[j] - down[j]) / (2 * STEP);
            squares[j] += slope * slope;
          }
        }
      }
      float[] found = task.net.squaredNorms().toFloats();
      for (int j = 0; j < M; j++) {
        assertEquals(squares[j], found[j], 2e-3 * squares[j], "example " + j);
      }
      assertArrayEquals(gradients, task.network.gradients().toFloats(), "gradients left alone");
      assertArrayEquals(state, task.network.stateValues().toFloats(), "statistics left alone");
    }
  }
}
