package dev.rais.bench.overhead;

import dev.rais.bench.Bench;
import dev.rais.bench.Quantiles;
import dev.rais.bench.peers.Json;
import dev.rais.bench.peers.MachineLoad;
import dev.rais.bench.peers.Workload;
import dev.rais.bench.peers.WorkloadOptions;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What a step costs more with RAIS than with uniform draws, and where. */
@Command(
    name = "overhead",
    description = "what RAIS adds to a step: sampler, weighted batch norm; idle time for input",
    mixinStandardHelpOptions = true)
public final class OverheadBench implements Bench {
  /** Cores that other programs may use before a warning. */
  private static final double OTHER_LIMIT = 0.1;

  /** The last line with --json. */
  record Result(
      String bench,
      String model,
      int batch,
      int threads,
      int examples,
      int steps,
      long parameters,
      double stepRatioRaisToUniform,
      double medianOfRatios,
      double lowerQuartileOfRatios,
      double upperQuartileOfRatios,
      long refreshes,
      double raisStepMillis,
      double uniformStepMillis,
      Double weightedBatchNormOverPlain,
      Double weightedBatchNormMillis,
      Double plainBatchNormMillis,
      double inputIdleShare,
      double uniformInputIdleShare,
      Double otherLoad) {

    static Result of(
        Workload workload, StepOverhead steps, BatchNormOverhead norms, double otherLoad) {
      StepOverhead.Side rais = steps.rais();
      StepOverhead.Side uniform = steps.uniform();
      return new Result(
          "overhead",
          workload.model(),
          workload.batch(),
          workload.threads(),
          workload.examples(),
          rais.steps(),
          rais.parameters(),
          steps.ratio(),
          Quantiles.median(steps.turnRatios()),
          Quantiles.of(steps.turnRatios(), 0.25),
          Quantiles.of(steps.turnRatios(), 0.75),
          steps.refreshes(),
          1000 * rais.seconds() / rais.steps(),
          1000 * uniform.seconds() / uniform.steps(),
          norms == null ? null : Double.valueOf(norms.ratio()),
          norms == null ? null : Double.valueOf(1000 * norms.weightedSeconds()),
          norms == null ? null : Double.valueOf(1000 * norms.plainSeconds()),
          rais.inputIdleShare(),
          uniform.inputIdleShare(),
          Double.isNaN(otherLoad) ? null : Double.valueOf(otherLoad));
    }
  }

  @Spec private CommandSpec spec;
  @Mixin private WorkloadOptions options;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "8",
      description =
          "rounds of the sampler to measure, with one training of its set in each (default"
              + " ${DEFAULT-VALUE})")
  private int rounds;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "2",
      description = "time of RAIS or of uniform draws in turn (default ${DEFAULT-VALUE})")
  private double seconds;

  @Override
  public Integer call() {
    options.require(rounds >= 1, "--rounds must be at least 1, not " + rounds);
    options.require(
        seconds > 0 && seconds <= 600, "--seconds must be above 0 and at most 600, not " + seconds);
    Workload workload = options.workload("rais");
    PrintWriter err = spec.commandLine().getErr();
    double otherBefore = otherSeconds();
    long start = System.nanoTime();
    StepOverhead steps = StepOverhead.measure(workload, rounds, seconds, err::println);
    BatchNormOverhead norms =
        BatchNormOverhead.measure(
            workload.network(), workload.batch(), workload.threads(), err::println);
    double otherLoad = (otherSeconds() - otherBefore) / ((System.nanoTime() - start) / 1e9);
    if (otherLoad > OTHER_LIMIT) {
      err.printf(
          Locale.ROOT,
          "warning: other programs used %.2f cores; a few percent cannot be seen beside them%n",
          otherLoad);
    }
    Result result = Result.of(workload, steps, norms, otherLoad);
    PrintWriter out = spec.commandLine().getOut();
    if (options.json()) {
      out.println(Json.write(result));
    } else {
      print(result, out);
    }
    return 0;
  }

  /** Processor time of all programs but this one. */
  private static double otherSeconds() {
    Duration own = ProcessHandle.current().info().totalCpuDuration().orElse(Duration.ZERO);
    return MachineLoad.busySeconds() - own.toNanos() / 1e9;
  }

  private static void print(Result r, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "%s, batch %d, %d threads, %,d parameters, %d steps of each in turns%n",
        r.model,
        r.batch,
        r.threads,
        r.parameters,
        r.steps);
    out.printf(
        Locale.ROOT,
        "  step: %.2f ms with RAIS, %.2f ms uniform, ratio %.4f (of turns: %.4f, quartiles %.4f and"
            + " %.4f)%n",
        r.raisStepMillis,
        r.uniformStepMillis,
        r.stepRatioRaisToUniform,
        r.medianOfRatios,
        r.lowerQuartileOfRatios,
        r.upperQuartileOfRatios);
    if (r.weightedBatchNormOverPlain != null) {
      out.printf(
          Locale.ROOT,
          "  batch norm, all layers: %.2f ms weighted, %.2f ms oneDNN's plain, ratio %.3f%n",
          r.weightedBatchNormMillis,
          r.plainBatchNormMillis,
          r.weightedBatchNormOverPlain);
    }
    out.printf(
        Locale.ROOT,
        "  idle for want of input: %.2f %% with RAIS, %.2f %% uniform%n",
        100 * r.inputIdleShare,
        100 * r.uniformInputIdleShare);
  }
}
