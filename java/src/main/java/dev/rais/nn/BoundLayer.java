package dev.rais.nn;

import dev.rais.backend.Buffer;

/** A layer with its buffers, ready to run for one batch size. */
public interface BoundLayer extends AutoCloseable {
  /** FLOAT32 [m, output shape], filled by {@link #forward}. */
  Buffer output();

  /** Computes the output from the input given at binding. */
  void forward();

  /**
   * Propagates the gradient after a {@link #forward} of the same batch.
   *
   * @param dy FLOAT32 [m, output shape]: gradient of the output; may be overwritten
   * @param pass what to do for the parameters
   * @return gradient of the input, or null where it was not asked for at binding
   */
  Buffer backward(Buffer dy, BackwardPass pass);

  @Override
  void close();
}
