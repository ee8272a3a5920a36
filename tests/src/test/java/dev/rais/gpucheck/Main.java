package dev.rais.gpucheck;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gpu-check}: what RAIS does on this GPU. */
@Command(
    name = "gpu-check",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Builds and tests the kernels, runs the conformance suite by way of both bindings, times,"
            + " traces, trains, compares with PyTorch and with the CPU, and writes one folder of"
            + " results. The exit code is 0 if no step failed and no number was missed, else 1; 2"
            + " for wrong usage. What could not be run is not counted as either.")
final class Main implements Callable<Integer> {
  /** Seconds that all of a quick check takes at most. */
  private static final int QUICK = 285;

  private final Machine machine;

  /** System.nanoTime() from which on {@code --within} counts. */
  private final long begun;

  @Spec private CommandSpec spec;

  @Option(names = "--home", hidden = true, required = true)
  private Path home;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Folder with MNIST's and CIFAR-10's files, or images of the latter in folders.")
  private Path data;

  @Option(
      names = "--quick",
      description = "Less than five minutes: shows that all of it runs; times are rough.")
  private boolean quick;

  @Option(
      names = {"--steps", "--only"},
      paramLabel = "STEP,...",
      split = ",",
      description = "Only these steps.")
  private List<String> chosen = List.of();

  @Option(names = "--list", description = "Show the steps and their time limits, and end.")
  private boolean list;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description =
          "Results (default: results-TIME). Those of other steps that are in it stay, and count.")
  private Path out;

  @Option(names = "--resume", description = "Leave out steps that have passed, as --out has them.")
  private boolean resume;

  @Option(
      names = "--within",
      paramLabel = "SECONDS",
      description = "End after that time, whatever is left to do (default with --quick: 285).")
  private Integer within;

  Main(Machine machine, long begun) {
    this.machine = machine;
    this.begun = begun;
  }

  public static void main(String[] args) {
    long begun = System.nanoTime(); // a driver takes seconds to start, or a minute to be given up
    System.exit(new CommandLine(new Main(Machine.here(), begun)).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
    Path folder =
        (out == null ? Path.of("results-" + now.toString().replace(":", "")) : out)
            .toAbsolutePath();
    Steps made =
        new Steps(
            home.toAbsolutePath(),
            folder.resolve("steps"),
            data == null ? null : data.toAbsolutePath(),
            machine,
            quick);
    List<Step> steps = made.all();
    List<String> names = steps.stream().map(Step::name).toList();
    check(names);
    PrintWriter terminal = spec.commandLine().getOut();
    if (list) {
      steps.forEach(s -> terminal.printf("%s (%d s)%n", s.name(), s.limit().toSeconds()));
      terminal.flush();
      return 0;
    }
    PrintWriter err = spec.commandLine().getErr();
    ResultFolder results = new ResultFolder(folder, names, said -> say(err, said));
    String conflict = results.conflict(machine.device(), quick);
    if (conflict != null) {
      throw new ParameterException(
          spec.commandLine(), conflict + "; choose another folder with --out");
    }
    Duration limit = limit();
    for (Step step : steps) {
      boolean wanted = chosen.isEmpty() || chosen.contains(step.name());
      if (!wanted || resume && results.hasPassed(step.name())) {
        continue;
      }
      say(err, step.name() + " ...");
      Duration left = limit.minus(Duration.ofNanos(System.nanoTime() - begun));
      Result result = step.run(machine.noGpu(), left);
      say(err, Report.line(result));
      String date = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
      results.keep(new ResultFolder.Entry(result, date, machine.device(), quick));
      results.write(now.toString(), machine.device(), quick);
    }
    results.write(now.toString(), machine.device(), quick);
    ResultFolder.delete(made.scratch());
    Report report = Report.of(results.results());
    terminal.print(report.text());
    terminal.println("results: " + folder);
    terminal.flush();
    return report.exitCode();
  }

  private void check(List<String> names) {
    for (String name : chosen) {
      if (!names.contains(name)) {
        throw new ParameterException(
            spec.commandLine(),
            "there is no step '%s'; steps: %s".formatted(name, String.join(", ", names)));
      }
    }
    if (resume && out == null) {
      throw new ParameterException(
          spec.commandLine(), "--resume needs --out: the folder of the results to go on with");
    }
    if (within != null && within < 1) {
      throw new ParameterException(
          spec.commandLine(), "--within must be at least 1, not " + within);
    }
  }

  private Duration limit() {
    if (within != null) {
      return Duration.ofSeconds(within);
    }
    return quick ? Duration.ofSeconds(QUICK) : Duration.ofDays(1);
  }

  private static void say(PrintWriter err, String text) {
    err.println("gpu-check: " + text);
    err.flush();
  }
}
