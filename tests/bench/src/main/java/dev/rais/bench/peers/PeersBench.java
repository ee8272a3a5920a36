package dev.rais.bench.peers;

import dev.rais.bench.Bench;
import dev.rais.bench.BenchException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Training steps of this library against DJL with its PyTorch engine. */
@Command(
    name = "peers",
    description = "training steps against DJL with PyTorch's CPU engine, in turns",
    mixinStandardHelpOptions = true)
public final class PeersBench implements Bench {
  /** By name, because only the peers build has it. */
  private static final String DJL_WORKER = "dev.rais.bench.peers.DjlWorker";

  /** Cores that a waiting worker may use before a warning: more is spinning, not waiting. */
  private static final double IDLE_LIMIT = 0.02;

  /** Cores that other programs may use before a warning. */
  private static final double OTHER_LIMIT = 0.1;

  /** The last line with --json; rates are medians of the rounds. */
  record Result(
      String bench,
      String model,
      int batch,
      String sampler,
      int threads,
      int examples,
      int rounds,
      double secondsPerRound,
      String djlLayout,
      long parameters,
      double raisImagesPerSecond,
      double djlImagesPerSecond,
      double ratio,
      double medianOfRatios,
      Long raisPeakRssMiB,
      Long djlPeakRssMiB,
      double raisLoss,
      double djlLoss,
      double raisWeightedShare,
      double raisIdleShare,
      double djlIdleShare,
      Double otherLoad,
      double[] raisRounds,
      double[] djlRounds,
      String raisEngine,
      String djlEngine) {

    static Result of(Workload workload, Duel.Plan plan, DjlLayout layout, Duel.Outcome outcome) {
      Duel.Score rais = outcome.first();
      Duel.Score djl = outcome.second();
      return new Result(
          "peers",
          workload.model(),
          workload.batch(),
          workload.sampler(),
          workload.threads(),
          workload.examples(),
          plan.rounds(),
          plan.seconds(),
          layout.toString(),
          rais.ready().parameters(),
          rais.median(),
          djl.median(),
          rais.median() / djl.median(),
          outcome.medianOfRatios(),
          rais.peakRssMiB(),
          djl.peakRssMiB(),
          rais.lastLoss(),
          djl.lastLoss(),
          rais.weightedShare(),
          rais.idleShare(),
          djl.idleShare(),
          Double.isNaN(outcome.otherLoad()) ? null : Double.valueOf(outcome.otherLoad()),
          rais.imagesPerSecond(),
          djl.imagesPerSecond(),
          rais.ready().engine(),
          djl.ready().engine());
    }
  }

