package dev.rais.bench.sampler;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.bench.Bench;
import dev.rais.bench.BenchException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What RAIS costs without a network, at several numbers of examples, and what the rivals cost. */
@Command(
    name = "sampler",
    description = "steps, refreshes and trainings of the sampler alone, up to 10^8 examples",
    mixinStandardHelpOptions = true)
public final class SamplerBench implements Bench {
  /** Examples for which the rivals that rebuild a table each step are measured. */
  private static final int RIVAL_EXAMPLES = 1_000_000;

  /** The last line with --json; keys of the maps are numbers of examples. */
  record Result(
      String bench,
      int threads,
      Map<String, Double> stepNanos,
      double aliasRatio,
      double prefixRatio,
      double refreshOverRead,
      double refreshOverReadWithoutVectorApi,
      Map<String, Double> refreshMillis,
      Map<String, Double> stepNanosWithRefresh,
      double rebuildOverSum,
      double trainSetMillis,
      double trainSetObjectiveGap,
      double bytesPerExample) {}

  @Spec private CommandSpec spec;

  @Option(names = "--json", description = "print one JSON object as the last line")
  private boolean json;

  @Option(
      names = "--sizes",
      split = ",",
      paramLabel = "N",
      defaultValue = "10000,1000000,100000000",
      description = "numbers of examples, 1000 or more each (default ${DEFAULT-VALUE})")
  private List<Integer> sizes;

  @Option(names = "--quick", description = "few repetitions: shows that it runs, measures badly")
  private boolean quick;

  @Override
  public Integer call() {
    for (int size : sizes) {
      if (size < 1000) {
        throw new ParameterException(
            spec.commandLine(), "--sizes must be at least 1000 each, but one is " + size);
      }
    }
    PrintWriter err = spec.commandLine().getErr();
    int repetitions = quick ? 3 : 15;
    Map<String, Double> steps = new LinkedHashMap<>();
    Map<String, Double> withRefresh = new LinkedHashMap<>();
    Map<String, Double> refreshes = new LinkedHashMap<>();
    StepTimes largest = null;
    for (int size : sizes.stream().sorted().distinct().toList()) {
      err.printf(Locale.ROOT, "%,d examples: training until the first set…%n", size);
      StepTimes times = StepTimes.measure(size, repetitions);
      err.printf(
          Locale.ROOT,
          "  step %.1f us, with refreshes %.1f us; refresh %.2f ms, reading its bytes %.2f ms%n",
          times.stepNanos() / 1e3,
          times.stepNanosWithRefresh() / 1e3,
          times.refreshNanos() / 1e6,
          times.readNanos() / 1e6);
      steps.put("" + size, times.stepNanos());
      withRefresh.put("" + size, times.stepNanosWithRefresh());
      refreshes.put("" + size, times.refreshNanos() / 1e6);
      largest = times;
    }
    err.println("rivals that rebuild their table at every step…");
    int rivalSize = quick ? sizes.getFirst() : RIVAL_EXAMPLES;
    Double ours = steps.get("" + rivalSize);
    double step = ours != null ? ours : StepTimes.measure(rivalSize, repetitions).stepNanos();
    double alias = Rivals.aliasNanos(rivalSize, repetitions);
    double prefix = Rivals.prefixNanos(rivalSize, repetitions);
    err.println("rebuilding the sums…");
    double rebuild = Rebuild.overSum(sizes.stream().max(Integer::compare).get(), repetitions);
    err.println("training the set…");
    SetTraining training = SetTraining.measure(quick ? 2000 : 20_000, repetitions);
    Result result =
        new Result(
            "sampler",
            Runtime.getRuntime().availableProcessors(),
            steps,
            alias / step,
            prefix / step,
            largest.refreshNanos() / largest.readNanos(),
            largest.plainRefreshNanos() / largest.readNanos(),
            refreshes,
            withRefresh,
            rebuild,
            training.millis(),
            training.gap(),
            largest.bytesPerExample());
    print(result);
    return 0;
  }

  private void print(Result result) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      try {
        out.println(new ObjectMapper().writeValueAsString(result));
      } catch (JsonProcessingException e) {
        throw new BenchException("the result cannot be written as JSON: " + e.getMessage(), e);
      }
      return;
    }
    out.printf(Locale.ROOT, "%14s %12s %16s %12s%n", "examples", "step", "with refresh", "refresh");
    for (String size : result.stepNanos.keySet()) {
      out.printf(
          Locale.ROOT,
          "%,14d %9.1f us %13.1f us %9.2f ms%n",
          Integer.parseInt(size),
          result.stepNanos.get(size) / 1e3,
          result.stepNanosWithRefresh.get(size) / 1e3,
          result.refreshMillis.get(size));
    }
    out.printf(Locale.ROOT, "alias tables, over our step       %.0f%n", result.aliasRatio);
    out.printf(Locale.ROOT, "prefix sums, over our step        %.0f%n", result.prefixRatio);
    out.printf(Locale.ROOT, "refresh, over reading its bytes   %.2f%n", result.refreshOverRead);
    out.printf(
        Locale.ROOT,
        "the same without the Vector API   %.2f%n",
        result.refreshOverReadWithoutVectorApi);
    out.printf(Locale.ROOT, "rebuild, over summing the leaves  %.2f%n", result.rebuildOverSum);
    out.printf(Locale.ROOT, "training the set                  %.1f ms%n", result.trainSetMillis);
    out.printf(
        Locale.ROOT, "its objective over the reference  %.1e%n", result.trainSetObjectiveGap);
    out.printf(Locale.ROOT, "off-heap bytes per example        %.1f%n", result.bytesPerExample);
  }
}
