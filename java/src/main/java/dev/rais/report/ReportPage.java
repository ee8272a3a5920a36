package dev.rais.report;

import dev.rais.train.Metrics;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import dev.rais.train.TrainingConfig;
import dev.rais.train.Version;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.DoubleFunction;

/** The report of a comparison or of single runs: one HTML page that needs nothing else. */
public final class ReportPage {
  /** The page in a comparison's folder. */
  public static final String FILE = "report.html";

  /** The folder of the plots beside it. */
  public static final String PLOTS = "plots";

  private static final String STYLE =
      """
      :root { color-scheme: light; }
      * { box-sizing: border-box; }
      body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #f6f6f4; margin: 0; }
      main { max-width: 1760px; margin: 0 auto; padding: 1rem; }
      h1 { font-size: 1.5rem; margin: .5rem 0; overflow-wrap: anywhere; }
      h2 { font-size: 1.15rem; margin: 1.5rem 0 .5rem; }
      .plots { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); }
      figure { margin: 0; background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: .25rem; max-width: 620px; }
      img { display: block; width: 100%; height: auto; }
      .scroll { overflow-x: auto; background: #fff; border: 1px solid #ddd; border-radius: 6px; }
      table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
      th, td { padding: .35rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #eee; }
      th:first-child, td:first-child { text-align: left; }
      table.names td, table.names th { text-align: left; }
      .swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .5em; }
      p { max-width: 60rem; }
      """;

  private ReportPage() {}

  /** A report's parts. */
  public record Report(String html, List<Plot> plots) {
    /**
     * Writes the page and its plots as files.
     *
     * @throws RunFileException if that fails
     */
    public void write(Path page, Path plotsFolder) {
      try {
        Files.createDirectories(page.toAbsolutePath().getParent());
      } catch (IOException e) {
        throw new RunFileException("cannot make the folder of %s: %s".formatted(page, e), e);
      }
      plots.forEach(plot -> plot.write(plotsFolder));
      RunDirectory.writeText(page, html);
    }
  }

  /**
   * Makes a report.
   *
   * @param runs by label, in order; those that {@link ComparisonTable#requireComparable} lets pass
   * @param classNames names of the classes, as far as they are known
   * @throws RunFileException if there are none
   */
  public static Report of(Map<String, List<RunRecord>> runs, List<String> classNames) {
    return of(runs, classNames, "");
  }

  /**
   * The same with an addition at the end.
   *
   * @param script HTML behind the contents
   */
  static Report of(Map<String, List<RunRecord>> runs, List<String> classNames, String script) {
    ComparisonTable table = ComparisonTable.of(runs);
    List<Plot> plots = new Plots(runs, classNames).all();
    String title = "RAIS: %s on %s".formatted(table.model(), table.data());
    StringBuilder page = new StringBuilder();
    page.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.append(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            // No request for an icon, which a page that is opened from disk could not have.
            + "<link rel=\"icon\" href=\"data:,\">\n");
    page.append("<title>").append(escape(title)).append("</title>\n");
    page.append("<style>\n").append(STYLE).append("</style>\n</head>\n<body>\n<main>\n");
    page.append("<h1>").append(escape(title)).append("</h1>\n");
    table(page, table);
    underWay(page, runs);
    String section = "";
    for (Plot plot : plots) {
      if (!plot.section().equals(section)) {
        page.append(section.isEmpty() ? "" : "</div>\n");
        section = plot.section();
        page.append("<h2>").append(escape(section)).append("</h2>\n<div class=\"plots\">\n");
      }
      figure(page, plot);
    }
    page.append(section.isEmpty() ? "" : "</div>\n");
    configuration(page, runs);
    environment(page, table);
    page.append("</main>\n").append(script).append("</body>\n</html>\n");
    return new Report(page.toString(), plots);
  }

  private static void figure(StringBuilder page, Plot plot) {
    String data = Base64.getEncoder().encodeToString(plot.svg().getBytes(StandardCharsets.UTF_8));
    page.append("<figure><img alt=\"")
        .append(escape(plot.title()))
        .append("\" src=\"data:image/svg+xml;base64,")
        .append(data)
        .append("\"></figure>\n");
  }

  private static void table(StringBuilder page, ComparisonTable table) {
    page.append("<div class=\"scroll\"><table>\n<tr>");
    for (String head :
        List.of(
            "sampler",
            "runs",
            "epochs",
            "epochs equivalent",
            "time (s)",
            "images/s",
            "overhead",
            "test error",
            "best",
            "in RAIS's time",
            "speed-up in epochs",
            "in time")) {
      page.append("<th>").append(head).append("</th>");
    }
    page.append("</tr>\n");
    int position = 0;
    for (ComparisonTable.Row row : table.rows()) {
      page.append("<tr><td><span class=\"swatch\" style=\"background:")
          .append(Plots.colour(position++))
          .append("\"></span>")
          .append(escape(row.sampler()))
          .append("</td>");
      cell(
          page,
          row.diverged() == 0
              ? Integer.toString(row.runs())
              : format("%d (%d diverged)", row.runs(), row.diverged()));
      cell(page, text(row.epochs(), x -> format("%.2f", x)));
      cell(page, text(row.epochsEquivalent(), x -> format("%.2f", x)));
      cell(page, text(row.seconds(), x -> format("%.1f", x)));
      cell(page, text(row.imagesPerSecond(), x -> format("%,.0f", x)));
      cell(page, text(row.samplerOverhead(), x -> format("%.2f %%", 100 * x)));
      cell(page, error(row.finalTestError()));
      cell(page, error(row.bestTestError()));
      cell(page, error(row.testErrorAtRaisTime()));
      cell(page, speedUp(table, row, row.speedUpEpochs()));
      cell(page, speedUp(table, row, row.speedUpTime()));
      page.append("</tr>\n");
    }
    page.append("</table></div>\n");
    if (!Double.isNaN(table.target())) {
      page.append(
          format(
              "<p>Speed-up: uniform's epochs (time) until the mean test error stays at or below"
                  + " %.2f %%, over the sampler's; that is uniform's mean final test error plus 0.1"
                  + " point or, if that is more, one standard error. Bands in the plots are one"
                  + " standard error over the seeds.</p>\n",
              100 * table.target()));
    }
  }

