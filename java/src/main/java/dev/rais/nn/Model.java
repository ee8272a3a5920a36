package dev.rais.nn;

import java.util.ArrayList;
import java.util.List;

/**
 * Description of a network: named layers from an image to class logits. The last layer is {@link
 * Dense}, because its gradient norms are what the sampler observes (docs/algorithm.md §5).
 */
public final class Model {
  /**
   * A layer and its name in model files.
   *
   * @param name unique within the model
   * @param layer the layer
   */
  public record NamedLayer(String name, Layer layer) {}

  private final String name;
  private final Shape input;
  private final List<NamedLayer> layers;

  private Model(String name, Shape input, List<NamedLayer> layers) {
    this.name = name;
    this.input = input;
    this.layers = layers;
  }

  /** Starts a model for images of this shape. */
  public static Builder builder(String name, Shape input) {
    return new Builder(name, input);
  }

  /** Name, as in options and model files. */
  public String name() {
    return name;
  }

  /** Shape of one image. */
  public Shape input() {
    return input;
  }

  /** The layers in order. */
  public List<NamedLayer> layers() {
    return layers;
  }

  /** Number of classes K: the last layer's outputs. */
  public int classes() {
    return ((Dense) layers.getLast().layer()).outputs();
  }

  /** Collects layers; each one's input shape is checked as it is added. */
  public static final class Builder {
    private final String name;
    private final Shape input;
    private final List<NamedLayer> layers = new ArrayList<>();
    private Shape shape;

    private Builder(String name, Shape input) {
      this.name = name;
      this.input = input;
      this.shape = input;
    }

    /**
     * Adds a layer.
     *
     * @param layerName unique name, the prefix of its parameters in model files
     * @throws IllegalArgumentException if the name is taken or the layer cannot take its input
     */
    public Builder add(String layerName, Layer layer) {
      if (layers.stream().anyMatch(l -> l.name().equals(layerName))) {
        throw new IllegalArgumentException("two layers are named " + layerName);
      }
      try {
        shape = layer.outputShape(shape);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(
            "model " + name + ", layer " + layerName + ", input " + shape + ": " + e.getMessage(),
            e);
      }
      layers.add(new NamedLayer(layerName, layer));
      return this;
    }

    /** The finished model. */
    public Model build() {
      if (layers.isEmpty() || !(layers.getLast().layer() instanceof Dense)) {
        throw new IllegalArgumentException("model " + name + ": the last layer must be Dense");
      }
      return new Model(name, input, List.copyOf(layers));
    }
  }
}
