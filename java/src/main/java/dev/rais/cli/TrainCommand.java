package dev.rais.cli;

import dev.rais.backend.Backend;
import dev.rais.data.Dataset;
import dev.rais.report.ComparisonListener;
import dev.rais.report.PlannedRun;
import dev.rais.train.Checkpoint;
import dev.rais.train.CheckpointInterval;
import dev.rais.train.Checkpoints;
import dev.rais.train.DivergedException;
import dev.rais.train.Metrics;
import dev.rais.train.ModelFile;
import dev.rais.train.OnDivergence;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunJson;
import dev.rais.train.RunMemory;
import dev.rais.train.RunRecord;
import dev.rais.train.Samplers;
import dev.rais.train.Summary;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rais train}: trains a network and reports what came of it. */
@Command(
    name = "train",
    abbreviateSynopsis = true,
    sortOptions = false,
    header = "Trains a network and reports what came of it.",
    description = {
      "",
      "Without options: LeNet-5 with RAIS on a built-in sample of Fashion-MNIST.",
      "",
      "Lengths are counted in epochs equivalent: what the same progress would take with uniform"
          + " sampling. A run ends when it has made E of them, with RAIS usually after far fewer"
          + " real epochs.",
      ""
    },
    footer = {
      "",
      "Samplers:",
      "  uniform             every example once an epoch, shuffled: the usual way",
      "  uniform-iid         every example drawn independently, all alike",
      "  rais                by estimated gradient norms, robust to their errors",
      "  naive               by the norm last seen of each, smoothed by --smoothing",
      "  oracle              by exact gradient norms: slow, a yardstick",
      "Those of other authors, and a yardstick (docs/samplers.md compares all):",
      "  presample           by the norms of --presample times m candidates",
      "  loshchilov          by the rank of their losses",
      "  selective-backprop  candidates with large losses, others skipped",
      "  infobatch           epochs without some examples of small losses",
      "  adascale            as uniform; a larger rate for large minibatches",
      "  uniform-short       as uniform; the schedule shortened by --speed-up",
      "",
      "Examples:",
      "  rais train --data mnist --out runs/mnist",
      "  rais train --data mnist --sampler uniform     for comparison",
      "  rais train --resume runs/mnist                go on after an interruption",
      "  rais train --model mlp --epochs 2 --quiet --json"
    })
final class TrainCommand implements Callable<Integer> {
  private static final class OutputGroup {
    @Option(
        names = "--out",
        paramLabel = "DIR",
        description =
            "Folder for config.json, metrics.jsonl, summary.json, model.safetensors,"
                + " draws.safetensors and checkpoints, made if need be. Those of a finished run"
                + " there are replaced.")
    private Path out;

    @Option(
        names = "--checkpoint-every",
        paramLabel = "EPOCHS|TIME",
        description =
            "With --out, how often to save all that is needed to go on after an interruption: real"
                + " epochs as 0.5, or a time as 90s, 5m, 1h (default: 5m). Ctrl-C and SIGTERM save"
                + " too.")
    private String checkpointEvery;

    @Option(
        names = "--keep-checkpoints",
        paramLabel = "K",
        defaultValue = "2",
        description = "How many of the last checkpoints are kept (default: ${DEFAULT-VALUE}).")
    private int keepCheckpoints;

    @Option(
        names = "--resume",
        paramLabel = "DIR",
        description =
            "Go on with the interrupted run in DIR from its newest checkpoint. Other options may be"
                + " left out; those that are given must be the run's.")
    private Path resume;

    @Option(
        names = "--force",
        description = "Begin anew where --out holds an interrupted run, which is lost.")
    private boolean force;

    @Option(
        names = "--eval-every",
        paramLabel = "EPOCHS",
        description =
            "Real epochs between evaluations; every tenth of the run brings one too (default: 1).")
    private Double evalEvery;

    @Option(
        names = "--json",
        description = "Print the summary as JSON, the last line on standard output.")
    private boolean json;

    @Option(names = "--quiet", description = "Show no progress, only the result.")
    private boolean quiet;
  }

  private static final class SamplerGroup {
    @Option(
        names = "--sampler",
        paramLabel = "NAME",
        description = "How examples are drawn; the names are listed below (default: rais).")
    private String sampler;

