package dev.rais.gpucheck;

import java.util.List;
import java.util.Map;
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

  /**
   * A step's number.
   *
   * @throws NotMeasured if the step did not pass, or has no such number
   */
  double number(String step, String name) {
    if (value(step, name) instanceof Number number) {
      return number.doubleValue();
    }
    throw new NotMeasured("%s has no number %s".formatted(step, name));
  }

  /** A step's text. */
  String text(String step, String name) {
    return String.valueOf(value(step, name));
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
