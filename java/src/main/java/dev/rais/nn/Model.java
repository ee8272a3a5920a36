package dev.rais.nn;

import dev.rais.backend.BatchNormShape.Fusion;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Description of a network: named layers from an image to class logits. The last layer is {@link
 * Dense}, because its gradient norms are what the sampler observes (docs/algorithm.md §5).
 *
 * <p>Activations are numbered: 0 is the image, i + 1 is what layer i makes. In a residual block
 * more than one layer reads the same one.
 */
public final class Model {
  /**
   * A layer in its place.
   *
   * @param name unique within the model, the prefix of its parameters in model files
   * @param layer the layer
   * @param input number of the activation it reads
   * @param residual number of the one that it adds, or -1
   * @param inputShape shape of the activation it reads
   * @param outputShape shape of the one it makes
   */
  public record NamedLayer(
      String name, Layer layer, int input, int residual, Shape inputShape, Shape outputShape) {
    /** Number of parameters. */
    public long parameterCount() {
      return layer.parameters(inputShape).stream().mapToLong(TensorSpec::count).sum();
    }
  }

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

  /** The layers in the order in which they run forward. */
  public List<NamedLayer> layers() {
    return layers;
  }

  /** Number of classes K: the last layer's outputs. */
  public int classes() {
    return ((Dense) layers.getLast().layer()).outputs();
  }

  /** All parameters under their full names, in order. */
  public List<TensorSpec> parameters() {
    return all(l -> l.layer().parameters(l.inputShape()));
  }

  /** All that layers keep beside parameters, under their full names, in order. */
  public List<TensorSpec> state() {
    return all(l -> l.layer().state(l.inputShape()));
  }

  private List<TensorSpec> all(Function<NamedLayer, List<TensorSpec>> of) {
    List<TensorSpec> result = new ArrayList<>();
    for (NamedLayer layer : layers) {
      for (TensorSpec spec : of.apply(layer)) {
        result.add(
            new TensorSpec(
                layer.name() + "." + spec.name(), spec.dims(), spec.fanIn(), spec.constant()));
      }
    }
    return result;
  }

  /** Number of parameters. */
  public long parameterCount() {
    return layers.stream().mapToLong(NamedLayer::parameterCount).sum();
  }

  /** Collects layers; each one's input shape is checked as it is added. */
  public static final class Builder {
    private final String name;
    private final Shape input;
    private final List<NamedLayer> layers = new ArrayList<>();
    private final Set<String> names = new HashSet<>();

    /** What the names of the layers added at present begin with: the residual block around them. */
    private String prefix = "";

    /** Number and shape of the activation that the next layer reads. */
    private int current;

    private Shape shape;

    /** The activation that the residual block around reads, in two ways: no layer may change it. */
    private int blockInput;

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
      reserve(layerName);
      if (layer instanceof Relu && fuse(Fusion.RELU, -1)) {
        return this;
      }
      append(layerName, layer, -1);
      return this;
    }

    /**
     * Adds a residual block (He et al. 2016): the rectified sum of a body's output and the block's
     * input.
     *
     * @param blockName prefix of its layers' names
     * @param body adds the body's layers
     */
    public Builder residual(String blockName, UnaryOperator<Builder> body) {
      return residual(blockName, body, UnaryOperator.identity());
    }

    /**
     * Adds a residual block whose body changes the shape: the rectified sum of a body's output and
     * a shortcut's, both of which read the block's input.
     *
     * @param blockName prefix of its layers' names
     * @param body adds the body's layers
     * @param shortcut adds the shortcut's layers
     * @throws IllegalArgumentException if the two outputs differ in shape
     */
    public Builder residual(
        String blockName, UnaryOperator<Builder> body, UnaryOperator<Builder> shortcut) {
      final String outside = prefix;
      final int start = current;
      final Shape startShape = shape;
      final int outerInput = blockInput;
      blockInput = start;
      prefix = outside + blockName + ".";
      // The shortcut first, so that the body's last layer is the latest and can take the sum in.
      shortcut.apply(this);
      int residual = current;
      Shape residualShape = shape;
      current = start;
      shape = startShape;
      body.apply(this);
      if (current == start) {
        throw new IllegalArgumentException(
            "model %s, block %s: has no layer in its body".formatted(name, outside + blockName));
      }
      if (!shape.equals(residualShape)) {
        throw new IllegalArgumentException(
            "model %s, block %s: its body makes %s of %s, but its shortcut %s"
                .formatted(name, outside + blockName, shape, startShape, residualShape));
      }
      if (!fuse(Fusion.ADD_RELU, residual)) {
        reserve("add");
        append("add", new AddRelu(), residual);
      }
      prefix = outside;
      blockInput = outerInput;
      return this;
    }

    /** Lets the layer before do what follows too, if that is a batch norm that can. */
    private boolean fuse(Fusion following, int residual) {
      if (current == blockInput || current != layers.size()) {
        return false;
      }
      NamedLayer last = layers.getLast();
      if (!(last.layer() instanceof BatchNorm2d norm) || norm.fusion() != Fusion.NONE) {
        return false;
      }
      layers.removeLast();
      layers.add(
          new NamedLayer(
              last.name(),
              norm.with(following),
              last.input(),
              residual,
              last.inputShape(),
              last.outputShape()));
      return true;
    }

    private void reserve(String layerName) {
      if (!names.add(prefix + layerName)) {
        throw new IllegalArgumentException("two layers are named " + prefix + layerName);
      }
    }

    private void append(String layerName, Layer layer, int residual) {
      Shape output;
      try {
        output = layer.outputShape(shape);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(
            "model %s, layer %s, input %s: %s"
                .formatted(name, prefix + layerName, shape, e.getMessage()),
            e);
      }
      layers.add(new NamedLayer(prefix + layerName, layer, current, residual, shape, output));
      current = layers.size();
      shape = output;
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
