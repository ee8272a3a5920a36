package dev.rais.bench.soak;

import dev.rais.bench.BenchException;
import dev.rais.train.Checkpoints;
import dev.rais.train.RunDirectory;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Kills training runs at random moments, lets them go on, and compares what they leave with runs
 * that were left alone: metrics.jsonl but for seconds, and every byte of the model.
 */
@Command(
    name = "kill",
    description = "kills runs at random moments; resumed, they must end as if never interrupted",
    mixinStandardHelpOptions = true)
final class KillSoak implements Callable<Integer> {
  /**
   * Each is killed several times before it may end; a few samplers, both ways to draw, and a
   * network that keeps more than its parameters.
   */
  private static final List<List<String>> RUNS =
      List.of(
          List.of("--sampler", "rais"),
          List.of("--sampler", "rais", "--draw", "iid"),
          List.of("--model", "resnet8", "--epochs", "1", "--augment", "standard"),
          List.of("--sampler", "infobatch"),
          List.of("--sampler", "uniform"),
          List.of("--sampler", "loshchilov"));

  /** For what a run does not say. */
  private static final List<List<String>> DEFAULTS =
      List.of(List.of("--model", "mlp"), List.of("--epochs", "6"), List.of("--batch-size", "32"));

  private static final int KILLS_PER_RUN = 5;

  record Result(String bench, int kills, int identicalResumes, long seed) {}

  @Spec private CommandSpec spec;

  @Option(
      names = "--count",
      paramLabel = "N",
      defaultValue = "50",
      description = "kills (default ${DEFAULT-VALUE})")
  private int count;

  @Option(names = "--seed", paramLabel = "S", description = "seed of the moments")
  private Long seed;

  @Option(names = "--json", description = "print one JSON object as the last line")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    PrintWriter err = spec.commandLine().getErr();
    long start = seed == null ? System.nanoTime() : seed;
    err.println("moments from --seed " + start);
    Random random = new Random(start);
    Path folder = Files.createTempDirectory("rais-soak");
    int kills = 0;
    int identical = 0;
    try {
      for (int run = 0; kills < count; run++) {
        List<String> options = new ArrayList<>(RUNS.get(run % RUNS.size()));
        options.addAll(List.of("--seed", "" + run / RUNS.size()));
        Path whole = folder.resolve("whole");
        Path killed = folder.resolve("killed");
        long begin = System.nanoTime();
        train(folder, "--out", whole, options).awaitSuccess();
        long millis = (System.nanoTime() - begin) / 1_000_000;
        int here = Math.min(KILLS_PER_RUN, count - kills);
        int done = killAndResume(folder, killed, options, random, millis, here);
        boolean same = same(whole, killed);
        kills += done;
        identical += same ? done : 0;
        err.printf(
            "%3d kills, %3d resumed identically (%s)%n",
            kills, identical, String.join(" ", options));
        err.flush();
        SoakBench.delete(whole);
        SoakBench.delete(killed);
      }
    } finally {
      SoakBench.delete(folder);
    }
    PrintWriter out = spec.commandLine().getOut();
    out.println(
        json
            ? SoakBench.json(new Result("soak-kill", kills, identical, start))
            : kills + " kills, " + identical + " resumed identically");
    return kills == identical ? 0 : 1;
  }

  private static int killAndResume(
      Path folder, Path out, List<String> options, Random random, long millis, int kills) {
    int done = 0;
    while (done < kills) {
      RaisProcess process = begin(folder, out, options);
      // Some moments before training has begun, most of them while it goes on.
      boolean wasRunning = process.killAfter(random.nextLong(millis / 4, millis));
      if (!wasRunning && Files.exists(out.resolve(RunDirectory.SUMMARY))) {
        // It came to its end before; begin anew so that every kill counts.
        try {
          SoakBench.delete(out);
        } catch (IOException e) {
          throw new BenchException("cannot delete " + out, e);
        }
        continue;
      }
      if (!wasRunning) {
        throw new BenchException("a run ended by itself and wrote:\n" + process.text(), null);
      }
      done++;
    }
    if (!Files.exists(out.resolve(RunDirectory.SUMMARY))) {
      begin(folder, out, options).awaitSuccess();
    }
    return done;
  }

  /** Begins a run, or goes on with it from its last checkpoint. */
  private static RaisProcess begin(Path folder, Path out, List<String> options) {
    boolean goOn = Files.exists(out) && !Checkpoints.list(out).isEmpty();
    return goOn ? train(folder, "--resume", out, List.of()) : train(folder, "--out", out, options);
  }

  private static RaisProcess train(Path folder, String how, Path out, List<String> options) {
    List<String> arguments = new ArrayList<>(List.of("dev.rais.cli.Main", "train", how));
    arguments.add(out.toString());
    arguments.addAll(List.of("--checkpoint-every", "0.05", "--quiet"));
    for (List<String> option : DEFAULTS) {
      if (how.equals("--out") && !options.contains(option.getFirst())) {
        arguments.addAll(option);
      }
    }
    arguments.addAll(options);
    return new RaisProcess(
        folder.resolve("output"), List.of("--add-modules=jdk.incubator.vector"), arguments);
  }

  private static boolean same(Path whole, Path resumed) throws IOException {
    return metrics(whole).equals(metrics(resumed))
        && Files.mismatch(whole.resolve(RunDirectory.MODEL), resumed.resolve(RunDirectory.MODEL))
            == -1;
  }

  private static List<String> metrics(Path run) throws IOException {
    return Files.readAllLines(run.resolve(RunDirectory.METRICS)).stream()
        .map(line -> line.replaceFirst("\"seconds\":[^,}]*", ""))
        .toList();
  }
}
