package dev.rais.report;

import dev.rais.train.DrawCounts;
import dev.rais.train.Metrics;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunFileException;
import dev.rais.train.RunJson;
import dev.rais.train.RunRecord;
import dev.rais.train.Samplers;
import dev.rais.train.Summary;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/**
 * What a comparison came to. Errors are fractions, times seconds.
 *
 * @param data name of the data set
 * @param model name of the model
 * @param backends what computed
 * @param seeds of the runs
 * @param target test error that speed-ups are measured at: the mean of uniform's final ones plus
 *     0.1 point or, if that is more, one standard error. NaN without finished uniform runs, or
 *     while one is under way
 * @param rows one per sampler
 */
public record ComparisonTable(
    String data,
    String model,
    List<String> backends,
    List<Long> seeds,
    double target,
    List<Row> rows) {
  /** The file in the comparison's folder. */
  public static final String FILE = "compare.json";

  private static final double LEAST_MARGIN = 0.001;

  /**
   * A sampler. Means are over its finished runs.
   *
   * @param sampler its name, with what tells it from others of the same name
   * @param runs number of runs
   * @param finished those of them that the means are over
   * @param diverged those of them whose loss was no longer finite
   * @param epochs real epochs
   * @param epochsEquivalent epochs equivalent
   * @param seconds time of the training loop
   * @param imagesPerSecond examples trained per second of training
   * @param samplerOverhead share of the time that the sampler takes
   * @param finalTestError test error at the end
   * @param bestTestError least test error at any evaluation
   * @param testErrorAtRaisTime test error at the last evaluation before RAIS of the same seed had
   *     ended, by the time of the training loops; of an end before that, at the end. RAIS is the
   *     row of that name or else the only one with variants of it; NaN without
   * @param targetEpochs real epochs until the mean test error stays at or below the target; NaN for
   *     never
   * @param targetSeconds time until then, mean over the seeds
   * @param speedUpEpochs uniform's epochs until the target over this sampler's
   * @param speedUpTime uniform's time until the target over this sampler's
   */
  public record Row(
      String sampler,
      int runs,
      int finished,
      int diverged,
      Statistic epochs,
      Statistic epochsEquivalent,
      Statistic seconds,
      Statistic imagesPerSecond,
      Statistic samplerOverhead,
      Statistic finalTestError,
      Statistic bestTestError,
      Statistic testErrorAtRaisTime,
      double targetEpochs,
      double targetSeconds,
      double speedUpEpochs,
      double speedUpTime) {
    /**
     * Whether it is certain that the mean test error does not stay at or below the target: a NaN
     * among the speed-ups can also mean that runs are under way, or that uniform itself diverged.
     */
    public boolean never() {
      return Double.isNaN(targetEpochs) && finished + diverged == runs;
    }
  }

  /** Copies the lists. */
  public ComparisonTable {
    backends = List.copyOf(backends);
    seeds = List.copyOf(seeds);
    rows = List.copyOf(rows);
  }

  /**
   * Groups runs by what they differ in beside their seed: by sampler and, where that is not all, by
   * the values of its options.
   *
   * @return runs by label, in the order of their first appearance
   */
  public static Map<String, List<RunRecord>> byLabel(List<RunRecord> runs) {
    Map<String, List<RunRecord>> byLabel = new LinkedHashMap<>();
    for (RunRecord run : runs) {
      String sampler = run.config().sampler();
      List<RunRecord> same =
          runs.stream().filter(other -> other.config().sampler().equals(sampler)).toList();
      StringBuilder label = new StringBuilder(sampler);
      for (RecordComponent component : run.config().getClass().getRecordComponents()) {
        String name = component.getName();
        // The short schedule follows from the seed's run of RAIS.
        boolean follows = sampler.equals(Samplers.UNIFORM_SHORT) && name.equals("speedUp");
        if (name.equals("seed") || name.equals("data") || name.equals("model") || follows) {
          continue;
        }
        Object value = value(component, run);
        if (same.stream().anyMatch(other -> !Objects.equals(value(component, other), value))) {
          label.append(':').append(kebab(name)).append('=').append(text(value));
        }
      }
      byLabel.computeIfAbsent(label.toString(), key -> new ArrayList<>()).add(run);
    }
    return byLabel;
  }

  private static Object value(RecordComponent component, RunRecord run) {
    try {
      return component.getAccessor().invoke(run.config());
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  private static String kebab(String name) {
    return name.replaceAll("([A-Z])", "-$1").toLowerCase(java.util.Locale.ROOT);
  }

  private static String text(Object value) {
    return value instanceof Double number
        ? new java.math.BigDecimal(number.toString()).stripTrailingZeros().toPlainString()
        : value.toString().toLowerCase(java.util.Locale.ROOT);
  }

  /**
   * Checks that runs can stand in one table.
   *
   * @throws RunFileException naming two runs on different data or of different models, or two of
   *     the same sampler and seed
   */
  public static void requireComparable(List<RunRecord> runs) {
    RunRecord first = runs.getFirst();
    String data = fingerprint(first); // out of a file with a number for each example
    for (RunRecord run : runs) {
      requireEqual("the data set", run, run.config().data(), first, first.config().data());
      requireEqual("the model", run, run.config().model(), first, first.config().model());
      requireEqual("the data", run, fingerprint(run), first, data);
    }
    Map<String, Path> seen = new LinkedHashMap<>();
    byLabel(runs)
        .forEach(
            (label, same) ->
                same.forEach(
                    run -> {
                      String key = label + ", seed " + run.config().seed();
                      Path before = seen.put(key, run.directory());
                      if (before != null) {
                        throw new RunFileException(
                            "%s and %s are the same run twice (%s); leave one of them out"
                                .formatted(before, run.directory(), key));
                      }
                    }));
  }

  private static void requireEqual(
      String what, RunRecord run, String mine, RunRecord first, String others) {
    if (mine != null && others != null && !mine.equals(others)) {
      throw new RunFileException(
          "%s of %s is %s, that of %s is %s; one report needs runs of the same data and model"
              .formatted(what, first.directory(), others, run.directory(), mine));
    }
  }

  /** What tells the data set from others; null of runs that did not record it. */
  private static String fingerprint(RunRecord run) {
    Path file = run.directory().resolve(RunDirectory.DRAWS);
    return Files.exists(file) ? DrawCounts.read(file).data() : null;
  }

  /**
   * The table of runs.
   *
   * @param runs by label, in the order of the rows; those that {@link #requireComparable} lets pass
   * @throws RunFileException if there are none
   */
  public static ComparisonTable of(Map<String, List<RunRecord>> runs) {
    List<RunRecord> all = runs.values().stream().flatMap(List::stream).toList();
    if (all.isEmpty()) {
      throw new RunFileException("there are no runs to report");
    }
    Set<String> backends = new LinkedHashSet<>();
    all.forEach(run -> run.summary().ifPresent(summary -> backends.add(summary.backend())));
    List<RunRecord> uniform = runs.getOrDefault(Samplers.UNIFORM, List.of());
    double target = target(uniform);
    double uniformEpochs = reaches(uniform, target);
    double uniformSeconds = meanSecondsTo(uniformEpochs, uniform);
    Map<Long, Double> raisSeconds = new HashMap<>();
    for (RunRecord run : rais(runs)) {
      run.summary().ifPresent(end -> raisSeconds.put(run.config().seed(), end.secondsTraining()));
    }
    List<Row> rows = new ArrayList<>();
    runs.forEach(
        (label, same) -> {
          double epochs = reaches(same, target);
          double seconds = meanSecondsTo(epochs, same);
          rows.add(
              row(
                  label,
                  same,
                  errorAfter(raisSeconds, same),
                  epochs,
                  seconds,
                  uniformEpochs / epochs,
                  uniformSeconds / seconds));
        });
    return new ComparisonTable(
        all.getFirst().config().data(),
        all.getFirst().config().model(),
        List.copyOf(backends),
        List.copyOf(
            new TreeSet<>(
                all.stream().map(run -> run.config().seed()).collect(Collectors.toSet()))),
        target,
        rows);
  }

  /** Those whose time others are given; of several variants none is the one. */
  private static List<RunRecord> rais(Map<String, List<RunRecord>> runs) {
    List<List<RunRecord>> variants =
        runs.values().stream()
            .filter(same -> !same.isEmpty())
            .filter(same -> same.getFirst().config().sampler().equals(Samplers.RAIS))
            .toList();
    return runs.getOrDefault(Samplers.RAIS, variants.size() == 1 ? variants.getFirst() : List.of());
  }

  /**
   * Writes compare.json into the comparison's folder.
   *
   * @throws RunFileException if that fails
   */
  public void write(Path directory) {
    RunDirectory.writeText(directory.resolve(FILE), new RunJson().document(this));
  }

  private static double target(List<RunRecord> uniform) {
    if (!uniform.stream().allMatch(RunRecord::isOver)) {
      return Double.NaN;
    }
    Statistic error = statistic(uniform, Summary::finalTestError);
    double margin =
        Double.isNaN(error.standardError())
            ? LEAST_MARGIN
            : Math.max(LEAST_MARGIN, error.standardError());
    return error.mean() + margin;
  }

  /** Epochs; NaN where a run diverged: the mean then never stays anywhere. */
  private static double reaches(List<RunRecord> runs, double target) {
    boolean all = !runs.isEmpty() && runs.stream().allMatch(run -> run.summary().isPresent());
    return all && !Double.isNaN(target)
        ? Curve.of(runs, Metrics::epochs, Metrics::testError).reaches(target)
        : Double.NaN;
  }

  /**
   * The mean over runs of the time that each took to come to some epochs. A mean error over time
   * would not do: seeds run one after the other, and where the machine was faster for one of them
   * it would compare that one's end with another's middle.
   */
  private static double meanSecondsTo(double epochs, List<RunRecord> runs) {
    return runs.stream()
        .mapToDouble(run -> secondsTo(epochs, run.metrics()))
        .average()
        .orElse(Double.NaN);
  }

  /** Between two evaluations time passes evenly; before the first one, from zero on. */
  private static double secondsTo(double epochs, List<Metrics> evaluations) {
    double epochsBefore = 0;
    double secondsBefore = 0;
    for (Metrics evaluation : evaluations) {
      if (evaluation.epochs() >= epochs) {
        double share = (epochs - epochsBefore) / (evaluation.epochs() - epochsBefore);
        return secondsBefore + share * (evaluation.seconds() - secondsBefore);
      }
      epochsBefore = evaluation.epochs();
      secondsBefore = evaluation.seconds();
    }
    return Double.isNaN(epochs) ? Double.NaN : secondsBefore;
  }

  /** Of the runs that are over, after the time that is given for their seeds. */
  private static Statistic errorAfter(Map<Long, Double> seconds, List<RunRecord> runs) {
    List<Double> errors = new ArrayList<>();
    for (RunRecord run : runs) {
      Double end = seconds.get(run.config().seed());
      if (end != null && run.summary().isPresent()) {
        run.metrics().stream()
            .filter(evaluation -> evaluation.seconds() <= end)
            .reduce((before, last) -> last)
            .ifPresent(last -> errors.add(last.testError()));
      }
    }
    return Statistic.of(errors);
  }

  private static Row row(
      String label,
      List<RunRecord> runs,
      Statistic testErrorAtRaisTime,
      double targetEpochs,
      double targetSeconds,
      double speedUpEpochs,
      double speedUpTime) {
    return new Row(
        label,
        runs.size(),
        (int) runs.stream().filter(run -> run.summary().isPresent()).count(),
        (int) runs.stream().filter(run -> run.divergence().isPresent()).count(),
        statistic(runs, Summary::epochs),
        statistic(runs, Summary::epochsEquivalent),
        statistic(runs, Summary::secondsTraining),
        statistic(runs, Summary::imagesPerSecond),
        statistic(runs, Summary::samplerOverhead),
        statistic(runs, Summary::finalTestError),
        statistic(runs, Summary::bestTestError),
        testErrorAtRaisTime,
        targetEpochs,
        targetSeconds,
        speedUpEpochs,
        speedUpTime);
  }

  private static Statistic statistic(List<RunRecord> runs, ToDoubleFunction<Summary> of) {
    return Statistic.of(
        runs.stream().flatMap(run -> run.summary().stream()).map(of::applyAsDouble).toList());
  }
}
