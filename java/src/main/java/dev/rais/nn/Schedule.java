package dev.rais.nn;

import java.util.List;
import java.util.Locale;

/**
 * Learning rate over a run, as a function of effective iterations t̂ (docs/algorithm.md §5): the
 * base rate times a factor of the progress t̂/T.
 */
public enum Schedule {
  /** Factor 1, 0.1 from half of the run on, 0.01 from four fifths on. */
  STEP {
    @Override
    double factor(double progress) {
      return progress < 0.5 ? 1 : progress < 0.8 ? 0.1 : 0.01;
    }
  },
  /** Half a cosine, from 1 to 0. */
  COSINE {
    @Override
    double factor(double progress) {
      return 0.5 * (1 + Math.cos(Math.PI * Math.clamp(progress, 0.0, 1.0)));
    }
  },
  /** Factor 1 throughout. */
  CONSTANT {
    @Override
    double factor(double progress) {
      return 1;
    }
  };

  abstract double factor(double progress);

  /**
   * Rate at a point of the run, before the gain ratio is applied.
   *
   * @param base rate of factor 1
   * @param effectiveIterations t̂
   * @param total T
   */
  public double learningRate(double base, double effectiveIterations, double total) {
    return base * factor(effectiveIterations / total);
  }

  /** The schedule's name in options. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** All names. */
  public static List<String> names() {
    return java.util.Arrays.stream(values()).map(Schedule::id).toList();
  }
}
