package dev.rais.bench.kernels;

import dev.rais.bench.Bench;
import dev.rais.bench.BenchException;
import dev.rais.bench.Quantiles;
import dev.rais.bench.peers.Json;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Has JMH run the benchmarks of this package, and says what share of a copy each reaches. */
@Command(
    name = "kernels",
    description =
        "kernels through Java, in GB/s and as a share of a copy; fused against separate steps;"
            + " downcalls",
    mixinStandardHelpOptions = true)
public final class KernelsBench implements Bench {
  /**
   * One kernel on one device.
   *
   * @param gigabytesPerSecond compulsory bytes over time; null where bandwidth is not the measure
   * @param copyShare of the bandwidth of a copy beside it; null likewise
   * @param speedup over the separate steps; null where there are none
   */
  record Row(
      String device,
      String kernel,
      int iterations,
      double microseconds,
      Double gigabytesPerSecond,
      double copyGigabytesPerSecond,
      Double copyShare,
      Double speedup) {}

  /** The last line with --json. */
  record Result(
      String bench,
      int threads,
      boolean quick,
      Double lossLayerSpeedup,
      Double lossLayerCopyShare,
      double downcallNanos,
      double criticalDowncallNanos,
      String cuda,
      List<Row> rows) {}

  @Spec private CommandSpec spec;

  @Option(
      names = "--kernels",
      split = ",",
      paramLabel = "NAME",
      description = "only these (default: all)")
  private List<String> names = KernelNames.ALL;

  @Option(
      names = "--threads",
      paramLabel = "N",
      defaultValue = "0",
      description = "threads of the CPU's kernels and of its copy (default 0: all processors)")
  private int threads;

  @Option(
      names = "--iterations",
      paramLabel = "N",
      defaultValue = "9",
      description = "iterations of two seconds; medians are theirs (default ${DEFAULT-VALUE})")
  private int iterations;

  @Option(
      names = "--quick",
      description = "small operands and a moment's time, in this process: shows that it runs")
  private boolean quick;

  @Option(names = "--json", description = "print the result as one line of JSON")
  private boolean json;

  @Override
  public Integer call() {
    require(threads >= 0, "--threads must be at least 0, not " + threads);
    require(iterations >= 1, "--iterations must be at least 1, not " + iterations);
    for (String name : names) {
      require(
          KernelNames.ALL.contains(name),
          "there is no kernel '" + name + "'; kernels: " + String.join(", ", KernelNames.ALL));
    }
    int used = threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
    Map<String, Double> calls = downcalls();
    List<Row> rows = new ArrayList<>();
    for (String name : names) {
      rows.add(measure("cpu", name, used));
    }
    String missing = CudaMachine.missing();
    if (missing.isEmpty()) {
      for (String name : names) {
        rows.add(measure("cuda", name, used));
      }
    } else {
      spec.commandLine().getErr().println("no CUDA kernels are measured: " + missing);
    }
    Row headline =
        rows.stream().filter(r -> r.kernel.equals(KernelNames.HEADLINE)).findFirst().orElse(null);
    Result result =
        new Result(
            "kernels",
            used,
            quick,
            headline == null ? null : headline.speedup,
            headline == null ? null : headline.copyShare,
            calls.get("ordinary"),
            calls.get("critical"),
            missing.isEmpty() ? "measured" : "not measured: " + missing,
            rows);
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(Json.write(result));
    } else {
      print(result, out);
    }
    return 0;
  }

  private void require(boolean condition, String message) {
    if (!condition) {
      throw new ParameterException(spec.commandLine(), message);
    }
  }

  private ChainedOptionsBuilder options(Class<?> benchmarks) {
    return new OptionsBuilder()
        .include(benchmarks.getName().replace(".", "\\.") + "\\.")
        .verbosity(VerboseMode.SILENT)
        .shouldFailOnError(true)
        .forks(quick ? 0 : 1)
        .warmupIterations(quick ? 1 : 3)
        .warmupTime(quick ? TimeValue.milliseconds(10) : TimeValue.seconds(2))
        .measurementIterations(quick ? 2 : iterations)
        .measurementTime(quick ? TimeValue.milliseconds(10) : TimeValue.seconds(2))
        .timeout(TimeValue.minutes(10));
  }

  private static List<RunResult> run(ChainedOptionsBuilder options) {
    try {
      return new ArrayList<>(new Runner(options.build()).run());
    } catch (RunnerException e) {
      throw new BenchException("JMH: " + e.getMessage(), e);
    }
  }

  private Map<String, Double> downcalls() {
    spec.commandLine().getErr().println("downcalls");
    Map<String, Double> nanos = new LinkedHashMap<>();
    for (RunResult result : run(options(Downcalls.class).timeUnit(TimeUnit.NANOSECONDS))) {
      nanos.put(
          result.getPrimaryResult().getLabel(),
          result.getPrimaryResult().getStatistics().getPercentile(50));
    }
    return nanos;
  }

  private Row measure(String device, String name, int used) {
    spec.commandLine().getErr().println(device + " " + name);
    List<IterationResult> all = new ArrayList<>();
    for (RunResult result :
        run(
            options(Turns.class)
                .param("device", device)
                .param("kernel", name)
                .param("threads", Integer.toString(used))
                .param("quick", Boolean.toString(quick)))) {
      result.getBenchmarkResults().forEach(b -> all.addAll(b.getIterationResults()));
    }
    boolean hasBytes = of(all.getFirst(), "kernelBytes") > 0;
    boolean hasSteps = of(all.getFirst(), "separateNanos") > 0;
    return new Row(
        device,
        name,
        all.size(),
        median(all, i -> of(i, "kernelNanos") / of(i, "kernelRepeats") / 1000),
        hasBytes ? median(all, KernelsBench::bandwidth) : null,
        median(all, KernelsBench::copyBandwidth),
        hasBytes ? median(all, i -> bandwidth(i) / copyBandwidth(i)) : null,
        hasSteps ? median(all, i -> of(i, "separateNanos") / of(i, "kernelNanos")) : null);
  }

  private static double of(IterationResult iteration, String counter) {
    return iteration.getSecondaryResults().get(counter).getScore();
  }

  private static double bandwidth(IterationResult i) {
    return of(i, "kernelBytes") / of(i, "kernelNanos");
  }

  private static double copyBandwidth(IterationResult i) {
    return of(i, "copyBytes") / of(i, "copyNanos");
  }

  private static Double median(List<IterationResult> all, ToDoubleFunction<IterationResult> of) {
    return Quantiles.median(all.stream().mapToDouble(of).toArray());
  }

  private static void print(Result result, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "downcall %.1f ns, critical %.1f ns; %d threads; CUDA %s%n",
        result.downcallNanos,
        result.criticalDowncallNanos,
        result.threads,
        result.cuda);
    out.printf("%-6s %-16s %12s %8s %8s %8s%n", "", "", "µs", "GB/s", "of copy", "speedup");
    for (Row row : result.rows) {
      out.printf(
          Locale.ROOT,
          "%-6s %-16s %12.1f %8s %8s %8s%n",
          row.device,
          row.kernel,
          row.microseconds,
          number(row.gigabytesPerSecond),
          number(row.copyShare),
          number(row.speedup));
    }
  }

  private static String number(Double value) {
    return value == null ? "" : String.format(Locale.ROOT, "%.2f", value);
  }
}