  /** Where runs stand that are not over; nothing if all are. */
  private static void underWay(StringBuilder page, Map<String, List<RunRecord>> runs) {
    StringBuilder rows = new StringBuilder();
    runs.forEach(
        (label, same) -> {
          for (RunRecord run : same) {
            if (!run.isOver() && !run.metrics().isEmpty()) {
              Metrics now = run.metrics().getLast();
              rows.append("<tr>");
              cell(rows, label);
              cell(rows, Long.toString(run.config().seed()));
              cell(rows, format("%.2f", now.epochs()));
              cell(rows, format("%.2f of %s", now.epochsEquivalent(), run.config().epochs()));
              cell(rows, format("%.4f", now.trainLoss()));
              cell(rows, format("%.2f %%", 100 * now.testError()));
              cell(rows, format("%.2f", now.gainRatio()));
              rows.append("</tr>\n");
            }
          }
        });
    if (!rows.isEmpty()) {
      page.append("<h2>Under way</h2>\n<div class=\"scroll\"><table>\n<tr>");
      for (String head :
          List.of(
              "sampler",
              "seed",
              "epochs",
              "epochs equivalent",
              "training loss",
              "test error",
              "gain ratio")) {
        page.append("<th>").append(head).append("</th>");
      }
      page.append("</tr>\n").append(rows).append("</table></div>\n");
    }
  }

  private static void cell(StringBuilder page, String text) {
    page.append("<td>").append(escape(text)).append("</td>");
  }

  private static String text(Statistic statistic, DoubleFunction<String> format) {
    return Double.isNaN(statistic.mean()) ? "–" : format.apply(statistic.mean());
  }

  private static String error(Statistic error) {
    if (Double.isNaN(error.mean())) {
      return "–";
    }
    return Double.isNaN(error.standardError())
        ? format("%.2f %%", 100 * error.mean())
        : format("%.2f ± %.2f %%", 100 * error.mean(), 100 * error.standardError());
  }

  private static String speedUp(ComparisonTable table, ComparisonTable.Row row, double speedUp) {
    if (!Double.isNaN(speedUp)) {
      return format("×%.2f", speedUp);
    }
    return !Double.isNaN(table.target()) && row.never() ? "never" : "–";
  }

  /** What all runs share, then what they differ in. */
  private static void configuration(StringBuilder page, Map<String, List<RunRecord>> runs) {
    page.append("<h2>Configuration</h2>\n<div class=\"scroll\"><table class=\"names\">\n");
    List<RunRecord> all = runs.values().stream().flatMap(List::stream).toList();
    for (RecordComponent component : TrainingConfig.class.getRecordComponents()) {
      List<Object> values = all.stream().map(run -> value(component, run)).distinct().toList();
      String text =
          values.size() == 1
              ? String.valueOf(values.getFirst())
              : values.size() <= 8
                  ? String.join(", ", values.stream().map(Objects::toString).toList())
                  : values.size() + " different values";
      page.append("<tr><td>")
          .append(escape(component.getName()))
          .append("</td><td>")
          .append(escape(text))
          .append("</td></tr>\n");
    }
    page.append("</table></div>\n");
  }

  private static Object value(RecordComponent component, RunRecord run) {
    try {
      Object value = component.getAccessor().invoke(run.config());
      // Choices as options name them.
      return value instanceof Enum<?> choice ? choice.name().toLowerCase(Locale.ROOT) : value;
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  private static void environment(StringBuilder page, ComparisonTable table) {
    page.append("<h2>Environment</h2>\n<div class=\"scroll\"><table class=\"names\">\n");
    Runtime runtime = Runtime.getRuntime();
    String[][] rows = {
      {"computed by", String.join("; ", table.backends())},
      {"report made by", "rais " + Version.current()},
      {"Java", Runtime.version() + ", " + System.getProperty("java.vm.name")},
      {
        "machine",
        format(
            "%s %s, %s, %d processors",
            System.getProperty("os.name"),
            System.getProperty("os.version"),
            System.getProperty("os.arch"),
            runtime.availableProcessors())
      }
    };
    for (String[] row : rows) {
      page.append("<tr><td>")
          .append(row[0])
          .append("</td><td>")
          .append(escape(row[1]))
          .append("</td></tr>\n");
    }
    page.append("</table></div>\n");
  }

  private static String format(String format, Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }

  /** Text that HTML takes for nothing else, within quotes too. */
  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }
}
