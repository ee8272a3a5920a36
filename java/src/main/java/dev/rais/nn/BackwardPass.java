package dev.rais.nn;

import dev.rais.backend.Buffer;

/**
 * What a backward pass is for.
 *
 * <p>{@link #gradients()} fills the parameters' gradients, summed over the batch. {@link
 * #exampleNorms} leaves them alone and adds each example's own squared gradient norm instead (the
 * oracle's score, docs/algorithm.md §4 "exact").
 *
 * @param squaredNorms FLOAT32 [m] to add to, or null for gradients
 */
public record BackwardPass(Buffer squaredNorms) {
  /** The ordinary pass. */
  public static BackwardPass gradients() {
    return new BackwardPass(null);
  }

  /** The pass that adds per-example squared norms to a buffer. */
  public static BackwardPass exampleNorms(Buffer squaredNorms) {
    return new BackwardPass(java.util.Objects.requireNonNull(squaredNorms));
  }

  /** Whether the parameters' gradients are wanted. */
  public boolean wantsGradients() {
    return squaredNorms == null;
  }
}
