package dev.rais.gpucheck;

import java.util.List;
import java.util.Map;

/** The results as one page of HTML that needs nothing else. */
final class Page {
  private static final String STYLE =
      """
      body { font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em }
      table { border-collapse: collapse; margin: 1em 0 }
      td, th { border-bottom: 1px solid #ccc; padding: .25em .8em; text-align: left; vertical-align: top }
      .REACHED, .PASSED { color: #06652b } .MISSED, .FAILED { color: #b00020; font-weight: bold }
      .NOT_RUN { color: #666 }
      """;

  private Page() {}

  /** The page of a report, under a heading. */
  static String of(String heading, Report report) {
    StringBuilder page = new StringBuilder();
    page.append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.append("<title>gpu-check</title><style>\n")
        .append(STYLE)
        .append("</style></head><body>\n");
    page.append("<h1>gpu-check</h1>\n<p>").append(escaped(heading)).append("</p>\n");
    page.append("<h2>To reach</h2>\n<table>\n");
    for (Row.Verdict verdict : report.verdicts()) {
      row(page, verdict.outcome().name(), verdict.row(), verdict.text());
    }
    page.append("</table>\n<h2>Steps</h2>\n<table>\n");
    for (Result result : report.results()) {
      String reason = result.reason().isEmpty() ? "" : ": " + result.reason();
      String text = "%s%s (%.0f s)".formatted(result.state().text, reason, result.seconds());
      row(page, result.state().name(), result.step(), text);
    }
    page.append("</table>\n");
    report.results().forEach(result -> values(page, result));
    return page.append("</body></html>\n").toString();
  }

  private static void row(StringBuilder page, String kind, String name, String text) {
    page.append(
        "<tr><td>%s</td><td class=\"%s\">%s</td></tr>\n"
            .formatted(escaped(name), kind, escaped(text)));
  }

  private static void values(StringBuilder page, Result result) {
    if (result.values().isEmpty()) {
      return;
    }
    page.append("<h2>").append(escaped(result.step())).append("</h2>\n<table>\n");
    result.values().entrySet().stream()
        .filter(e -> !(e.getValue() instanceof List))
        .forEach(e -> row(page, "", e.getKey(), text(e.getValue())));
    page.append("</table>\n");
    result.values().values().stream()
        .filter(List.class::isInstance)
        .forEach(table -> table(page, (List<?>) table));
  }

  private static void table(StringBuilder page, List<?> rows) {
    List<?> names =
        rows.stream()
            .filter(Map.class::isInstance)
            .flatMap(row -> ((Map<?, ?>) row).keySet().stream())
            .distinct()
            .toList();
    page.append("<table>\n<tr>");
    names.forEach(name -> page.append("<th>").append(escaped(name.toString())).append("</th>"));
    page.append("</tr>\n");
    for (Object row : rows) {
      if (row instanceof Map<?, ?> map) {
        page.append("<tr>");
        names.forEach(
            name -> page.append("<td>").append(escaped(text(map.get(name)))).append("</td>"));
        page.append("</tr>\n");
      }
    }
    page.append("</table>\n");
  }

  private static String text(Object value) {
    return switch (value) {
      case null -> "";
      case Double number -> "%.6g".formatted(number);
      default -> value.toString();
    };
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
