package dev.rais.train;

/**
 * Training met a loss that is not a number or infinite. The trainer's network holds the last good
 * parameters again: those of the last evaluation whose loss was finite.
 */
public final class DivergedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final long iteration;
  private final long lastGoodIteration;

  DivergedException(long iteration, String what, long lastGoodIteration) {
    super(
        what
            + " at iteration "
            + iteration
            + "; the last good state is that of iteration "
            + lastGoodIteration);
    this.iteration = iteration;
    this.lastGoodIteration = lastGoodIteration;
  }

  /** Minibatches trained before the loss was not finite. */
  public long iteration() {
    return iteration;
  }

  /** Minibatches trained when the restored parameters were current. */
  public long lastGoodIteration() {
    return lastGoodIteration;
  }
}
