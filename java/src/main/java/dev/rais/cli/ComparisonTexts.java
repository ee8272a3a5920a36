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
              row.sampler() + remark(table, row),
              text(row.epochs(), x -> Texts.format("%.2f", x)),
              text(row.epochsEquivalent(), x -> Texts.format("%.2f", x)),
              text(row.seconds(), Texts::time),
              text(row.imagesPerSecond(), Texts::count),
              text(row.samplerOverhead(), Texts::percent),
              error(row.finalTestError()),
              error(row.bestTestError()),
              error(row.testErrorAtRaisTime()),
              speedUp(table, row, row.speedUpEpochs()),
              speedUp(table, row, row.speedUpTime())));
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

  /** What the means are not over. */
  private static String remark(ComparisonTable table, ComparisonTable.Row row) {
    if (row.diverged() > 0) {
      return Texts.format(" (%d of %d diverged)", row.diverged(), row.runs());
    }
    int seeds = table.seeds().size();
    return row.runs() < seeds ? Texts.format(" (%d of %d seeds)", row.runs(), seeds) : "";
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

  private static String speedUp(ComparisonTable table, ComparisonTable.Row row, double speedUp) {
    if (!Double.isNaN(speedUp)) {
      return Texts.format("×%.2f", speedUp);
    }
    return !Double.isNaN(table.target()) && row.never() ? "never" : "-";
  }
}
