package dev.rais.report;

import dev.rais.train.Metrics;
import dev.rais.train.RunRecord;
import dev.rais.train.TrainingListener;

/**
 * Is told how a comparison goes, by the thread that trains; every method does nothing by default.
 */
public interface ComparisonListener {
  /**
   * A run begins or, after an interruption, goes on.
   *
   * @param iteration where; 0 at the beginning
   */
  default void begun(PlannedRun run, long iteration) {}

  /** After every minibatch of a run. */
  default void progressed(PlannedRun run, TrainingListener.Progress progress) {}

  /** After every evaluation of a run. */
  default void evaluated(PlannedRun run, Metrics metrics) {}

  /** A run is over, or was over before. */
  default void over(PlannedRun run, RunRecord record) {}

  /** Anything else that people should know, as a sentence. */
  default void note(String sentence) {}
}
