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

  private static final Map<String, Factory> FACTORIES = new LinkedHashMap<>();

  static {
    FACTORIES.put("lenet5", Models::lenet5);
    FACTORIES.put("mlp", Models::mlp);
  }

  private Models() {}

  /** All names. */
  public static List<String> names() {
    return List.copyOf(FACTORIES.keySet());
  }

  /**
   * Makes the named model.
   *
   * @throws IllegalArgumentException for an unknown name or an image it cannot take
   */
  public static Model create(String name, Shape input, int classes) {
    Factory factory = FACTORIES.get(name);
    if (factory == null) {
      throw new IllegalArgumentException(
          "there is no model '" + name + "'; models: " + String.join(", ", FACTORIES.keySet()));
    }
    return factory.create(input, classes);
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
}
