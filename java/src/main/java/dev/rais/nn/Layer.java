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

  /** What it is, in a few words, for lists of layers. */
  default String describe() {
    return getClass().getSimpleName();
  }

  /** Parameters for this input, none by default. */
  default List<TensorSpec> parameters(Shape input) {
    return List.of();
  }

  /** What it keeps from step to step beside parameters, nothing by default. */
  default List<TensorSpec> state(Shape input) {
    return List.of();
  }

  /** What its passes do with memory; by default they may do anything but work in place. */
  default MemoryUse memory() {
    return MemoryUse.ALL;
  }

  /** Prepares the layer to run for one batch size, on the buffers of the context. */
  BoundLayer bind(LayerContext context);
}