    @Option(
        names = "--seed",
        paramLabel = "S",
        description = "Every random choice follows from it (default: 0).")
    private Long seed;
  }

  @Mixin private TrainOptions options;

  @ArgGroup(validate = false, heading = "Sampler and seed:%n")
  private SamplerGroup chosen = new SamplerGroup();

  @ArgGroup(validate = false, heading = "Output:%n")
  private OutputGroup output = new OutputGroup();

  @ArgGroup(validate = false, heading = "Watching:%n")
  private WatchOptions watching = new WatchOptions();

  @ArgGroup(validate = false, heading = "Machine:%n")
  private BackendOptions backendOptions = new BackendOptions();

  @ArgGroup(validate = false, heading = "General:%n")
  private CommonOptions common = new CommonOptions();

  private final Console console;

  TrainCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    backendOptions.check();
    watching.check();
    if (output.resume != null) {
      return resume();
    }
    options.checkNames();
    TrainOptions.ifGiven(
        chosen.sampler, given -> Names.require("sampler", given, Samplers.names()));
    CheckpointInterval interval = interval();
    // Named after the option until the data is loaded: a folder's data set has a name of its own.
    TrainingConfig asked = config(defaults(options.dataName()));
    if (output.out == null && asked.onDivergence() == OnDivergence.ROLLBACK) {
      throw CommandException.usage(
          "--on-divergence rollback goes back to checkpoints, which --out DIR keeps");
    }
    if (output.out != null) {
      RunDirectory.requireWritable(output.out);
      if (RunDirectory.isInterrupted(output.out) && !output.force) {
        throw CommandException.failed(
            "%s holds an interrupted run; --resume %s goes on with it, --force begins anew"
                .formatted(output.out, output.out),
            null);
      }
    }
    Dataset dataset = options.load(options.dataName());
    requireBatch(asked, dataset);
    try (Backend backend = backendOptions.open(console)) {
      train(backend, dataset, config(defaults(dataset.name())), interval, null);
    }
    return 0;
  }

  private Integer resume() {
    if (output.out != null && !output.out.equals(output.resume)) {
      throw CommandException.usage("--resume goes on in its own folder, so --out must be left out");
    }
    CheckpointInterval interval = interval();
    output.out = output.resume;
    if (Files.exists(output.out.resolve(RunDirectory.SUMMARY))) {
      console.err().println("the run in " + output.out + " is finished");
      report(RunDirectory.summary(output.out));
      return 0;
    }
    Checkpoint checkpoint =
        Checkpoints.newest(output.out, this::warn)
            .orElseThrow(
                () ->
                    CommandException.failed(
                        "%s holds no checkpoint to go on from; rais train --out %s begins a run"
                            .formatted(output.out, output.out),
                        null));
    TrainingConfig begun = checkpoint.config();
    Dataset dataset = options.load(begun.data());
    TrainingConfig asked = config(begun.toBuilder().data(dataset.name()));
    try (Backend backend = backendOptions.openAgain(console, checkpoint.precision())) {
      if (!backend.description().equals(checkpoint.backend())) {
        warn(
            "the run was begun with %s, this is %s: it may not repeat to the last bit"
                .formatted(checkpoint.backend(), backend.description()));
      }
      train(backend, dataset, asked, interval, checkpoint);
    }
    return 0;
  }

  private TrainingConfig.Builder defaults(String dataName) {
    return options.defaults(dataName, TrainOptions.orElse(chosen.sampler, Samplers.RAIS));
  }

  private TrainingConfig config(TrainingConfig.Builder builder) {
    TrainOptions.ifGiven(chosen.sampler, builder::sampler);
    TrainOptions.ifGiven(chosen.seed, builder::seed);
    if (output.evalEvery != null) {
      builder.evalEvery(output.evalEvery);
    }
    return options.config(builder);
  }

  private void warn(String sentence) {
    console.err().println("rais train: " + sentence);
  }

  private CheckpointInterval interval() {
    if (output.keepCheckpoints < 1) {
      throw CommandException.usage(
          "--keep-checkpoints must be at least 1, not " + output.keepCheckpoints);
    }
    return TrainOptions.checkpointInterval(output.checkpointEvery);
  }

  private static void requireBatch(TrainingConfig config, Dataset dataset) {
    int n = dataset.train().count();
    if (config.batchSize() > n) {
      throw CommandException.usage(
          "--batch-size %d is larger than the training set of %d images; choose at most that"
              .formatted(config.batchSize(), n));
    }
  }

  /**
   * Trains to the end.
   *
   * @param from where to go on; null to begin
   */
  private void train(
      Backend backend,
      Dataset dataset,
      TrainingConfig config,
      CheckpointInterval interval,
      Checkpoint from) {
    try (Trainer trainer = new Trainer(backend, dataset, config)) {
      if (from != null) {
        trainer.restore(from);
      }
      try (EndRequest end = new EndRequest();
          RunDirectory run = runDirectory(config, from)) {
        ModelFile.Description description = ModelFile.Description.of(config, dataset);
        announce(backend, dataset, config, trainer.memory());
        if (from != null && !output.quiet) {
          console.err().println("goes on at iteration " + Texts.count(from.iteration()));
        }
        Summary summary;
        try (WatchOptions.Watch watch = watching.open(console, dataset.classNames(), true)) {
          Watched watched =
              new Watched(
                  watch.listener(),
                  new PlannedRun(
                      config.sampler(), config, output.out == null ? Path.of("") : output.out),
                  from == null ? List.of() : from.history());
          watched.begun(from == null ? 0 : from.iteration());
          summary = run(trainer, run, watched, interval, end);
          watched.over(summary);
        } catch (DivergedException e) {
          throw CommandException.failed(
              e.getMessage()
                  + (run == null
                      ? ", which --out DIR would have saved"
                      : ", saved in " + run.saveLastGood(trainer, description, e))
                  + "; try a lower --lr",
              e);
        }
        if (summary == null) {
          return;
        }
        if (run != null) {
          run.finish(trainer, description);
        }
        report(summary);
      }
    }
  }

  private void report(Summary summary) {
    if (output.json) {
      console.out().println(new RunJson().line(summary));
    } else {
      Texts.table(console.out(), table(summary));
    }
  }

  private RunDirectory runDirectory(TrainingConfig config, Checkpoint from) {
    if (output.out == null) {
      return null;
    }
    return from == null
        ? RunDirectory.create(output.out, config)
        : RunDirectory.resume(output.out, config, from);
  }

  /** Passes on what happens to a run to those who watch it. */
  private static final class Watched {
    private final ComparisonListener listener;
    private final PlannedRun run;
    private final List<Metrics> history;

    Watched(ComparisonListener listener, PlannedRun run, List<Metrics> history) {
      this.listener = listener;
      this.run = run;
      this.history = new ArrayList<>(history);
    }

    void begun(long iteration) {
      listener.begun(run, iteration, history);
    }

    void evaluated(Metrics metrics) {
      // A run that went back to a checkpoint comes by there again.
      history.removeIf(before -> before.iteration() >= metrics.iteration());
      history.add(metrics);
      listener.evaluated(run, metrics);
    }

    /** Does nothing for a run that was told to end. */
    void over(Summary summary) {
      if (summary != null) {
        listener.over(
            run,
            new RunRecord(
                run.directory(), run.config(), history, Optional.of(summary), Optional.empty()));
      }
    }
  }

  /** The run's summary, or null if the process was told to end before. */
  private Summary run(
      Trainer trainer,
      RunDirectory run,
      Watched watched,
      CheckpointInterval interval,
      EndRequest end) {
    try (TrainingProgress progress =
        output.quiet ? null : new TrainingProgress(console, watched.run.config().epochs())) {
      TrainingListener listener =
          new TrainingListener() {
            @Override
            public void progressed(Progress now) {
              if (progress != null) {
                progress.progressed(now);
              }
            }

            @Override
            public void evaluated(Metrics metrics) {
              if (run != null) {
                run.add(metrics);
              }
              watched.evaluated(metrics);
              if (progress != null) {
                progress.evaluated(metrics);
              }
            }
          };
      while (run == null && !trainer.finished() && !end.isRequested()) {
        trainer.advance(listener);
      }
      if (run != null) {
        trainSaving(trainer, run, listener, interval, end);
      }
    }
    return trainer.finished() ? trainer.summary() : null;
  }

  /** Trains with checkpoints; one more is written when the process is told to end. */
  private void trainSaving(
      Trainer trainer,
      RunDirectory run,
      TrainingListener listener,
      CheckpointInterval interval,
      EndRequest end) {
    try (Checkpoints checkpoints =
        new Checkpoints(run.path(), interval, output.keepCheckpoints, this::warn)) {
      checkpoints.startAt(trainer);
      while (!trainer.finished()) {
        try {
          trainer.advance(listener);
        } catch (DivergedException e) {
          if (!checkpoints.rollBack(trainer, run, e)) {
            throw e;
          }
        }
        if (end.isRequested() && !trainer.finished()) {
          Path file = checkpoints.writeNow(trainer);
          run.keep();
          warn("told to end; saved %s, --resume %s goes on".formatted(file, run.path()));
          return;
        }
        checkpoints.stepped(trainer);
      }
    } catch (DivergedException e) {
      throw e;
    } catch (RuntimeException | Error e) {
      if (RunDirectory.isInterrupted(run.path())) {
        warn(
            "the checkpoints in %s are kept, --resume %s goes on"
                .formatted(run.path(), run.path()));
      }
      throw e;
    }
  }

  private void announce(Backend backend, Dataset dataset, TrainingConfig config, RunMemory memory) {
    if (output.quiet) {
      return;
    }
    console
        .err()
        .println(
            Texts.format(
                "%s on %s (%,d training images, %d classes), sampler %s, %s epochs equivalent",
                config.model(),
                dataset.name(),
                dataset.train().count(),
                dataset.numClasses(),
                config.sampler(),
                Texts.shortest(config.epochs())));
    console.err().println(backend.description());
    console.err().println("memory: " + text(memory));
  }

  /** What is kept where, for people. */
  static String text(RunMemory memory) {
    StringBuilder text = new StringBuilder();
    text.append(Texts.megabytes(memory.activations())).append(" for activations, ");
    text.append(Texts.megabytes(memory.parameters())).append(" for parameters");
    if (memory.sampler() > 0) {
      text.append(", ").append(Texts.megabytes(memory.sampler())).append(" for the sampler");
    }
    if (memory.deviceImages() > 0) {
      text.append(", ").append(Texts.megabytes(memory.deviceImages())).append(" for images");
    }
    if (memory.hostImages() > 0) {
      text.append("; ").append(Texts.megabytes(memory.hostImages()));
      text.append(" of images in the host's memory");
    }
    return text.toString();
  }

  private List<List<String>> table(Summary summary) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(
        List.of(
            "test error",
            "%s (best %s)"
                .formatted(
                    Texts.percent(summary.finalTestError()),
                    Texts.percent(summary.bestTestError()))));
    rows.add(List.of("train loss", Texts.format("%.4f", summary.finalTrainLoss())));
    rows.add(
        List.of(
            "epochs",
            Texts.format(
                "%.2f real, %.2f equivalent", summary.epochs(), summary.epochsEquivalent())));
    rows.add(
        List.of(
            "speed-up in epochs",
            Texts.format("×%.2f", summary.epochsEquivalent() / summary.epochs())));
    rows.add(List.of("images/s", Texts.count(summary.imagesPerSecond())));
    rows.add(
        List.of(
            "time",
            "%s training, %s in all"
                .formatted(
                    Texts.time(summary.secondsTraining()), Texts.time(summary.secondsTotal()))));
    rows.add(List.of("sampler overhead", Texts.percent(summary.samplerOverhead())));
    if (summary.cautiousIterations() > 0) {
      rows.add(
          List.of(
              "uniform by caution",
              "%s of %s minibatches, where importance sampling did not pay"
                  .formatted(
                      Texts.count(summary.cautiousIterations()),
                      Texts.count(summary.iterations()))));
    }
    if (summary.gainBoundHits() + summary.flooredExamples() > 0) {
      rows.add(
          List.of(
              "bounds used",
              "gain ratio %s times (%s of the progress), weights %s times"
                  .formatted(
                      Texts.count(summary.gainBoundHits()),
                      Texts.percent(summary.boundShare()),
                      Texts.count(summary.flooredExamples()))));
    }
    rows.add(List.of("computed by", summary.backend()));
    if (output.out != null) {
      rows.add(List.of("saved in", output.out.toString()));
    }
    return rows;
  }
}
