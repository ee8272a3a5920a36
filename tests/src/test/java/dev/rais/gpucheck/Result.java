package dev.rais.gpucheck;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What came of a step.
 *
 * @param step its name
 * @param state how it ended
 * @param reason why it failed or was not run; empty if it passed
 * @param seconds how long it took
 * @param values what it measured, by name: numbers, texts, and lists of such tables, as JSON has
 *     them
 */
record Result(String step, State state, String reason, double seconds, Map<String, Object> values) {
  private static final String UNFINISHED = "unfinished";

  /** How a step can end. */
  enum State {
    PASSED("passed"),
    FAILED("failed"),
    NOT_RUN("not run");

    final String text;

    State(String text) {
      this.text = text;
    }
  }

  static Result passed(Map<String, Object> values) {
    return new Result("", State.PASSED, "", 0, values);
  }

  static Result failed(String reason) {
    return new Result("", State.FAILED, reason, 0, Map.of());
  }

  static Result notRun(String reason) {
    return new Result("", State.NOT_RUN, reason, 0, Map.of());
  }

  /** The same of a step that is worth running again, as the whole check's time was over. */
  Result unfinished() {
    Map<String, Object> more = new LinkedHashMap<>(values);
    more.put(UNFINISHED, true);
    return new Result(step, state, reason, seconds, more);
  }

  /** Whether the step passed, and not only as far as there was time. */
  boolean hasPassed() {
    return state == State.PASSED && !Boolean.TRUE.equals(values.get(UNFINISHED));
  }

  Result of(String name, double time) {
    return new Result(name, state, reason, time, values);
  }
}
