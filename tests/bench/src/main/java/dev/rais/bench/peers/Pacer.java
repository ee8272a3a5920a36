package dev.rais.bench.peers;

import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;

/**
 * Stands inside a training loop, which never ends by itself, and measures it: the loop calls {@link
 * #begin} before its first step and {@link #stepped} after every one. All libraries are timed by
 * this one clock.
 */
final class Pacer {
  /** Thrown out of the training loop when no more steps are wanted. */
  static final class Finished extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Finished() {
      super("no more steps are wanted", null, false, false);
    }
  }

  private final Conductor conductor;
  private final LongSupplier weightedSteps;
  private int asked;
  private int left;
  private long start;

  /**
   * @param weightedSteps tells how many minibatches were not drawn uniformly so far
   */
  Pacer(Conductor conductor, LongSupplier weightedSteps) {
    this.conductor = conductor;
    this.weightedSteps = weightedSteps;
  }

  /** Waits for the first steps to be wanted. */
  void begin() {
    asked = conductor.next();
    if (asked == 0) {
      throw new Finished();
    }
    left = asked;
    start = System.nanoTime();
  }

  /**
   * Counts a step.
   *
   * @param loss the training loss now, asked for only when it is to be told
   */
  void stepped(DoubleSupplier loss) {
    left--;
    if (left == 0) {
      double seconds = (System.nanoTime() - start) / 1e9;
      conductor.ran(
          new Conductor.Ran(asked, seconds, loss.getAsDouble(), weightedSteps.getAsLong()));
      begin();
    }
  }
}
