package dev.rais.cli;

import dev.rais.backend.Backend;
import dev.rais.data.Dataset;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.Models;
import dev.rais.nn.Schedule;
import dev.rais.nn.Shape;
import dev.rais.sampling.DrawMode;
import dev.rais.train.Checkpoint;
import dev.rais.train.CheckpointInterval;
import dev.rais.train.Checkpoints;
import dev.rais.train.DivergedException;
import dev.rais.train.Metrics;
import dev.rais.train.ModelFile;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunJson;
import dev.rais.train.Samplers;
import dev.rais.train.Summary;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
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
  private static final String DEFAULT_DATA = "fashion-mnist-sample";
  private static final String DEFAULT_MODEL = "lenet5";
  private static final String DEFAULT_SAMPLER = "rais";
  private static final int STANDARD_PADDING = 4;

  private static final class DataGroup {
    @Option(
        names = "--data",
        paramLabel = "NAME|DIR",
        description =
            "Data set: a name out of `rais data list`, or a folder with the files of MNIST, CIFAR"
                + " or SVHN (default: fashion-mnist-sample). `rais data import` makes one of"
                + " images.")
    private String data;

    @Option(names = "--data-dir", paramLabel = "DIR", description = DataOptions.DATA_DIR_HELP)
    private Path dataDir;

    @Option(
        names = "--model",
        paramLabel = "NAME",
        description =
            "lenet5, mlp, or a residual network: resnet8, resnet20, resnet18 (default: lenet5)."
                + " `rais model` describes them.")
    private String model;

    @Option(
        names = "--augment",
        paramLabel = "NAME",
        description =
            "How training images are varied: none, or standard, which shifts them by up to 4 pixels"
                + " and mirrors half of them (default: none).")
    private String augment;

    @Option(
        names = "--padding",
        paramLabel = "P",
        description = "Shift training images by up to P pixels either way; 0 for not at all.")
    private Integer padding;

    @Option(
        names = "--cutout",
        paramLabel = "S",
        description = "Blank a square of side S in training images (default: 0, none).")
    private Integer cutout;
  }

  private static final class SamplingGroup {
    @Option(
        names = "--sampler",
        paramLabel = "NAME",
        description = "How examples are drawn; the names are listed below (default: rais).")
    private String sampler;

    @Option(
        names = "--draw",
        paramLabel = "MODE",
        description =
            "rounds (a systematic sample in random order, then the next) or iid (every draw"
                + " independent) (default: rounds for rais, else iid).")
    private String draw;

    @Option(
        names = "--round-fraction",
        paramLabel = "X",
        description = "Draws per round as a share of the training set, 1/64 to 4 (default: 0.5).")
    private Double roundFraction;

    @Option(
        names = "--gain-max",
        paramLabel = "R",
        description = "Most that one step counts for, in uniform steps (default: 10).")
    private Double gainMax;

    @Option(
        names = "--smoothing",
        paramLabel = "λ",
        description = "Share of uniform sampling in naive's, above 0 to 1 (default: 0.1).")
    private Double smoothing;

    @Option(
        names = "--oracle-every",
        paramLabel = "N",
        description = "Minibatches between oracle's computations of all norms (default: 100).")
    private Integer oracleEvery;

    @Option(
        names = "--async",
        description =
            "Use RAIS's newly trained uncertainty set as soon as it is ready. Faster with many"
                + " cores, but a seed then no longer repeats a run exactly.")
    private Boolean async;

    @Option(
        names = "--caution",
        negatable = true,
        fallbackValue = "true",
        description =
            "Let RAIS draw uniformly while importance sampling does not pay; --no-caution keeps it"
                + " on (default: --caution).")
    private Boolean caution;

    @Option(
        names = "--class-balance",
        description =
            "Give every class the same weight in the objective, however many examples it has."
                + " For uniform, uniform-iid, uniform-short, rais, naive and oracle.")
    private Boolean classBalance;
  }

  private static final class OtherSamplersGroup {
    @Option(
        names = "--presample",
        paramLabel = "X",
        description =
            "presample: candidates, as a multiple of the minibatch, 1 to 100 (default: 3).")
    private Double presample;

    @Option(
        names = "--selection-pressure",
        paramLabel = "S",
        description =
            "loshchilov: how many times likelier the largest loss is drawn than the smallest, at"
                + " the start; it falls to 1 (default: 100).")
    private Double selectionPressure;

    @Option(
        names = "--beta",
        paramLabel = "β",
        description =
            "selective-backprop: about 1/(β + 1) of the candidates are selected, 0 to 100"
                + " (default: 2).")
    private Double beta;

    @Option(
        names = "--prune-ratio",
        paramLabel = "X",
        description =
            "infobatch: share of the examples with losses below the mean that are left out, 0 to"
                + " below 1 (default: 0.5).")
    private Double pruneRatio;

    @Option(
        names = "--anneal",
        paramLabel = "X",
        description =
            "infobatch: share of the run after which no example is left out, 0 to 1"
                + " (default: 0.875).")
    private Double anneal;

    @Option(
        names = "--scale",
        paramLabel = "S",
        description =
            "adascale: minibatches of the size that --lr is meant for in one minibatch, 1 to"
                + " --batch-size (default: 4).")
    private Double scale;

    @Option(
        names = "--speed-up",
        paramLabel = "X",
        description =
            "uniform-short: factor by which the schedule is shortened, 1 to 100 (default: 2).")
    private Double speedUp;
  }

  private static final class OptimisationGroup {
    @Option(
        names = "--epochs",
        paramLabel = "E",
        description = "Length of the run in epochs equivalent (default: 10).")
    private Double epochs;

    @Option(
        names = "--batch-size",
        paramLabel = "M",
        description = "Examples per minibatch (default: 128).")
    private Integer batchSize;

    @Option(
        names = "--lr",
        paramLabel = "X",
        description =
            "Base learning rate (default: 0.01 for lenet5, 0.05 for mlp, 0.1 for residual"
                + " networks).")
    private Double learningRate;

    @Option(
        names = "--momentum",
        paramLabel = "X",
        description = "Momentum, 0 to below 1 (default: 0.9).")
    private Double momentum;

    @Option(
        names = "--weight-decay",
        paramLabel = "X",
        description = "Factor of the L2 penalty's gradient (default: 0.0005).")
    private Double weightDecay;

    @Option(
        names = "--schedule",
        paramLabel = "NAME",
        description =
            "Learning rate over the run: step (a tenth from 50 %% on, a hundredth from 80 %% on),"
                + " cosine (down to 0) or constant (default: step).")
    private String schedule;

    @Option(
        names = "--batch-norm",
        paramLabel = "NAME",
        description =
            "How batch norms count weighted examples in their statistics: weighted, or plain for"
                + " all alike (default: weighted).")
    private String batchNorm;

    @Option(
        names = "--seed",
        paramLabel = "S",
        description = "Every random choice follows from it (default: 0).")
    private Long seed;
  }

  private static final class OutputGroup {
    @Option(
        names = "--out",
        paramLabel = "DIR",
        description =
            "Folder for config.json, metrics.jsonl, summary.json, model.safetensors and"
                + " checkpoints, made if need be. Those of a finished run there are replaced.")
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

  @ArgGroup(validate = false, heading = "Data and model:%n")
  private DataGroup data = new DataGroup();

  @ArgGroup(validate = false, heading = "Sampling:%n")
  private SamplingGroup sampling = new SamplingGroup();

  @ArgGroup(validate = false, heading = "Samplers of other authors:%n")
  private OtherSamplersGroup others = new OtherSamplersGroup();

  @ArgGroup(validate = false, heading = "Optimisation:%n")
  private OptimisationGroup optimisation = new OptimisationGroup();

  @ArgGroup(validate = false, heading = "Output:%n")
  private OutputGroup output = new OutputGroup();

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
    if (output.resume != null) {
      return resume();
    }
    Names.require("model", orElse(data.model, DEFAULT_MODEL), Models.names());
    Names.require("sampler", orElse(sampling.sampler, DEFAULT_SAMPLER), Samplers.names());
    CheckpointInterval interval = interval();
    String name = orElse(data.data, DEFAULT_DATA);
    // Named after the option until the data is loaded: a folder's data set has a name of its own.
    TrainingConfig options = config(name);
    if (output.out != null) {
      RunDirectory.requireWritable(output.out);
      if (RunDirectory.isInterrupted(output.out) && !output.force) {
        throw CommandException.failed(
            "%s holds an interrupted run; --resume %s goes on with it, --force begins anew"
                .formatted(output.out, output.out),
            null);
      }
    }
    Dataset dataset = DataOptions.load(name, data.dataDir);
    requireBatch(options, dataset);
    try (Backend backend = backendOptions.open(console)) {
      train(backend, dataset, config(dataset.name()), interval, null);
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
    Dataset dataset = DataOptions.load(orElse(data.data, begun.data()), data.dataDir);
    TrainingConfig.Builder builder = begun.toBuilder().data(dataset.name());
    ifGiven(data.model, builder::model);
    ifGiven(sampling.sampler, builder::sampler);
    TrainingConfig asked = config(builder);
    try (Backend backend = backendOptions.open(console)) {
      if (!backend.description().equals(checkpoint.backend())) {
        warn(
            "the run was begun with %s, this is %s: it may not repeat to the last bit"
                .formatted(checkpoint.backend(), backend.description()));
      }
      train(backend, dataset, asked, interval, checkpoint);
    }
    return 0;
  }

  private void warn(String sentence) {
    console.err().println("rais train: " + sentence);
  }

  private CheckpointInterval interval() {
    if (output.keepCheckpoints < 1) {
      throw CommandException.usage(
          "--keep-checkpoints must be at least 1, not " + output.keepCheckpoints);
    }
    try {
      return output.checkpointEvery == null
          ? CheckpointInterval.DEFAULT
          : CheckpointInterval.parse(output.checkpointEvery);
    } catch (IllegalArgumentException e) {
      throw CommandException.usage("--" + e.getMessage(), e);
    }
  }

  private static <T> T orElse(T value, T otherwise) {
    return value == null ? otherwise : value;
  }

  private TrainingConfig config(String dataName) {
    return config(
        TrainingConfig.builder(
            dataName,
            orElse(data.model, DEFAULT_MODEL),
            orElse(sampling.sampler, DEFAULT_SAMPLER)));
  }

  /** The builder's configuration with the options that are given. */
  private TrainingConfig config(TrainingConfig.Builder builder) {
    if (data.augment != null) {
      Names.require("augmentation", data.augment, List.of("none", "standard"));
      boolean standard = data.augment.equals("standard");
      builder.padding(standard ? STANDARD_PADDING : 0).flip(standard);
    }
    ifGiven(data.padding, builder::padding);
    ifGiven(data.cutout, builder::cutout);
    ifGiven(sampling.async, builder::async);
    ifGiven(sampling.classBalance, builder::classBalance);
    if (sampling.draw != null) {
      List<String> known = Arrays.stream(DrawMode.values()).map(TrainCommand::id).toList();
      String name = Names.require("way to draw", sampling.draw, known);
      builder.draw(DrawMode.valueOf(name.toUpperCase(Locale.ROOT)));
    }
    if (optimisation.schedule != null) {
      String name = Names.require("schedule", optimisation.schedule, Schedule.names());
      builder.schedule(Schedule.valueOf(name.toUpperCase(Locale.ROOT)));
    }
    if (optimisation.batchNorm != null) {
      String name = Names.require("batch norm", optimisation.batchNorm, BatchNormWeights.names());
      builder.batchNorm(BatchNormWeights.valueOf(name.toUpperCase(Locale.ROOT)));
    }
    ifGiven(sampling.roundFraction, builder::roundFraction);
    ifGiven(sampling.gainMax, builder::gainMax);
    ifGiven(sampling.smoothing, builder::smoothing);
    ifGiven(sampling.oracleEvery, builder::oracleEvery);
    ifGiven(sampling.caution, builder::caution);
    ifGiven(others.presample, builder::presample);
    ifGiven(others.selectionPressure, builder::selectionPressure);
    ifGiven(others.beta, builder::beta);
    ifGiven(others.pruneRatio, builder::pruneRatio);
    ifGiven(others.anneal, builder::anneal);
    ifGiven(others.scale, builder::scale);
    ifGiven(others.speedUp, builder::speedUp);
    ifGiven(optimisation.epochs, builder::epochs);
    ifGiven(optimisation.batchSize, builder::batchSize);
    ifGiven(optimisation.learningRate, builder::learningRate);
    ifGiven(optimisation.momentum, builder::momentum);
    ifGiven(optimisation.weightDecay, builder::weightDecay);
    ifGiven(optimisation.seed, builder::seed);
    ifGiven(output.evalEvery, builder::evalEvery);
    try {
      return builder.build();
    } catch (IllegalArgumentException e) {
      throw CommandException.usage("--" + e.getMessage(), e);
    }
  }

  private static <T> void ifGiven(T value, Consumer<T> setter) {
    if (value != null) {
      setter.accept(value);
    }
  }

  private static String id(DrawMode mode) {
    return mode.name().toLowerCase(Locale.ROOT);
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
        ModelFile.Description description = description(dataset, config);
        announce(backend, dataset, config);
        if (from != null && !output.quiet) {
          console.err().println("goes on at iteration " + Texts.count(from.iteration()));
        }
        Summary summary;
        try {
          summary = run(trainer, run, config, interval, end);
        } catch (DivergedException e) {
          throw CommandException.failed(
              e.getMessage()
                  + (run == null
                      ? ", which --out DIR would have saved"
                      : ", saved in " + run.saveLastGood(trainer.network(), description))
                  + "; try a lower --lr",
              e);
        }
        if (summary == null) {
          return;
        }
        if (run != null) {
          run.finish(summary, trainer.network(), description);
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
        : RunDirectory.resume(output.out, from);
  }

  /** The run's summary, or null if the process was told to end before. */
  private Summary run(
      Trainer trainer,
      RunDirectory run,
      TrainingConfig config,
      CheckpointInterval interval,
      EndRequest end) {
    try (TrainingProgress progress =
        output.quiet ? null : new TrainingProgress(console, config.epochs())) {
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
        trainer.advance(listener);
        if (end.isRequested() && !trainer.finished()) {
          Path file = checkpoints.writeNow(trainer);
          run.keep();
          warn("told to end; saved %s, --resume %s goes on".formatted(file, run.path()));
          return;
        }
        checkpoints.stepped(trainer);
      }
    }
  }

  private static ModelFile.Description description(Dataset dataset, TrainingConfig config) {
    Shape input =
        new Shape(dataset.train().height(), dataset.train().width(), dataset.train().channels());
    return new ModelFile.Description(
        config.model(),
        input,
        dataset.classNames(),
        dataset.normalization(),
        dataset.name(),
        config.sampler());
  }

  private void announce(Backend backend, Dataset dataset, TrainingConfig config) {
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
    if (output.out != null) {
      rows.add(List.of("saved in", output.out.toString()));
    }
    return rows;
  }
}
