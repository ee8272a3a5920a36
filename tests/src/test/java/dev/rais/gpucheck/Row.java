package dev.rais.gpucheck;

import dev.rais.gpucheck.Measurements.NotMeasured;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Something to reach.
 *
 * @param name what is measured
 * @param judge says what came of it
 */
record Row(String name, Function<Measurements, Verdict> judge) {
  /** What can be said of a row. */
  enum Outcome {
    REACHED,
    MISSED,
    /** There is a number, and none to reach. */
    MEASURED,
    NOT_RUN
  }

  /**
   * What is said of a row.
   *
   * @param row its name
   * @param outcome in a word
   * @param text reached, missed by how much, or not run and why
   * @param value what was measured; null if it was not a number or not measured
   */
  record Verdict(String row, Outcome outcome, String text, Double value) {}

  /**
   * A measured number.
   *
   * @param number as measured
   * @param note what is to be known of it; may be empty
   */
  record Value(double number, String note) {
    static Value of(double number) {
      return new Value(number, "");
    }
  }

  /** A number that must be at least so large. */
  static Row atLeast(String name, double bound, Function<Measurements, Value> value) {
    return new Row(name, m -> bounded(name, bound, true, value, m));
  }

  /** A number that must be at most so large. */
  static Row atMost(String name, double bound, Function<Measurements, Value> value) {
    return new Row(name, m -> bounded(name, bound, false, value, m));
  }

  /** A number to know. */
  static Row measured(String name, Function<Measurements, Value> value) {
    return new Row(name, m -> bounded(name, Double.NaN, true, value, m));
  }

  /** Steps that must pass. */
  static Row passed(String name, String... steps) {
    return new Row(name, m -> passed(name, List.of(steps), m));
  }

  Verdict judge(Measurements measurements) {
    try {
      return judge.apply(measurements);
    } catch (NotMeasured e) {
      return new Verdict(name, Outcome.NOT_RUN, "not run: " + e.getMessage(), null);
    }
  }

  private static Verdict bounded(
      String name,
      double bound,
      boolean atLeast,
      Function<Measurements, Value> value,
      Measurements measurements) {
    Value measured = value.apply(measurements);
    double number = measured.number();
    String note = measured.note().isEmpty() ? "" : "; " + measured.note();
    if (!Double.isFinite(number)) {
      throw new NotMeasured("the measured number is " + number + note);
    }
    if (Double.isNaN(bound)) {
      return new Verdict(
          name, Outcome.MEASURED, "measured: %.4g%s".formatted(number, note), number);
    }
    boolean reached = atLeast ? number >= bound : number <= bound;
    String relation = atLeast ? "at least" : "at most";
    String text =
        reached
            ? "reached: %.4g (%s %.4g)%s".formatted(number, relation, bound, note)
            : "missed by %.3g: %.4g (%s %.4g)%s"
                .formatted(Math.abs(number - bound), number, relation, bound, note);
    return new Verdict(name, reached ? Outcome.REACHED : Outcome.MISSED, text, number);
  }

  private static Verdict passed(String name, List<String> steps, Measurements measurements) {
    StringBuilder said = new StringBuilder();
    String notRun = null;
    for (String step : steps) {
      Optional<Result> result = measurements.result(step);
      if (result.isEmpty()) {
        notRun = notRun == null ? "the step %s was not asked for".formatted(step) : notRun;
      } else if (result.get().state() == Result.State.FAILED) {
        String text = "missed: %s: %s".formatted(step, result.get().reason());
        return new Verdict(name, Outcome.MISSED, text, null);
      } else if (result.get().state() == Result.State.NOT_RUN) {
        notRun = notRun == null ? "%s: %s".formatted(step, result.get().reason()) : notRun;
      } else if (result.get().values().get("passed") instanceof Number count) {
        said.append(", %d tests".formatted(count.longValue()));
      }
    }
    if (notRun != null) {
      throw new NotMeasured(notRun);
    }
    return new Verdict(name, Outcome.REACHED, "reached: passed" + said, null);
  }
}