  @Spec private CommandSpec spec;
  @Mixin private WorkloadOptions options;
  @Mixin private SamplerOption sampler;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      defaultValue = "3",
      description = "rounds before the first that counts (default ${DEFAULT-VALUE})")
  private int warmup;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "9",
      description = "rounds that count (default ${DEFAULT-VALUE})")
  private int rounds;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "2",
      description = "time of each side in a round (default ${DEFAULT-VALUE})")
  private double seconds;

  @Option(
      names = "--djl-layout",
      paramLabel = "LAYOUT",
      defaultValue = "channels-first",
      description =
          "DJL's order in memory: ${COMPLETION-CANDIDATES} (default ${DEFAULT-VALUE}, which is"
              + " DJL's own; the other takes transposed views and is faster)")
  private DjlLayout djlLayout;

  @Override
  public Integer call() {
    options.require(warmup >= 1, "--warmup must be at least 1, not " + warmup);
    options.require(rounds >= 1, "--rounds must be at least 1, not " + rounds);
    options.require(
        seconds > 0 && seconds <= 600, "--seconds must be above 0 and at most 600, not " + seconds);
    Workload workload = options.workload(sampler.name());
    Duel.Plan plan = new Duel.Plan(warmup, rounds, seconds);
    PrintWriter err = spec.commandLine().getErr();
    Duel.Outcome outcome;
    try (WorkerProcess rais =
            new WorkerProcess("RAIS", RaisWorker.class.getName(), List.of(), workload);
        WorkerProcess djl = new WorkerProcess("DJL", DJL_WORKER, djlFlags(workload), workload)) {
      outcome = new Duel(plan, workload, err::println).run(rais, djl);
    }
    requireLearning("RAIS", outcome.first());
    requireLearning("DJL", outcome.second());
    if (workload.becomesWeighted() && outcome.first().weightedShare() < 1) {
      err.printf(
          Locale.ROOT,
          "warning: only %.0f %% of the minibatches were weighted; as importance sampling did not"
              + " pay, the others were drawn uniformly%n",
          100 * outcome.first().weightedShare());
    }
    warnOfSpinning("RAIS", outcome.first(), err);
    warnOfSpinning("DJL", outcome.second(), err);
    if (outcome.otherLoad() > OTHER_LIMIT) {
      err.printf(
          Locale.ROOT,
          "warning: other programs used %.2f cores; PyTorch's threads wait for each other actively"
              + " and suffer most from that, so the ratio flatters RAIS: repeat on an idle machine"
              + " or with OMP_WAIT_POLICY=passive%n",
          outcome.otherLoad());
    }
    Result result = Result.of(workload, plan, djlLayout, outcome);
    PrintWriter out = spec.commandLine().getOut();
    if (options.json()) {
      out.println(Json.write(result));
    } else {
      print(result, out);
    }
    return 0;
  }

  private List<String> djlFlags(Workload workload) {
    List<String> flags = new ArrayList<>();
    flags.add("-Dai.djl.offline=true");
    flags.add("-Dai.djl.pytorch.num_threads=" + workload.threads());
    flags.add("-Dai.djl.pytorch.num_interop_threads=1");
    flags.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    // DJL looks for a GPU and warns that it finds none.
    flags.add("-Dorg.slf4j.simpleLogger.log.ai.djl.util.cuda=error");
    flags.add(djlLayout.flag());
    return flags;
  }

  /** Speed means nothing if a side does not train: losses must fall. */
  private static void requireLearning(String name, Duel.Score score) {
    if (!(score.lastLoss() < score.firstLoss())) {
      throw new BenchException(
          "%s does not learn: its loss went from %.4f to %.4f"
              .formatted(name, score.firstLoss(), score.lastLoss()));
    }
  }

  private static void warnOfSpinning(String name, Duel.Score score, PrintWriter err) {
    if (score.idleShare() > IDLE_LIMIT) {
      err.printf(
          Locale.ROOT,
          "warning: %s used %.2f cores while the other side trained; the ratio is not fair%n",
          name,
          score.idleShare());
    }
  }

  private static void print(Result r, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "%s, batch %d, %s sampler, %d threads, %,d parameters, %d rounds of %.1f s%n",
        r.model,
        r.batch,
        r.sampler,
        r.threads,
        r.parameters,
        r.rounds,
        r.secondsPerRound);
    row(out, "RAIS", r.raisImagesPerSecond, r.raisPeakRssMiB, r.raisLoss, r.raisEngine);
    String djl = r.djlEngine + ", " + r.djlLayout;
    row(out, "DJL", r.djlImagesPerSecond, r.djlPeakRssMiB, r.djlLoss, djl);
    out.printf(
        Locale.ROOT,
        "ratio of medians %.3f, median of the rounds' ratios %.3f%n",
        r.ratio,
        r.medianOfRatios);
  }

  private static void row(
      PrintWriter out, String name, double speed, Long rss, double loss, String engine) {
    out.printf(
        Locale.ROOT,
        "  %-5s %,9.0f images/s  %5s MiB  loss %.3f  %s%n",
        name,
        speed,
        rss == null ? "?" : rss,
        loss,
        engine);
  }
}
