package dev.rais.cli;

import dev.rais.backend.Backend;
import dev.rais.data.Dataset;
import dev.rais.report.Comparison;
import dev.rais.report.ComparisonListener;
import dev.rais.report.ComparisonTable;
import dev.rais.report.ReportPage;
import dev.rais.report.RunFolders;
import dev.rais.report.Variant;
import dev.rais.train.CheckpointInterval;
import dev.rais.train.RunJson;
import dev.rais.train.RunRecord;
import dev.rais.train.TrainingConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rais compare}: trains with several samplers under the same conditions. */
@Command(
    name = "compare",
    abbreviateSynopsis = true,
    sortOptions = false,
    header = "Compares samplers under the same conditions.",
    description = {
      "",
      "Trains the same network, from the same initial weights and with the same options, with each"
          + " sampler and each of K seeds. The runs of a seed take turns of a second, and a run's"
          + " time is that of its own turns.",
      "",
      "Uniform always takes part, and uniform-short, shuffled uniform with its schedule shortened"
          + " to the epochs that RAIS took: what saved steps have to beat. Speed-ups are measured"
          + " at uniform's mean final test error plus 0.1 point or, if that is more, one standard"
          + " error: uniform's epochs until the mean over the seeds stays there, over the"
          + " sampler's.",
      "",
      "The same command goes on after an interruption. Runs that are finished are kept.",
      ""
    },
    footer = {
      "",
      "A sampler may have options of its own: naive:smoothing=0.05, rais:draw=iid:gain-max=20."
          + " The names are those of rais train's options.",
      "",
      "Examples:",
      "  rais compare --out runs/sample --seeds 1",
      "  rais compare --data mnist --samplers uniform,rais,infobatch --out runs/mnist",
      "  rais compare --samplers naive:smoothing=0.01,naive:smoothing=0.5 --out runs/naive",
      "  rais compare --samplers uniform,rais,infobatch:epochs=7 --out runs/shorter"
    })
final class CompareCommand implements Callable<Integer> {
  private static final int MOST_SEEDS = 1000;

  private static final class ComparisonGroup {
    @Option(
        names = "--samplers",
        paramLabel = "NAME,...",
        split = ",",
        defaultValue = "uniform,rais",
        description = "What to compare (default: ${DEFAULT-VALUE}).")
    private List<String> samplers;

    @Option(
        names = "--seeds",
        paramLabel = "K",
        defaultValue = "3",
        description = "Runs per sampler: seeds 0 to K - 1 (default: ${DEFAULT-VALUE}).")
    private int seeds;
  }

  private static final class OutputGroup {
    @Option(
        names = "--out",
        paramLabel = "DIR",
        description =
            "Required. Folder for the comparison: compare.json, report.html, its plots and, in"
                + " runs/, a folder for each run as rais train --out writes it.")
    private Path out;

    @Option(
        names = "--force",
        description = "Begin all runs anew; those in --out, finished ones too, are lost.")
    private boolean force;

    @Option(
        names = "--checkpoint-every",
        paramLabel = "EPOCHS|TIME",
        description =
            "How often each run is saved while it goes: real epochs as 0.5, or a time as 90s, 5m,"
                + " 1h (default: 5m). Ctrl-C and SIGTERM save too.")
    private String checkpointEvery;

    @Option(
        names = "--eval-every",
        paramLabel = "EPOCHS",
        description =
            "Real epochs between evaluations; every tenth of a run brings one too (default: 1).")
    private Double evalEvery;

    @Option(
        names = "--json",
        description = "Print the table as JSON, the last line on standard output.")
    private boolean json;

    @Option(names = "--quiet", description = "Show no progress, only the table.")
    private boolean quiet;
  }

  @ArgGroup(validate = false, heading = "Comparison:%n")
  private ComparisonGroup compared = new ComparisonGroup();

  @Mixin private TrainOptions options;

  @ArgGroup(validate = false, heading = "Output:%n")
  private OutputGroup output = new OutputGroup();

  @ArgGroup(validate = false, heading = "Watching:%n")
  private WatchOptions watching = new WatchOptions();

  @ArgGroup(validate = false, heading = "Machine:%n")
  private BackendOptions backendOptions = new BackendOptions();

  @ArgGroup(validate = false, heading = "General:%n")
  private CommonOptions common = new CommonOptions();

  private final Console console;

  CompareCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    if (output.out == null) {
      throw CommandException.usage("--out DIR is missing: where the runs are kept");
    }
    if (compared.seeds < 1 || compared.seeds > MOST_SEEDS) {
      throw CommandException.usage(
          "--seeds must be from 1 to %d, not %d".formatted(MOST_SEEDS, compared.seeds));
    }
    backendOptions.check();
    watching.check();
    options.checkNames();
    CheckpointInterval interval = TrainOptions.checkpointInterval(output.checkpointEvery);
    // Named after the option until the data is loaded: a folder's data set has a name of its own.
    comparison(options.dataName());
    Dataset data = options.load(options.dataName());
    Comparison comparison = comparison(data.name());
    if (!output.force) {
      comparison.check(data);
    }
    try (Backend backend = backendOptions.open(console);
        EndRequest end = new EndRequest();
        WatchOptions.Watch watch = watching.open(console, data.classNames(), false)) {
      ComparisonListener progress =
          output.quiet ? new ComparisonListener() {} : new ComparisonProgress(console);
      ComparisonListener listener = ComparisonListener.all(List.of(progress, watch.listener()));
      Optional<Map<String, List<RunRecord>>> runs =
          comparison.run(backend, data, interval, output.force, listener, end::isRequested);
      if (runs.isEmpty()) {
        console
            .err()
            .println("rais compare: told to end; saved, the same command without --force goes on");
        return 0;
      }
      ComparisonTable table = ComparisonTable.of(runs.get());
      table.write(output.out);
      // Before the page, which can fail, say for want of fonts.
      if (output.json) {
        console.out().println(new RunJson().line(table));
      } else {
        ComparisonTexts.print(console, table);
      }
      ReportPage.of(runs.get(), RunFolders.classNames(runs.get()))
          .write(output.out.resolve(ReportPage.FILE), output.out.resolve(ReportPage.PLOTS));
    }
    return 0;
  }

  private Comparison comparison(String dataName) {
    try {
      List<Variant> variants = compared.samplers.stream().map(Variant::parse).toList();
      return new Comparison(
          output.out,
          variants,
          compared.seeds,
          sampler -> {
            TrainingConfig.Builder builder = options.set(options.defaults(dataName, sampler));
            TrainOptions.ifGiven(output.evalEvery, builder::evalEvery);
            return builder;
          });
    } catch (IllegalArgumentException e) {
      throw CommandException.usage("--samplers: " + e.getMessage(), e);
    }
  }
}
