package dev.rais.gpucheck;

import java.util.List;

/**
 * The outcome of a check.
 *
 * @param results of the steps
 * @param verdicts of the numbers to reach
 */
record Report(List<Result> results, List<Row.Verdict> verdicts) {
  static Report of(List<Result> results) {
    Measurements measurements = new Measurements(results);
    return new Report(results, Rows.ALL.stream().map(row -> row.judge(measurements)).toList());
  }

  /** 1 if a step failed or a number was missed, else 0. */
  int exitCode() {
    boolean failed = results.stream().anyMatch(r -> r.state() == Result.State.FAILED);
    boolean missed = verdicts.stream().anyMatch(v -> v.outcome() == Row.Outcome.MISSED);
    return failed || missed ? 1 : 0;
  }

  /** One line for a step. */
  static String line(Result result) {
    String reason = result.reason().isEmpty() ? "" : ": " + result.reason().replace("\n", "; ");
    return "%s: %s%s (%.0f s)"
        .formatted(result.step(), result.state().text, reason, result.seconds());
  }

  /** One line for every step and every number. */
  String text() {
    StringBuilder text = new StringBuilder();
    results.forEach(result -> text.append(line(result)).append('\n'));
    text.append('\n');
    verdicts.forEach(
        v -> text.append(v.row()).append(": ").append(v.text().replace("\n", "; ")).append('\n'));
    return text.toString();
  }
}
