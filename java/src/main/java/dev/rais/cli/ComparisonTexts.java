package dev.rais.cli;

import dev.rais.report.ComparisonTable;
import dev.rais.report.Statistic;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;

/** A comparison's table for people. */
final class ComparisonTexts {
  private ComparisonTexts() {}

  static void print(Console console, ComparisonTable table) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(
        List.of(
            "sampler",
            "epochs",
            "equivalent",
            "time",
            "images/s",
            "overhead",
            "test error",
            "best",
            "in rais's time",
            "speed-up",
            "in time"));
    for (ComparisonTable.Row row : table.rows()) {
      rows.add(
          List.of(
              row.sampler()
                  + (row.diverged() == 0
                      ? ""
                      : " (%d of %d diverged)".formatted(row.diverged(), row.runs())),
              text(row.epochs(), x -> Texts.format("%.2f", x)),
              text(row.epochsEquivalent(), x -> Texts.format("%.2f", x)),
              text(row.seconds(), Texts::time),
              text(row.imagesPerSecond(), Texts::count),
              text(row.samplerOverhead(), Texts::percent),
              error(row.finalTestError()),
              error(row.bestTestError()),
              error(row.testErrorAtRaisTime()),
              speedUp(table, row.speedUpEpochs()),
              speedUp(table, row.speedUpTime())));
    }
    Texts.table(console.out(), rows);
    if (!Double.isNaN(table.target())) {
      console
          .out()
          .println(
              "speed-up: uniform's epochs (time) until the mean test error stays at or below %s, over the sampler's"
                  .formatted(Texts.percent(table.target())));
    }
  }

  private static String text(Statistic statistic, DoubleFunction<String> format) {
    return Double.isNaN(statistic.mean()) ? "-" : format.apply(statistic.mean());
  }

  /** Mean and standard error in points: "1.23 ± 0.04 %". */
  private static String error(Statistic error) {
    if (Double.isNaN(error.mean())) {
      return "-";
    }
    return Double.isNaN(error.standardError())
        ? Texts.percent(error.mean())
        : Texts.format("%.2f ± %.2f %%", 100 * error.mean(), 100 * error.standardError());
  }

  private static String speedUp(ComparisonTable table, double speedUp) {
    if (Double.isNaN(table.target())) {
      return "-";
    }
    return Double.isNaN(speedUp) ? "never" : Texts.format("×%.2f", speedUp);
  }
}
