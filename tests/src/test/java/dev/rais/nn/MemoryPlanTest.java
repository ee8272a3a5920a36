package dev.rais.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Activations and gradients share memory, and nobody's is overwritten before its time. */
class MemoryPlanTest {
  private static final Shape CIFAR = new Shape(32, 32, 3);
  private static final int M = 4;

  /** What stands in the workspace before a step, and a place of its own for everything, agree. */
  @ParameterizedTest
  @MethodSource("dev.rais.nn.NetworkGradientsTest#allModels")
  void sharedMemoryGivesTheBitsOfSeparateMemory(Model model) {
    for (Mode mode : Mode.values()) {
      try (Backend backend = Backends.open("cpu", 1, warning -> {});
          Network network = new Network(backend, model, 7)) {
        float[][] shared = run(network, MemoryPlan.of(model, M, mode));
        float[][] separate = run(network, MemoryPlan.separate(model, M, mode));
        for (int k = 0; k < shared.length; k++) {
          assertArrayEquals(separate[k], shared[k], model.name() + " " + mode + " " + k);
        }
      }
    }
  }

  private static float[][] run(Network network, MemoryPlan plan) {
    Backend backend = network.backend();
    network.gradients().fillZero();
    try (Buffer workspace = backend.allocate(DType.FLOAT32, plan.count())) {
      float[] rubbish = new float[Math.toIntExact(plan.count())];
      Arrays.fill(rubbish, Float.NaN);
      workspace.upload(rubbish);
      Random random = new Random(3);
      try (BoundNetwork net = network.bind(plan, workspace)) {
        net.input().upload(normal(random, net.input().count()));
        net.forward();
        float[] logits = net.logits().toFloats();
        if (!plan.mode().hasBackward()) {
          return new float[][] {logits, net.finalInput().toFloats()};
        }
        net.logitGradients().upload(normal(random, net.logits().count()));
        net.backward();
        return new float[][] {
          logits,
          net.finalInput().toFloats(),
          network.gradients().toFloats(),
          plan.mode() == Mode.TRAINING ? null : net.squaredNorms().toFloats()
        };
      }
    }
  }

  private static float[] normal(Random random, long count) {
    float[] values = new float[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** In a block, its input waits while the body makes one activation of another. */
  @Test
  void evaluationNeedsThreeActivationsWhateverTheDepth() {
    MemoryPlan plan = MemoryPlan.of(Models.resnet18(CIFAR, 10), 64, Mode.EVALUATION);
    assertEquals(3L * 64 * 32 * 32 * 64, plan.count());
  }

  /**
   * The convolutions' and batch norms' inputs have to be kept to the end, two activations for each
   * of the 17 layers and one for each shortcut; gradients fit where activations are not needed any
   * more, but for what the last layers need.
   */
  @Test
  void trainingNeedsLittleMoreThanWhatHasToBeKept() {
    long kept = 0;
    for (Model.NamedLayer layer : Models.resnet18(CIFAR, 10).layers()) {
      boolean inputKept = layer.layer().memory().keepsInput();
      kept += inputKept ? 64L * layer.inputShape().size() : 0;
    }
    MemoryPlan plan = MemoryPlan.of(Models.resnet18(CIFAR, 10), 64, Mode.TRAINING);
    assertTrue(plan.count() < 1.05 * kept, plan.count() + " against " + kept);
  }

  @Test
  void aRectifierWorksInPlaceWhereNobodyElseReadsWhatItChanges() {
    Model model =
        Model.builder("m", CIFAR)
            .add("conv", new Conv2d(4, 3))
            .add("relu1", new Relu())
            .add("relu2", new Relu())
            .add("fc", new Dense(2))
            .build();
    MemoryPlan training = MemoryPlan.of(model, 2, Mode.TRAINING);
    assertSame(training.activation(1), training.activation(2));
    assertNotSame(training.activation(2), training.activation(3), "relu1 keeps its output");
    assertSame(training.gradient(3), training.gradient(1));
    MemoryPlan evaluation = MemoryPlan.of(model, 2, Mode.EVALUATION);
    assertSame(evaluation.activation(1), evaluation.activation(3));
  }

  /** A layer that may work in place, but whose backward pass reads its input. */
  private record Square() implements Layer {
    @Override
    public Shape outputShape(Shape input) {
      return input;
    }

    @Override
    public MemoryUse memory() {
      return new MemoryUse(true, false, true, true);
    }

    @Override
    public BoundLayer bind(LayerContext context) {
      throw new UnsupportedOperationException("only planned");
    }
  }

  @Test
  void whatABackwardPassReadsIsNotOverwrittenInPlace() {
    Model model =
        Model.builder("m", CIFAR)
            .add("conv", new Conv2d(4, 3))
            .add("square", new Square())
            .add("fc", new Dense(2))
            .build();
    for (Mode mode : Mode.values()) {
      MemoryPlan plan = MemoryPlan.of(model, 2, mode);
      boolean inPlace = plan.activation(1) == plan.activation(2);
      assertEquals(!mode.hasBackward(), inPlace, mode.toString());
    }
  }

  @Test
  void asManyExamplesAreTakenAsThereIsRoomFor() {
    Model model = Models.resnet8(CIFAR, 10);
    long room = MemoryPlan.of(model, 37, Mode.EVALUATION).count();
    assertEquals(37, MemoryPlan.within(room, model, 500, Mode.EVALUATION).batch());
    assertEquals(36, MemoryPlan.within(room - 1, model, 500, Mode.EVALUATION).batch());
    assertEquals(20, MemoryPlan.within(room, model, 20, Mode.EVALUATION).batch());
    assertEquals(1, MemoryPlan.within(0, model, 500, Mode.EVALUATION).batch());
  }
}
