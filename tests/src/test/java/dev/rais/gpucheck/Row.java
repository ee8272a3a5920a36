package dev.rais.gpucheck;

import java.util.function.ToDoubleFunction;

/**
 * A number to reach.
 *
 * @param name what is measured
 * @param bound the number
 * @param atLeast whether it is the least that will do; else the most
 * @param value computes it, or throws {@link Measurements.NotMeasured}
 */
record Row(String name, double bound, boolean atLeast, ToDoubleFunction<Measurements> value) {
  /**
   * What is said of a row.
   *
   * @param row its name
   * @param text reached, missed by how much, or not run and why
   * @param value what was measured; null if it was not
   * @param reached whether the bound is kept
   */
  record Verdict(String row, String text, Double value, boolean reached) {}

  Verdict judge(Measurements measurements) {
    double measured;
    try {
      measured = value.applyAsDouble(measurements);
    } catch (Measurements.NotMeasured e) {
      return new Verdict(name, "not run: " + e.getMessage(), null, false);
    }
    if (!Double.isFinite(measured)) {
      return new Verdict(name, "not run: the measured number is " + measured, null, false);
    }
    boolean reached = atLeast ? measured >= bound : measured <= bound;
    String relation = atLeast ? "at least" : "at most";
    String text =
        reached
            ? "reached: %.4g (%s %.4g)".formatted(measured, relation, bound)
            : "missed by %.3g: %.4g (%s %.4g)"
                .formatted(Math.abs(measured - bound), measured, relation, bound);
    return new Verdict(name, text, measured, reached);
  }

  /** A row that nothing here measures. */
  static Row open(String name, String reason) {
    return new Row(
        name,
        0,
        true,
        m -> {
          throw new Measurements.NotMeasured(reason);
        });
  }
}
