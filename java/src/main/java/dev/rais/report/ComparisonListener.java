package dev.rais.report;

import dev.rais.train.Metrics;
import dev.rais.train.RunRecord;
import dev.rais.train.TrainingListener;
import java.util.List;

/**
 * Is told how a comparison goes, by the thread that trains; every method does nothing by default.
 */
public interface ComparisonListener {
  /**
   * A run begins or, after an interruption, goes on.
   *
   * @param iteration where; 0 at the beginning
   * @param history its evaluations so far
   */
  default void begun(PlannedRun run, long iteration, List<Metrics> history) {}

  /** After every minibatch of a run. */
  default void progressed(PlannedRun run, TrainingListener.Progress progress) {}

  /** After every evaluation of a run. */
  default void evaluated(PlannedRun run, Metrics metrics) {}

  /** A run is over, or was over before. */
  default void over(PlannedRun run, RunRecord record) {}

  /** Anything else that people should know, as a sentence. */
  default void note(String sentence) {}

  /** Tells all of these, in their order. */
  static ComparisonListener all(List<ComparisonListener> listeners) {
    List<ComparisonListener> each = List.copyOf(listeners);
    return new ComparisonListener() {
      @Override
      public void begun(PlannedRun run, long iteration, List<Metrics> history) {
        each.forEach(listener -> listener.begun(run, iteration, history));
      }

      @Override
      public void progressed(PlannedRun run, TrainingListener.Progress progress) {
        each.forEach(listener -> listener.progressed(run, progress));
      }

      @Override
      public void evaluated(PlannedRun run, Metrics metrics) {
        each.forEach(listener -> listener.evaluated(run, metrics));
      }

      @Override
      public void over(PlannedRun run, RunRecord record) {
        each.forEach(listener -> listener.over(run, record));
      }

      @Override
      public void note(String sentence) {
        each.forEach(listener -> listener.note(sentence));
      }
    };
  }
}
