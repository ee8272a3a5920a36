package dev.rais.nn;

/** What the passes of a {@link BoundNetwork} are for. */
public enum Mode {
  /** Forward and backward to the parameters' gradients; what a layer does at random, it does. */
  TRAINING,

  /** Forward only, with what training has settled on: running statistics, nothing at random. */
  EVALUATION,

  /**
   * Forward as in evaluation; backward to each example's own squared gradient norm (the oracle's
   * score, docs/algorithm.md §4 "exact"). The parameters' gradients are left alone.
   */
  EXAMPLE_NORMS;

  /** Whether backward passes follow. */
  public boolean hasBackward() {
    return this != EVALUATION;
  }
}
