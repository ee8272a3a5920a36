package dev.rais.bench.peers;

import dev.rais.bench.Bench;
import dev.rais.bench.Quantiles;
import java.io.PrintWriter;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Our side of {@link PeersBench} alone and in this process, for a profiler or a quick look. */
@Command(
    name = "self",
    description = "training steps of this library alone, in one process (for profilers)",
    mixinStandardHelpOptions = true)
public final class SelfBench implements Bench {
  /** The last line with --json. */
  record Result(
      String bench,
      String model,
      int batch,
      String sampler,
      int threads,
      int rounds,
      int steps,
      double raisImagesPerSecond,
      double firstLoss,
      double lastLoss,
      long parameters,
      String raisEngine) {}

  @Spec private CommandSpec spec;
  @Mixin private WorkloadOptions options;
  @Mixin private SamplerOption sampler;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "200",
      description = "steps of a round (default ${DEFAULT-VALUE})")
  private int steps;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "9",
      description = "rounds that count, after one that does not (default ${DEFAULT-VALUE})")
  private int rounds;

  @Override
  public Integer call() {
    options.require(steps >= 1, "--steps must be at least 1, not " + steps);
    options.require(rounds >= 1, "--rounds must be at least 1, not " + rounds);
    Workload workload = options.workload(sampler.name());
    PrintWriter out = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    Script script = new Script(workload.batch(), err);
    RaisSide.train(workload, script);
    Result result =
        new Result(
            "self",
            workload.model(),
            workload.batch(),
            workload.sampler(),
            workload.threads(),
            rounds,
            steps,
            Quantiles.median(script.speeds),
            script.firstLoss,
            script.lastLoss,
            script.ready.parameters(),
            script.ready.engine());
    if (options.json()) {
      out.println(Json.write(result));
    } else {
      out.printf(
          Locale.ROOT,
          "%s, batch %d, %s sampler, %s: %,.0f images/s (median of %d rounds of %d steps)%n",
          result.model,
          result.batch,
          result.sampler,
          result.raisEngine,
          result.raisImagesPerSecond,
          rounds,
          steps);
    }
    return 0;
  }

  /** One step, a round of warm-up, then the rounds that count. */
  private final class Script implements Conductor {
    private final int batch;
    private final PrintWriter err;
    private final double[] speeds = new double[rounds];
    private int done = -2;
    private Ready ready;
    private double firstLoss;
    private double lastLoss;

    Script(int batch, PrintWriter err) {
      this.batch = batch;
      this.err = err;
    }

    @Override
    public void ready(Ready side) {
      ready = side;
    }

    @Override
    public int next() {
      return done == -2 ? 1 : done < rounds ? steps : 0;
    }

    @Override
    public void ran(Ran ran) {
      if (done == -2) {
        firstLoss = ran.loss();
      } else if (done >= 0) {
        speeds[done] = ran.steps() * batch / ran.seconds();
        err.printf(Locale.ROOT, "round %d: %,.0f images/s%n", done + 1, speeds[done]);
      }
      lastLoss = ran.loss();
      done++;
    }
  }
}
