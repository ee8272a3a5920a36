package dev.rais.gpucheck;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** What the steps have measured. */
final class Measurements {
  /** A number is not there; the message says why. */
  static final class NotMeasured extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NotMeasured(String reason) {
      super(reason);
    }
  }

  private final Map<String, Result> results;

  Measurements(List<Result> results) {
    this.results =
        results.stream().collect(Collectors.toMap(Result::step, Function.identity(), (a, b) -> b));
  }

  /** What came of a step; empty if it was not asked for. */
  Optional<Result> result(String step) {
    return Optional.ofNullable(results.get(step));
  }

  /**
   * A step's number.
   *
   * @throws NotMeasured if the step did not pass, or has no such number
   */
  double number(String step, String name) {
    if (value(step, name) instanceof Number number) {
      return number.doubleValue();
    }
    throw new NotMeasured("%s: %s is %s".formatted(step, name, text(step, name)));
  }

  /** A step's text. */
  String text(String step, String name) {
    return String.valueOf(value(step, name));
  }

  /**
   * The largest of a step's numbers, as far as they are there.
   *
   * @throws NotMeasured if none is
   */
  double largest(String step, String... names) {
    NotMeasured reason = null;
    double largest = Double.NEGATIVE_INFINITY;
    for (String name : names) {
      try {
        largest = Math.max(largest, number(step, name));
      } catch (NotMeasured e) {
        reason = reason == null ? e : reason;
      }
    }
    if (largest == Double.NEGATIVE_INFINITY) {
      throw reason;
    }
    return largest;
  }

  /**
   * A step's table.
   *
   * @throws NotMeasured if the step did not pass, or has no such table
   */
  List<Map<?, ?>> table(String step, String name) {
    if (value(step, name) instanceof List<?> list) {
      return list.stream()
          .<Map<?, ?>>map(row -> row instanceof Map<?, ?> map ? map : Map.of())
          .toList();
    }
    throw new NotMeasured("%s: %s is no table".formatted(step, name));
  }

  /** A number of a table's row; NaN if it has none. */
  static double number(Map<?, ?> row, String name) {
    return row.get(name) instanceof Number number ? number.doubleValue() : Double.NaN;
  }

  private Object value(String step, String name) {
    Result result = results.get(step);
    if (result == null) {
      throw new NotMeasured("the step %s was not asked for".formatted(step));
    }
    if (result.state() != Result.State.PASSED) {
      throw new NotMeasured("%s: %s".formatted(step, result.reason()));
    }
    Object value = result.values().get(name);
    if (value == null) {
      throw new NotMeasured("%s has not measured %s".formatted(step, name));
    }
    return value;
  }
}
