package dev.rais.cli;

import dev.rais.report.ComparisonListener;
import dev.rais.report.PlannedRun;
import dev.rais.train.Metrics;
import dev.rais.train.RunRecord;
import dev.rais.train.TrainingListener.Progress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Shows a comparison as it goes: a table on a terminal, else a line at every evaluation. */
final class ComparisonProgress implements ComparisonListener {
  private static final long REDRAW_NANOS = 200_000_000;
  private static final List<String> HEAD =
      List.of("sampler", "epochs", "equivalent", "loss", "test error", "gain", "images/s");

  private final Console console;
  private final Map<String, Shown> rows = new LinkedHashMap<>();
  private long seed = -1;
  private int drawnLines;
  private long lastDrawn;

  /** What is known of a run under way. */
  private static final class Shown {
    Progress latest;
    double testError = Double.NaN;
    String end;
  }

  ComparisonProgress(Console console) {
    this.console = console;
  }

  private static String name(PlannedRun run) {
    return "seed " + run.config().seed() + ", " + run.label();
  }

  private Shown row(PlannedRun run) {
    if (run.config().seed() != seed) {
      seed = run.config().seed();
      if (console.live()) {
        redraw();
        drawnLines = 0; // the table of the seed before stays
      }
      rows.clear();
    }
    return rows.computeIfAbsent(run.label(), label -> new Shown());
  }

  @Override
  public void begun(PlannedRun run, long iteration, List<Metrics> history) {
    row(run);
    if (console.live()) {
      redraw();
    } else if (iteration > 0) {
      line("%s: goes on at iteration %s", name(run), Texts.count(iteration));
    }
  }

  @Override
  public void progressed(PlannedRun run, Progress progress) {
    row(run).latest = progress;
    if (console.live() && System.nanoTime() - lastDrawn >= REDRAW_NANOS) {
      redraw();
    }
  }

  @Override
  public void evaluated(PlannedRun run, Metrics metrics) {
    row(run).testError = metrics.testError();
    if (console.live()) {
      redraw();
    } else {
      line(
          "%s: epochs %.2f/%s equivalent, %.2f real: loss %.4f, test error %s, gain ratio %.2f",
          name(run),
          metrics.epochsEquivalent(),
          Texts.shortest(run.config().epochs()),
          metrics.epochs(),
          metrics.trainLoss(),
          Texts.percent(metrics.testError()),
          metrics.gainRatio());
    }
  }

  @Override
  public void over(PlannedRun run, RunRecord record) {
    Shown row = row(run);
    row.end =
        record
            .summary()
            .map(
                summary ->
                    Texts.format(
                        "done: test error %s after %.2f epochs, %s",
                        Texts.percent(summary.finalTestError()),
                        summary.epochs(),
                        Texts.time(summary.secondsTraining())))
            .orElse("diverged");
    if (console.live()) {
      redraw();
    } else {
      line("%s: %s", name(run), row.end);
    }
  }

  @Override
  public void note(String sentence) {
    if (console.live()) {
      // The table is drawn again below the sentence.
      drawnLines = 0;
    }
    line("rais compare: %s", sentence);
  }

  private void line(String format, Object... arguments) {
    console.err().println(Texts.format(format, arguments));
  }

  private void redraw() {
    lastDrawn = System.nanoTime();
    List<List<String>> table = new ArrayList<>();
    table.add(HEAD);
    rows.forEach((label, shown) -> table.add(cells(label, shown)));
    List<String> lines = Texts.lines(table);
    StringBuilder text = new StringBuilder();
    if (drawnLines > 0) {
      text.append("\u001b[").append(drawnLines).append('A');
    }
    text.append("\r\u001b[Kseed ").append(seed).append('\n');
    for (String line : lines) {
      // A full last column makes some terminals go to the next line.
      String cut = line.substring(0, Math.min(line.length(), Math.max(1, console.columns() - 1)));
      text.append("\r\u001b[K").append(cut).append('\n');
    }
    drawnLines = lines.size() + 1;
    console.err().print(text);
    console.err().flush();
  }

  private static List<String> cells(String label, Shown shown) {
    Progress now = shown.latest;
    if (shown.end != null) {
      return List.of(label, shown.end, "", "", "", "", "");
    }
    if (now == null) {
      return List.of(label, "waits", "", "", "", "", "");
    }
    return List.of(
        label,
        Texts.format("%.2f", now.epochs()),
        Texts.format("%.2f/%s", now.epochsEquivalent(), Texts.shortest(now.totalEpochs())),
        Texts.format("%.4f", now.loss()),
        Double.isNaN(shown.testError) ? "-" : Texts.percent(shown.testError),
        Texts.format("%.2f", now.gainRatio()),
        Texts.count(now.imagesPerSecond()));
  }
}
