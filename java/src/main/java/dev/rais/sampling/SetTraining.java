package dev.rais.sampling;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;

/** A training of c and d under way on another thread, and the iteration its result is due at. */
final class SetTraining {
  private final long applyAt;
  private final Future<UncertaintySet> result;

  /**
   * Starts it.
   *
   * @param applyAt iteration at which the result is waited for
   * @param records the records, not changed any more
   * @param meanFeatures s̄
   * @param used which features take part
   * @param previous the set in force, or null
   */
  SetTraining(
      ExecutorService executor,
      long applyAt,
      RecordRing.Records records,
      double[] meanFeatures,
      boolean[] used,
      UncertaintySet previous) {
    this.applyAt = applyAt;
    result =
        executor.submit(
            () ->
                UncertaintySetSolver.solve(
                    records.features(),
                    records.norms(),
                    records.weights(),
                    records.count(),
                    meanFeatures,
                    used,
                    previous));
  }

  long applyAt() {
    return applyAt;
  }

  boolean isDone() {
    return result.isDone();
  }

  /** The trained set; waits for it. */
  UncertaintySet result() {
    try {
      return result.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException("training the uncertainty set failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while training the uncertainty set", e);
    }
  }
}
