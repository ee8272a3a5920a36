package dev.rais.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.rais.backend.BatchNormShape.Fusion;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The built-in models are the known ones, and models are built as their parts say. */
class ModelsTest {
  private static final Shape CIFAR = new Shape(32, 32, 3);

  @ParameterizedTest
  @CsvSource({
    "resnet18, 10, 11173962",
    "resnet18, 100, 11220132",
    "resnet20, 10, 272474",
    "resnet20, 100, 278324",
    "resnet8, 10, 78042",
    "lenet5, 10, 657080",
    "mlp, 10, 953010"
  })
  void modelsHaveTheirNumberOfParameters(String name, int classes, long parameters) {
    Model model = Models.create(name, CIFAR, classes);
    assertEquals(parameters, model.parameterCount());
    assertEquals(parameters, model.parameters().stream().mapToLong(TensorSpec::count).sum());
    assertEquals(classes, model.classes());
  }

  @Test
  void resNet18HalvesTheImageInItsLaterStages() {
    Model model = Models.resnet18(CIFAR, 10);
    assertEquals(new Shape(32, 32, 64), outputOf(model, "stage1.block2.bn2"));
    assertEquals(new Shape(16, 16, 128), outputOf(model, "stage2.block1.conv1"));
    assertEquals(new Shape(16, 16, 128), outputOf(model, "stage2.block1.shortcut.conv"));
    assertEquals(new Shape(8, 8, 256), outputOf(model, "stage3.block2.bn2"));
    assertEquals(new Shape(4, 4, 512), outputOf(model, "stage4.block2.bn2"));
    assertEquals(Shape.vector(512), outputOf(model, "pool"));
    assertEquals(20, count(model, Conv2d.class), "17 convolutions and 3 in shortcuts");
  }

  @ParameterizedTest
  @CsvSource({"resnet8, 7", "resnet20, 19"})
  void theFamilyHas6nPlus2LayersBesideShortcuts(String name, int convolutions) {
    Model model = Models.create(name, CIFAR, 10);
    assertEquals(convolutions + 2, count(model, Conv2d.class), "2 in shortcuts");
    assertEquals(convolutions + 2, count(model, BatchNorm2d.class));
    assertEquals(new Shape(8, 8, 64), model.layers().get(model.layers().size() - 2).inputShape());
  }

  @ParameterizedTest
  @CsvSource({
    "resnet8, 1, 1, 1",
    "resnet20, 33, 17, 4",
    "resnet18, 28, 28, 1",
    "resnet18, 96, 96, 3"
  })
  void residualNetworksTakeImagesOfAnySize(String name, int height, int width, int channels) {
    Model model = Models.create(name, new Shape(height, width, channels), 7);
    assertEquals(7, model.layers().getLast().outputShape().channels());
  }

  @Test
  void whatFollowsABatchNormIsTakenIntoIt() {
    Model model =
        Model.builder("m", CIFAR)
            .add("bn1", new BatchNorm2d())
            .add("relu1", new Relu())
            .residual("block", b -> b.add("bn2", new BatchNorm2d()))
            .add("relu2", new Relu())
            .add("fc", new Dense(2))
            .build();
    assertEquals(
        List.of("bn1", "block.bn2", "relu2", "fc"),
        model.layers().stream().map(Model.NamedLayer::name).toList());
    assertEquals(Fusion.RELU, ((BatchNorm2d) model.layers().get(0).layer()).fusion());
    assertEquals(Fusion.ADD_RELU, ((BatchNorm2d) model.layers().get(1).layer()).fusion());
    assertEquals(1, model.layers().get(1).residual());
  }

  @Test
  void aBlocksInputIsNotChangedByWhatItsBodyBeginsWith() {
    Model model =
        Model.builder("m", CIFAR)
            .add("bn", new BatchNorm2d())
            .residual("block", b -> b.add("relu", new Relu()).add("conv", new Conv2d(3, 1)))
            .add("fc", new Dense(2))
            .build();
    assertEquals(Fusion.NONE, ((BatchNorm2d) model.layers().getFirst().layer()).fusion());
    assertEquals(
        List.of("bn", "block.relu", "block.conv", "block.add", "fc"),
        model.layers().stream().map(Model.NamedLayer::name).toList());
  }

  @Test
  void blocksThatDoNotFitAreRefusedByName() {
    Model.Builder builder = Model.builder("m", CIFAR);
    assertEquals(
        "model m, block b: its body makes 16x16x4 of 32x32x3, but its shortcut 32x32x3",
        assertThrows(
                IllegalArgumentException.class,
                () -> builder.residual("b", b -> b.add("conv", new Conv2d(4, 3, 2, 1))))
            .getMessage());
    assertEquals(
        "model m, block b: has no layer in its body",
        assertThrows(
                IllegalArgumentException.class,
                () -> Model.builder("m", CIFAR).residual("b", b -> b))
            .getMessage());
    assertEquals(
        "two layers are named b.conv",
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    Model.builder("m", CIFAR)
                        .residual(
                            "b",
                            b -> b.add("conv", new Conv2d(3, 1)).add("conv", new Conv2d(3, 1))))
            .getMessage());
  }

  private static Shape outputOf(Model model, String name) {
    return model.layers().stream()
        .filter(l -> l.name().equals(name))
        .findFirst()
        .orElseThrow()
        .outputShape();
  }

  private static long count(Model model, Class<? extends Layer> type) {
    return model.layers().stream().filter(l -> type.isInstance(l.layer())).count();
  }
}
