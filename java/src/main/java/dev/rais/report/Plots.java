package dev.rais.report;

import dev.rais.train.Draws;
import dev.rais.train.Metrics;
import dev.rais.train.RunRecord;
import dev.rais.train.Samplers;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The plots of a report; one that nothing is known for is left out. */
final class Plots {
  private static final int WIDTH = 480;
  private static final int HEIGHT = 350;
  private static final int FONT = 13;
  private static final int BAND_ALPHA = 50;

  /** Okabe and Ito's colours, which people with any kind of sight tell apart; yellow last. */
  private static final int[] COLOURS = {
    0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0x56b4e9, 0xe69f00, 0x000000, 0xf0e442
  };

  private static final float[] DASHES = {6, 4};

  /** Of lines whose colour has been used before: once, twice, more often. */
  private static final float[][] PATTERNS = {null, {1.5f, 4}, {10, 4, 2, 4}, {14, 5}};

  /** More names than this would hide the curves. */
  private static final int MOST_INSIDE = 5;

  private static final int LEGEND_LINE = 16;
  private static final int LEGEND_BOX_LINE = 25;
  private static final int MOST_CLASSES = 30;

  /** A quantity over the course of runs. */
  private record Quantity(
      String name, String section, String title, String axis, ToDoubleFunction<Metrics> of) {}

  /** What a course is plotted against. */
  private record Moment(String name, String title, String axis, ToDoubleFunction<Metrics> of) {}

  private static final List<Moment> MOMENTS =
      List.of(
          new Moment("epochs", "by epochs", "epochs", Metrics::epochs),
          new Moment(
              "equivalent", "by epochs equivalent", "epochs equivalent", Metrics::epochsEquivalent),
          new Moment("time", "by time", "training time (s)", Metrics::seconds));

  private final Map<String, List<RunRecord>> runs;
  private final List<String> classNames;

  Plots(Map<String, List<RunRecord>> runs, List<String> classNames) {
    this.runs = runs;
    this.classNames = classNames;
  }

  /**
   * All that can be drawn.
   *
   * @throws IllegalStateException if there are no fonts
   */
  List<Plot> all() {
    Fonts.require("plots");
    List<Plot> plots = new ArrayList<>();
    List<Quantity> learning =
        List.of(
            new Quantity(
                "test-error",
                "Test error",
                "Test error",
                "test error (%)",
                m -> 100 * m.testError()),
            new Quantity(
                "train-loss",
                "Training loss",
                "Training loss",
                "training loss",
                Metrics::trainLoss));
    for (Quantity quantity : learning) {
      for (Moment moment : MOMENTS) {
        add(plots, course(quantity, moment, Styler.LegendPosition.InsideNE));
      }
    }
    String steps = "Steps";
    Moment equivalent = MOMENTS.get(1);
    add(
        plots,
        course(
            new Quantity("gain-ratio", steps, "Gain ratio", "gain ratio", Metrics::gainRatio),
            equivalent,
            Styler.LegendPosition.InsideNW));
    add(
        plots,
        course(
            new Quantity(
                "learning-rate", steps, "Learning rate", "learning rate", Metrics::learningRate),
            equivalent,
            Styler.LegendPosition.InsideNE));
    String draws = "Draws";
    add(plots, probabilities(draws));
    add(
        plots,
        course(
            new Quantity(
                "effective-sample-size",
                draws,
                "Effective sample size",
                "share of the examples (%)",
                m -> 100 * m.draws().effectiveSampleSize()),
            equivalent,
            Styler.LegendPosition.InsideSW));
    add(plots, classes(draws));
    String set = "Uncertainty set";
    add(plots, calibration(set));
    add(
        plots,
        course(
            new Quantity(
                "inside",
                set,
                "Observed norms inside the set",
                "share inside (%)",
                m -> 100 * m.draws().calibration().insideShare()),
            equivalent,
            Styler.LegendPosition.InsideSE));
    add(
        plots,
        course(
            new Quantity(
                "constraint",
                set,
                "Squared residuals in half-axes",
                "mean of r² / ⟨d,s⟩ (1 as trained)",
                m -> m.draws().calibration().constraint()),
            equivalent,
            Styler.LegendPosition.InsideNE));
    return plots;
  }

