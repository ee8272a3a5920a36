package dev.rais.nn;

/** A layer with its buffers, ready to run for one batch size. */
public interface BoundLayer extends AutoCloseable {
  /** Fills the context's output from its input. */
  void forward(Step step);

  /**
   * Fills the context's input gradient, where there is one, from its output gradient, after a
   * {@link #forward} of the same step; and the parameters' gradients, or adds to the examples'
   * squared norms, as the mode says. Never called in evaluation mode.
   */
  void backward(Step step);

  /** Frees what the layer has prepared; the context's buffers are not its own. */
  @Override
  default void close() {}
}
