package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.util.List;

/**
 * All a layer is given when it is bound.
 *
 * @param backend where to allocate and compute
 * @param batch examples m
 * @param inputShape shape of one example's input
 * @param input FLOAT32 [m, inputShape]: the layer's input, filled before each forward pass
 * @param parameters the layer's parameters, in the order of {@link Layer#parameters}
 * @param training whether backward passes will follow
 * @param inputGradient whether the gradient of the input is wanted
 */
public record LayerContext(
    Backend backend,
    int batch,
    Shape inputShape,
    Buffer input,
    List<Parameter> parameters,
    boolean training,
    boolean inputGradient) {

  /** Allocates FLOAT32 [m, shape]. */
  public Buffer activation(Shape shape) {
    return backend.allocate(DType.FLOAT32, (long) batch * shape.size());
  }

  /** Allocates the buffer for the gradient of the input, or returns null where it is not wanted. */
  public Buffer inputGradientOrNull() {
    return training && inputGradient ? activation(inputShape) : null;
  }
}