  private static void add(List<Plot> plots, Plot plot) {
    if (plot != null) {
      plots.add(plot);
    }
  }

  /** The colour of the sampler at a position. */
  static String colour(int position) {
    return "#%06x".formatted(COLOURS[position % COLOURS.length]);
  }

  private Plot course(Quantity quantity, Moment moment, Styler.LegendPosition legend) {
    XYChart chart =
        chart(quantity.title() + " " + moment.title(), moment.axis(), quantity.axis(), legend);
    int position = -1;
    for (Map.Entry<String, List<RunRecord>> entry : runs.entrySet()) {
      position++;
      Curve curve = finite(Curve.of(shown(entry.getValue()), moment.of(), quantity.of()));
      if (curve.x().isEmpty()) {
        continue;
      }
      band(chart, entry.getKey(), curve, position);
      line(chart, entry.getKey(), curve.x(), curve.mean(), position);
    }
    return chart.getSeriesMap().isEmpty()
        ? null
        : Plot.of(quantity.name() + "-" + moment.name(), quantity.section(), chart);
  }

  /**
   * The runs that plots show: as in the table, those that did not diverge, if there are any. A run
   * without evaluations has nothing to show.
   */
  private static List<RunRecord> shown(List<RunRecord> runs) {
    List<RunRecord> evaluated = runs.stream().filter(run -> !run.metrics().isEmpty()).toList();
    List<RunRecord> whole = evaluated.stream().filter(run -> run.divergence().isEmpty()).toList();
    return whole.isEmpty() ? evaluated : whole;
  }

  private static Curve finite(Curve curve) {
    List<Double> x = new ArrayList<>();
    List<Double> mean = new ArrayList<>();
    List<Double> error = new ArrayList<>();
    for (int i = 0; i < curve.x().size(); i++) {
      if (Double.isFinite(curve.mean().get(i)) && Double.isFinite(curve.x().get(i))) {
        x.add(curve.x().get(i));
        mean.add(curve.mean().get(i));
        error.add(curve.standardError().get(i));
      }
    }
    return new Curve(x, mean, error);
  }

