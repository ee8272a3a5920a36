package dev.rais.nn;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The models that can be named on the command line. */
public final class Models {
  /** Makes a model for a data set. */
  public interface Factory {
    /**
     * Makes the model.
     *
     * @param input shape of one image
     * @param classes number of classes K
     */
    Model create(Shape input, int classes);
  }

  /** A model's entry in the list of those that can be named. */
  private record Entry(String description, Factory factory) {}

  private static final Map<String, Entry> ENTRIES = new LinkedHashMap<>();

  static {
    put("lenet5", "LeNet-5: two convolutions with max pooling, 500 units", Models::lenet5);
    put("mlp", "perceptron with 300 and 100 hidden units", Models::mlp);
    put("resnet8", "residual network of 8 layers, 16 to 64 channels", Models::resnet8);
    put("resnet20", "residual network of 20 layers, 16 to 64 channels", Models::resnet20);
    put("resnet18", "residual network of 18 layers, 64 to 512 channels", Models::resnet18);
  }

  private Models() {}

  private static void put(String name, String description, Factory factory) {
    ENTRIES.put(name, new Entry(description, factory));
  }

  /** All names. */
  public static List<String> names() {
    return List.copyOf(ENTRIES.keySet());
  }

  /** What the named model is, in a few words. */
  public static String description(String name) {
    return entry(name).description();
  }

  /**
   * Makes the named model.
   *
   * @throws IllegalArgumentException for an unknown name or an image it cannot take
   */
  public static Model create(String name, Shape input, int classes) {
    return entry(name).factory().create(input, classes);
  }

  private static Entry entry(String name) {
    Entry entry = ENTRIES.get(name);
    if (entry == null) {
      throw new IllegalArgumentException(
          "there is no model '" + name + "'; models: " + String.join(", ", ENTRIES.keySet()));
    }
    return entry;
  }

  /**
   * LeNet-5 in its common form: conv 20@5×5, max-pool, conv 50@5×5, max-pool, 500 units, K logits.
   *
   * <p>The rectifier stands behind each pooling, where it costs a quarter: max and rectifier
   * commute.
   */
  public static Model lenet5(Shape input, int classes) {
    return Model.builder("lenet5", input)
        .add("conv1", new Conv2d(20, 5))
        .add("pool1", new MaxPool2d(2, 2))
        .add("relu1", new Relu())
        .add("conv2", new Conv2d(50, 5))
        .add("pool2", new MaxPool2d(2, 2))
        .add("relu2", new Relu())
        .add("fc1", new Dense(500))
        .add("relu3", new Relu())
        .add("fc2", new Dense(classes))
        .build();
  }

  /** Multilayer perceptron with 300 and 100 hidden units. */
  public static Model mlp(Shape input, int classes) {
    return Model.builder("mlp", input)
        .add("fc1", new Dense(300))
        .add("relu1", new Relu())
        .add("fc2", new Dense(100))
        .add("relu2", new Relu())
        .add("fc3", new Dense(classes))
        .build();
  }

  /** Residual network of 8 layers, 16 to 64 channels: 78,042 parameters for CIFAR-10. */
  public static Model resnet8(Shape input, int classes) {
    return ResNets.family("resnet8", input, classes, 1);
  }

  /** Residual network of 20 layers, 16 to 64 channels: 272,474 parameters for CIFAR-10. */
  public static Model resnet20(Shape input, int classes) {
    return ResNets.family("resnet20", input, classes, 3);
  }

  /**
   * Residual network of 18 layers, 64 to 512 channels, that begins with a 3×3 convolution as is
   * usual for small images: 11,173,962 parameters for CIFAR-10.
   */
  public static Model resnet18(Shape input, int classes) {
    return ResNets.resnet("resnet18", input, classes, 2, 64, 128, 256, 512);
  }
}
