package dev.rais.report;

import dev.rais.train.Metrics;
import dev.rais.train.RunRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.ToDoubleFunction;

/**
 * The course of a quantity, averaged over runs that differ in their seed alone. Runs are evaluated
 * at different moments; between two evaluations a run counts with the last one, and after its end
 * with its end. Where a run is under way or diverged, nothing is known of it beyond its last
 * evaluation, and the course ends there.
 *
 * @param x moments, rising: those of all runs' evaluations from where every run has one
 * @param mean over the runs at each moment
 * @param standardError of the mean at each moment; NaN of a single run
 */
public record Curve(List<Double> x, List<Double> mean, List<Double> standardError) {
  /** Far less than one example of any test set, far more than what rounding does to a mean. */
  private static final double ROUNDING = 1e-9;

  /** Copies the lists. */
  public Curve {
    x = List.copyOf(x);
    mean = List.copyOf(mean);
    standardError = List.copyOf(standardError);
  }

  /** The course of {@code quantity} over {@code moment}; empty without runs or evaluations. */
  public static Curve of(
      List<RunRecord> runs, ToDoubleFunction<Metrics> moment, ToDoubleFunction<Metrics> quantity) {
    TreeSet<Double> moments = new TreeSet<>();
    double known = Double.POSITIVE_INFINITY;
    for (RunRecord run : runs) {
      if (run.metrics().isEmpty()) {
        return new Curve(List.of(), List.of(), List.of());
      }
      run.metrics().forEach(metrics -> moments.add(moment.applyAsDouble(metrics)));
      if (run.summary().isEmpty()) {
        known = Math.min(known, moment.applyAsDouble(run.metrics().getLast()));
      }
    }
    List<Double> x = new ArrayList<>();
    List<Double> mean = new ArrayList<>();
    List<Double> error = new ArrayList<>();
    int[] at = new int[runs.size()];
    for (double now : moments.headSet(known, true)) {
      List<Double> values = new ArrayList<>();
      for (int r = 0; r < at.length; r++) {
        List<Metrics> metrics = runs.get(r).metrics();
        while (at[r] < metrics.size() && moment.applyAsDouble(metrics.get(at[r])) <= now) {
          at[r]++;
        }
        if (at[r] > 0) {
          values.add(quantity.applyAsDouble(metrics.get(at[r] - 1)));
        }
      }
      if (values.size() == at.length) {
        Statistic statistic = Statistic.of(values);
        x.add(now);
        mean.add(statistic.mean());
        error.add(statistic.standardError());
      }
    }
    return new Curve(x, mean, error);
  }

  /**
   * The first moment from which the mean stays at or below a target; NaN if it never does. Errors
   * are whole numbers of examples, so that a mean is often the target to the last digit.
   */
  public double reaches(double target) {
    double reached = Double.NaN;
    for (int i = x.size() - 1; i >= 0 && mean.get(i) <= target + ROUNDING; i--) {
      reached = x.get(i);
    }
    return reached;
  }
}
