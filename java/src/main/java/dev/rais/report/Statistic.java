package dev.rais.report;

import java.util.Collection;
import java.util.List;

/**
 * A mean with its uncertainty.
 *
 * @param mean NaN of nothing
 * @param standardError of the mean; NaN of fewer than two values
 */
public record Statistic(double mean, double standardError) {
  /** Of these values. */
  public static Statistic of(Collection<Double> values) {
    List<Double> all = List.copyOf(values);
    int n = all.size();
    double mean = all.stream().mapToDouble(x -> x).sum() / n;
    double squares = all.stream().mapToDouble(x -> (x - mean) * (x - mean)).sum();
    return new Statistic(mean, n < 2 ? Double.NaN : Math.sqrt(squares / (n - 1) / n));
  }
}