  /** One standard error to either side. */
  private static void band(XYChart chart, String label, Curve curve, int position) {
    int n = curve.x().size();
    if (n < 2 || curve.standardError().stream().anyMatch(e -> !Double.isFinite(e))) {
      return;
    }
    List<Double> x = new ArrayList<>(curve.x());
    List<Double> y = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      y.add(curve.mean().get(i) + curve.standardError().get(i));
    }
    for (int i = n - 1; i >= 0; i--) {
      x.add(curve.x().get(i));
      y.add(curve.mean().get(i) - curve.standardError().get(i));
    }
    XYSeries band = chart.addSeries(label + " ± s.e.", x, y);
    band.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.PolygonArea);
    Color colour = new Color(COLOURS[position % COLOURS.length]);
    band.setFillColor(new Color(colour.getRed(), colour.getGreen(), colour.getBlue(), BAND_ALPHA));
    band.setLineColor(new Color(0, 0, 0, 0));
    band.setMarker(SeriesMarkers.NONE);
    band.setShowInLegend(false);
  }

  private static XYSeries line(
      XYChart chart, String label, List<Double> x, List<Double> y, int position) {
    XYSeries series = chart.addSeries(label, x, y);
    Color colour = new Color(COLOURS[position % COLOURS.length]);
    Marker marker = x.size() == 1 ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE;
    series.setMarker(marker);
    series.setLineColor(colour);
    series.setMarkerColor(colour);
    series.setLineStyle(stroke(label, position));
    return series;
  }

  private static BasicStroke stroke(String label, int position) {
    float[] dashes =
        label.startsWith(Samplers.UNIFORM_SHORT)
            ? DASHES
            : PATTERNS[Math.min(position / COLOURS.length, PATTERNS.length - 1)];
    return dashes == null
        ? new BasicStroke(2, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND)
        : new BasicStroke(2, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1, dashes, 0);
  }

  /** The share of examples by n p at the end, averaged over seeds. */
  private Plot probabilities(String section) {
    XYChart chart =
        chart(
            "Distribution of p at the end",
            "n p (1 where draws are uniform)",
            "share of the examples (%)",
            Styler.LegendPosition.InsideNW);
    List<Double> edges = new ArrayList<>();
    for (int k = 0; k <= Draws.BINS; k++) {
      edges.add((double) (k - Draws.UNIFORM_BIN));
    }
    int position = -1;
    for (Map.Entry<String, List<RunRecord>> entry : runs.entrySet()) {
      position++;
      List<Double> shares = mean(entry.getValue(), Draws::probabilities);
      if (shares.size() == Draws.BINS) {
        List<Double> percents = new ArrayList<>(shares.stream().map(x -> 100 * x).toList());
        percents.add(0.0);
        line(chart, entry.getKey(), edges, percents, position)
            .setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Step);
      }
    }
    if (chart.getSeriesMap().isEmpty()) {
      return null;
    }
    chart.getStyler().setxAxisTickLabelsFormattingFunction(Plots::powerOfTwo);
    chart.getStyler().setXAxisMin((double) -Draws.UNIFORM_BIN);
    chart.getStyler().setXAxisMax((double) Draws.BINS - Draws.UNIFORM_BIN);
    chart.getStyler().setYAxisMin(0.0);
    return Plot.of("probabilities", section, chart);
  }

  /** "1/8" for −3, "4" for 2; nothing between whole exponents. */
  private static String powerOfTwo(double exponent) {
    long whole = Math.round(exponent);
    if (Math.abs(exponent - whole) > 1e-9) {
      return "";
    }
    return whole < 0 ? "1/" + (1L << -whole) : Long.toString(1L << whole);
  }

  private Plot classes(String section) {
    Map<String, List<Double>> shares = new LinkedHashMap<>();
    runs.forEach(
        (label, same) -> {
          List<Double> mean = mean(same, draws -> shares(draws.classDraws()));
          if (!mean.isEmpty() && mean.size() <= MOST_CLASSES) {
            shares.put(label, mean);
          }
        });
    int classes = shares.values().stream().mapToInt(List::size).max().orElse(0);
    shares.values().removeIf(list -> list.size() != classes);
    if (classes == 0) {
      return null;
    }
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT + LEGEND_BOX_LINE * Math.max(0, runs.size() - 3))
            .title("Draws by class")
            .xAxisTitle("")
            .yAxisTitle("share of all draws (%)")
            .build();
    style(chart.getStyler(), Styler.LegendPosition.OutsideS);
    chart.getStyler().setLegendLayout(Styler.LegendLayout.Vertical);
    chart.getStyler().setXAxisLabelRotation(45);
    chart.getStyler().setAvailableSpaceFill(0.8);
    List<String> names = new ArrayList<>();
    for (int k = 0; k < classes; k++) {
      names.add(k < classNames.size() ? classNames.get(k) : Integer.toString(k));
    }
    int position = -1;
    for (String label : runs.keySet()) {
      position++;
      List<Double> percents = shares.get(label);
      if (percents != null) {
        chart
            .addSeries(label, names, percents.stream().map(x -> 100 * x).toList())
            .setFillColor(new Color(COLOURS[position % COLOURS.length]));
      }
    }
    return Plot.of("classes", section, chart);
  }

  private static List<Double> shares(List<Long> counts) {
    double sum = counts.stream().mapToLong(x -> x).sum();
    return sum > 0 ? counts.stream().map(x -> x / sum).toList() : List.of();
  }

  /** Predicted against observed norms at the end, seeds in one. */
  private Plot calibration(String section) {
    XYChart chart =
        chart(
            "Norms, predicted and observed",
            "predicted norm ⟨c,s⟩",
            "mean observed norm",
            Styler.LegendPosition.InsideNW);
    double largest = 0;
    int position = -1;
    for (Map.Entry<String, List<RunRecord>> entry : runs.entrySet()) {
      position++;
      List<Double> predicted = mean(entry.getValue(), d -> d.calibration().predicted());
      List<Double> observed = mean(entry.getValue(), d -> d.calibration().observed());
      if (!predicted.isEmpty() && predicted.size() == observed.size()) {
        XYSeries series = line(chart, entry.getKey(), predicted, observed, position);
        series.setMarker(SeriesMarkers.CIRCLE);
        largest =
            Stream.concat(predicted.stream(), observed.stream())
                .mapToDouble(x -> x)
                .reduce(largest, Math::max);
      }
    }
    if (chart.getSeriesMap().isEmpty() || !(largest > 0)) {
      return null;
    }
    XYSeries diagonal =
        chart.addSeries("as predicted", new double[] {0, largest}, new double[] {0, largest});
    diagonal.setMarker(SeriesMarkers.NONE);
    diagonal.setLineColor(Color.GRAY);
    diagonal.setLineStyle(
        new BasicStroke(1, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1, DASHES, 0));
    return Plot.of("calibration", section, chart);
  }

  /** Position by position, the mean over the last evaluations of runs; empty where one lacks it. */
  private static List<Double> mean(List<RunRecord> runs, Function<Draws, List<Double>> of) {
    List<List<Double>> all = new ArrayList<>();
    for (RunRecord run : shown(runs)) {
      all.add(of.apply(run.metrics().getLast().draws()));
    }
    int size = all.stream().mapToInt(List::size).min().orElse(0);
    List<Double> mean = new ArrayList<>(Collections.nCopies(size, 0.0));
    for (List<Double> values : all) {
      for (int k = 0; k < size; k++) {
        mean.set(k, mean.get(k) + values.get(k) / all.size());
      }
    }
    return mean;
  }

  /** With the legend where it is asked for or, if it is long, below the plot. */
  private XYChart chart(String title, String x, String y, Styler.LegendPosition legend) {
    boolean below = runs.size() > MOST_INSIDE;
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT + (below ? LEGEND_LINE * (runs.size() + 1) : 0))
            .title(title)
            .xAxisTitle(x)
            .yAxisTitle(y)
            .build();
    style(chart.getStyler(), below ? Styler.LegendPosition.OutsideS : legend);
    chart.getStyler().setLegendLayout(Styler.LegendLayout.Vertical);
    return chart;
  }

  private static void style(AxesChartStyler styler, Styler.LegendPosition legend) {
    Font font = new Font(Font.SANS_SERIF, Font.PLAIN, FONT);
    styler.setBaseFont(font);
    styler.setAxisTickLabelsFont(font);
    styler.setAxisTitleFont(font);
    styler.setLegendFont(font);
    styler.setChartTitleFont(font.deriveFont(Font.BOLD, FONT + 1f));
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setPlotBorderVisible(false);
    styler.setPlotGridLinesColor(new Color(0xdddddd));
    styler.setPlotGridLinesStroke(new BasicStroke(1));
    styler.setLegendPosition(legend);
    styler.setLegendBorderColor(new Color(0, 0, 0, 0));
    styler.setLegendBackgroundColor(new Color(255, 255, 255, 200));
    styler.setLegendPadding(4);
    styler.setLocale(Locale.ROOT);
    styler.setDecimalPattern("0.####");
    styler.setToolTipsEnabled(false);
  }
}
