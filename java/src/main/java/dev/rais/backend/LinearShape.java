package dev.rais.backend;

/**
 * Shape of a fully connected layer: input {@code [batch, inputs]}, weights {@code [outputs,
 * inputs]}, bias {@code [outputs]}, output {@code [batch, outputs]}.
 *
 * @param batch examples
 * @param inputs features in
 * @param outputs features out
 */
public record LinearShape(int batch, int inputs, int outputs) {

  /** Checks that no size is zero. */
  public LinearShape {
    Shapes.requirePositive("batch", batch);
    Shapes.requirePositive("inputs", inputs);
    Shapes.requirePositive("outputs", outputs);
  }

  /** Elements of the input. */
  public long inputCount() {
    return (long) batch * inputs;
  }

  /** Elements of the output. */
  public long outputCount() {
    return (long) batch * outputs;
  }

  /** Elements of the weights. */
  public long weightCount() {
    return (long) inputs * outputs;
  }
}
