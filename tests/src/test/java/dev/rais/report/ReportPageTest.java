package dev.rais.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.train.RunRecord;
import dev.rais.train.TrainingConfig;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

/** The page is whole, needs nothing else, and shows what the runs hold. */
class ReportPageTest {
  @TempDir Path folder;

  private static final List<String> NAMES =
      List.of(
          "test-error-epochs",
          "test-error-equivalent",
          "test-error-time",
          "train-loss-epochs",
          "train-loss-equivalent",
          "train-loss-time",
          "gain-ratio-equivalent",
          "learning-rate-equivalent",
          "probabilities",
          "effective-sample-size-equivalent",
          "classes",
          "calibration",
          "inside-equivalent",
          "constraint-equivalent");

  private static Map<String, List<RunRecord>> runs() {
    return ComparisonTable.byLabel(
        List.of(
            Runs.run("uniform", 0, 2, 0.5, 0.4, 0.3, 0.2, 0.1),
            Runs.run("uniform", 1, 2, 0.5, 0.4, 0.3, 0.2, 0.12),
            Runs.run("uniform-short", 0, 2, 0.4, 0.25),
            Runs.run("rais", 0, 3, 0.4, 0.1),
            Runs.run("rais", 1, 3, 0.35, 0.1)));
  }

  private static Document parse(String xml) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(xml)));
  }

  @Test
  void allPlotsAreThereAsSvgAndPng() throws Exception {
    ReportPage.Report report = ReportPage.of(runs(), List.of("cat", "dog"));
    assertEquals(NAMES, report.plots().stream().map(Plot::name).toList());
    for (Plot plot : report.plots()) {
      assertFalse(plot.svg().contains("<!DOCTYPE"), "nothing to fetch");
      Document svg = parse(plot.svg());
      assertEquals("0 0 480 350", svg.getDocumentElement().getAttribute("viewBox"));
      BufferedImage png = ImageIO.read(new ByteArrayInputStream(plot.png()));
      assertTrue(png.getWidth() >= 900, plot.name() + " is " + png.getWidth() + " wide");
    }
    report.write(folder.resolve("report.html"), folder.resolve("plots"));
    assertEquals(report.html(), Files.readString(folder.resolve("report.html")));
    for (String name : NAMES) {
      assertTrue(Files.size(folder.resolve("plots/" + name + ".svg")) > 1000, name);
      assertTrue(Files.size(folder.resolve("plots/" + name + ".png")) > 1000, name);
    }
  }

  @Test
  void thePageNeedsNothingElse() {
    String html = ReportPage.of(runs(), List.of()).html();
    Matcher sources = Pattern.compile("(src|href)=\"([^\"]*)\"").matcher(html);
    int count = 0;
    for (; sources.find(); count++) {
      assertTrue(sources.group(2).startsWith("data:"), sources.group(2));
    }
    assertEquals(NAMES.size() + 1, count, "the plots and the icon");
    assertFalse(html.contains("http"), "no address");
    assertFalse(html.contains("@import") || html.contains("url("), "no style from elsewhere");
    assertFalse(html.contains("<script"), "no script");
  }

  @Test
  void theTableHasMeansErrorsAndSpeedUps() {
    String html = ReportPage.of(runs(), List.of()).html();
    String rows = html.substring(html.indexOf("<table>"), html.indexOf("</table>"));
    List<String> texts =
        rows.lines()
            .filter(line -> line.startsWith("<tr><td>"))
            .map(line -> line.replaceAll("<[^>]*>", "|").replaceAll("\\|+", "|"))
            .toList();
    // Final errors 10 and 12 %: mean 11, standard error 1; so the target is 12 %. RAIS takes 6 s,
    // in
    // which uniform comes to its third evaluation.
    assertEquals(
        "|uniform|2|5.00|10.00|10.0|1,000|2.00 %|11.00 ± 1.00 %|11.00 ± 1.00 %|30.00 ± 0.00"
            + " %|×1.00|×1.00|",
        texts.get(0));
    assertEquals(
        "|uniform-short|1|2.00|4.00|4.0|1,000|2.00 %|25.00 %|25.00 %|25.00 %|never|never|",
        texts.get(1));
    assertEquals(
        "|rais|2|2.00|4.00|6.0|1,000|2.00 %|10.00 ± 0.00 %|10.00 ± 0.00 %|10.00 ± 0.00"
            + " %|×2.50|×1.67|",
        texts.get(2));
    assertTrue(html.contains("at or below 12.00 %"), "the target is told");
    assertTrue(html.contains("<tr><td>batchSize</td><td>128</td></tr>"), "configuration");
    assertTrue(html.contains("<td>computed by</td><td>some backend</td>"), "environment");
  }

  @Test
  void bandsAreDrawnWhereThereAreSeveralSeeds() {
    Plot both = ReportPage.of(runs(), List.of()).plots().getFirst();
    Map<String, List<RunRecord>> single =
        ComparisonTable.byLabel(List.of(Runs.run("uniform", 0, 2, 0.5, 0.4, 0.3)));
    Plot one = ReportPage.of(single, List.of()).plots().getFirst();
    // A band is the one thing that is not opaque in its colour, 50 of 255.
    String transparent = "rgba\\(0,114,178,0\\.19|fill-opacity:0\\.19";
    assertTrue(Pattern.compile(transparent).matcher(both.svg()).find(), "a band");
    assertFalse(Pattern.compile(transparent).matcher(one.svg()).find(), "no band");
  }

  @Test
  void namesCannotBecomeMarkup() {
    TrainingConfig config =
        TrainingConfig.builder("<b>\"data\" & 'more'", "mlp", "uniform").build();
    RunRecord run = Runs.run(config, 1, 0.3, 0.2);
    String html =
        ReportPage.of(Map.of("<script>alert(1)</script>", List.of(run)), List.of("<i>cat", "dog"))
            .html();
    assertFalse(html.contains("<script") || html.contains("<b>"), "escaped");
    assertTrue(html.contains("&lt;b&gt;&quot;data&quot; &amp; &#39;more&#39;"));
  }

  @Test
  void namesAreShownAsTheyAre() {
    TrainingConfig config = TrainingConfig.builder("MyData", "mlp", "rais").build();
    String html =
        ReportPage.of(Map.of("rais", List.of(Runs.run(config, 1, 0.2))), List.of()).html();
    assertTrue(html.contains("<tr><td>data</td><td>MyData</td></tr>"), html);
    assertTrue(html.contains("<tr><td>draw</td><td>rounds</td></tr>"), "as the option has it");
  }

  /** Arabic has digits of its own, German another decimal mark. */
  @Test
  void thePageIsTheSameInEveryLocale() {
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.ROOT);
      List<String> expected = withoutIds(ReportPage.of(runs(), List.of("cat", "dog")));
      for (String tag : List.of("ar-EG-u-nu-arab", "de-DE")) {
        Locale.setDefault(Locale.forLanguageTag(tag));
        List<String> found = withoutIds(ReportPage.of(runs(), List.of("cat", "dog")));
        for (int i = 0; i < expected.size(); i++) {
          assertTrue(expected.get(i).equals(found.get(i)), "part " + i + " in " + tag);
        }
      }
    } finally {
      Locale.setDefault(before);
    }
  }

  /** The page's text and the plots, in which each drawing numbers its clip paths anew. */
  private static List<String> withoutIds(ReportPage.Report report) {
    return Stream.concat(
            Stream.of(report.html().replaceAll("base64,[^\"]*", "")),
            report.plots().stream().map(plot -> plot.svg().replaceAll("clip-?\\d+", "clip")))
        .toList();
  }

  /** As in the table, whose means are over finished runs. */
  @Test
  void plotsLeaveOutRunsThatDiverged() {
    RunRecord whole = Runs.run("uniform", 0, 2, 0.5, 0.4, 0.3);
    RunRecord other = Runs.run("uniform", 1, 2, 0.7, 0.6, 0.5);
    for (int evaluations : new int[] {0, 1}) {
      Map<String, List<RunRecord>> runs =
          Map.of("uniform", List.of(whole, Runs.diverged(other, evaluations)));
      Plot plot = ReportPage.of(runs, List.of()).plots().getFirst();
      assertEquals("test-error-epochs", plot.name());
      XYSeries series = ((XYChart) plot.chart()).getSeriesMap().get("uniform");
      assertArrayEquals(new double[] {50, 40, 30}, series.getYData(), 1e-9);
    }
    // Where all diverged, what there is of them.
    Map<String, List<RunRecord>> none =
        Map.of("uniform", List.of(Runs.diverged(whole, 2), Runs.diverged(other, 1)));
    XYSeries series =
        ((XYChart) ReportPage.of(none, List.of()).plots().getFirst().chart())
            .getSeriesMap()
            .get("uniform");
    assertArrayEquals(new double[] {60}, series.getYData(), 1e-9);
  }

  @Test
  void whatIsNotKnownYetIsNotCalledNever() {
    RunRecord uniform = Runs.run("uniform", 0, 1, 0.3, 0.1);
    RunRecord rais = Runs.run("rais", 0, 1, 0.1);
    Map<String, List<RunRecord>> runs =
        ComparisonTable.byLabel(
            List.of(uniform, rais, Runs.underWay(Runs.run("rais", 1, 1, 0.3, 0.1), 1)));
    assertFalse(ReportPage.of(runs, List.of()).html().contains("never"));
  }

  /** A loss on its way to infinity is still a number. */
  @Test
  @Timeout(60)
  void enormousLossesCanBePlotted() throws Exception {
    RunRecord run = Runs.run("naive", 0, 1, 0.3, 1e38, 0.9);
    for (Plot plot : ReportPage.of(Map.of("naive", List.of(run)), List.of()).plots()) {
      parse(plot.svg());
    }
  }

  @Test
  void runsWithLittleInThemAreShownAsFarAsTheyGo() {
    RunRecord whole = Runs.run("uniform", 0, 1, 0.3, 0.2);
    RunRecord begun =
        new RunRecord(
            whole.directory(),
            whole.config(),
            whole.metrics().subList(0, 1),
            Optional.empty(),
            Optional.empty());
    RunRecord empty =
        new RunRecord(
            whole.directory(), whole.config(), List.of(), Optional.empty(), Optional.empty());
    String page = ReportPage.of(Map.of("uniform", List.of(begun)), List.of()).html();
    assertTrue(page.contains("<h2>Under way</h2>"), "where it stands");
    assertFalse(
        ReportPage.of(Map.of("uniform", List.of(whole)), List.of()).html().contains("Under way"));
    ReportPage.Report one = ReportPage.of(Map.of("uniform", List.of(begun)), List.of());
    assertTrue(one.plots().stream().anyMatch(plot -> plot.name().equals("test-error-epochs")));
    assertTrue(ReportPage.of(Map.of("uniform", List.of(empty)), List.of()).plots().isEmpty());
  }

  /** Legends do not hide curves, and every line has a look of its own. */
  @Test
  void manySamplersCanBeToldApart() throws Exception {
    for (int count : new int[] {3, 6, 20}) {
      Map<String, List<RunRecord>> runs = new LinkedHashMap<>();
      for (int k = 0; k < count; k++) {
        runs.put("rais:ablate=no-class-mean" + k, List.of(Runs.run("rais", 0, 1, 0.5, 0.2)));
      }
      for (Plot plot : ReportPage.of(runs, List.of("cat", "dog")).plots()) {
        Element area =
            (Element)
                ((Element) parse(plot.svg()).getElementsByTagName("clipPath").item(0))
                    .getElementsByTagName("rect")
                    .item(0);
        double height = Double.parseDouble(area.getAttribute("height"));
        assertTrue(height > 150 && height < 320, count + ", " + plot.name() + ": " + height);
        if (plot.chart() instanceof XYChart chart) {
          boolean inside = chart.getStyler().getLegendPosition() != Styler.LegendPosition.OutsideS;
          assertEquals(count == 3, inside, plot.name());
          long looks =
              chart.getSeriesMap().values().stream()
                  .filter(series -> series.getName().startsWith("rais"))
                  .map(series -> List.of(series.getLineColor(), series.getLineStyle()))
                  .distinct()
                  .count();
          assertEquals(count, looks, plot.name());
        }
      }
    }
  }

  @Test
  void aPageWithoutPlotsMakesItsFolderToo() {
    RunRecord run = Runs.diverged(Runs.run("naive", 0, 1, 0.3), 0);
    ReportPage.Report report = ReportPage.of(Map.of("naive", List.of(run)), List.of());
    assertTrue(report.plots().isEmpty());
    Path page = folder.resolve("new/deep/report.html");
    report.write(page, page.resolveSibling("plots"));
    assertTrue(Files.exists(page));
  }

  @Test
  void theImagesInThePageAreThePlots() {
    ReportPage.Report report = ReportPage.of(new LinkedHashMap<>(runs()), List.of());
    Matcher images =
        Pattern.compile("src=\"data:image/svg\\+xml;base64,([^\"]*)\"").matcher(report.html());
    List<String> svgs =
        images
            .results()
            .map(m -> new String(Base64.getDecoder().decode(m.group(1)), StandardCharsets.UTF_8))
            .collect(Collectors.toList());
    assertEquals(report.plots().stream().map(Plot::svg).toList(), svgs);
  }
}
