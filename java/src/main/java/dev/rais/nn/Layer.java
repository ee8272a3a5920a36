package dev.rais.nn;

import java.util.List;

/**
 * Description of a layer: what it makes of an input shape, which parameters it needs, and how it
 * runs on a backend. It holds no state, so one description can serve any number of networks.
 */
public interface Layer {
  /**
   * Shape of the output of one example.
   *
   * @throws IllegalArgumentException if the layer cannot take this input
   */
  Shape outputShape(Shape input);

  /** Parameters for this input, none by default. */
  default List<ParameterSpec> parameters(Shape input) {
    return List.of();
  }

  /** Allocates what the layer needs to run for one batch size. */
  BoundLayer bind(LayerContext context);
}
