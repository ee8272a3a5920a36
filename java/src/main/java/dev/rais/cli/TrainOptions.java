package dev.rais.cli;

import dev.rais.data.Dataset;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.Models;
import dev.rais.nn.Schedule;
import dev.rais.sampling.Ablation;
import dev.rais.sampling.DrawMode;
import dev.rais.train.CheckpointInterval;
import dev.rais.train.OnDivergence;
import dev.rais.train.TrainingConfig;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/**
 * The options that determine runs but for sampler and seed, and the configurations that they make
 * with these.
 */
final class TrainOptions {
  private static final String DEFAULT_DATA = "fashion-mnist-sample";
  private static final String DEFAULT_MODEL = "lenet5";
  private static final int STANDARD_PADDING = 4;

  static final class DataGroup {
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

  static final class SamplingGroup {
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
        names = "--ablate",
        paramLabel = "PART",
        description =
            "Leave out a part of RAIS, for experiments: a feature (no-mean, no-class-mean, no-last,"
                + " no-previous, no-average, no-never-seen), the allowance for errors (k-zero,"
                + " k-half, k-twice), the scaling of the rate (fixed-rate), the last layer in the"
                + " gain ratio (logit-gain for the final bias alone, exact-gain for all parameters,"
                + " which is slow) (default: none).")
    private String ablation;

    @Option(
        names = "--class-balance",
        description =
            "Give every class the same weight in the objective, however many examples it has."
                + " For uniform, uniform-iid, uniform-short, rais, naive and oracle.")
    private Boolean classBalance;
  }

  static final class OtherSamplersGroup {
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

  static final class OptimisationGroup {
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
        names = "--on-divergence",
        paramLabel = "NAME",
        description =
            "Where a loss or gradient is NaN or infinite: stop, skip the minibatch, or rollback to"
                + " the last checkpoint of --out with half the learning rate (default: stop).")
    private String onDivergence;
  }

  @ArgGroup(validate = false, heading = "Data and model:%n")
  private DataGroup data = new DataGroup();

  @ArgGroup(validate = false, heading = "Sampling:%n")
  private SamplingGroup sampling = new SamplingGroup();

  @ArgGroup(validate = false, heading = "Samplers of other authors:%n")
  private OtherSamplersGroup others = new OtherSamplersGroup();

  @ArgGroup(validate = false, heading = "Optimisation:%n")
  private OptimisationGroup optimisation = new OptimisationGroup();

  /** Checks the model's name, before anything is loaded. */
  void checkNames() {
    ifGiven(data.model, given -> Names.require("model", given, Models.names()));
  }

  /** The data set that is asked for. */
  String dataName() {
    return orElse(data.data, DEFAULT_DATA);
  }

  /** Loads the data set that is asked for, or another one where none is. */
  Dataset load(String otherwise) {
    return DataOptions.load(data.data, otherwise, data.dataDir);
  }

  /** The defaults for the model that is asked for and a sampler. */
  TrainingConfig.Builder defaults(String dataName, String sampler) {
    return TrainingConfig.builder(dataName, orElse(data.model, DEFAULT_MODEL), sampler);
  }

  /** The builder's configuration with the options that are given. */
  TrainingConfig config(TrainingConfig.Builder builder) {
    set(builder);
    return build(builder);
  }

  /** The finished configuration; a value out of range is wrong usage. */
  static TrainingConfig build(TrainingConfig.Builder builder) {
    try {
      return builder.build();
    } catch (IllegalArgumentException e) {
      throw CommandException.usage("--" + e.getMessage(), e);
    }
  }

  /** Sets the options that are given. */
  TrainingConfig.Builder set(TrainingConfig.Builder builder) {
    ifGiven(data.model, builder::model);
    if (data.augment != null) {
      Names.require("augmentation", data.augment, List.of("none", "standard"));
      boolean standard = data.augment.equals("standard");
      builder.padding(standard ? STANDARD_PADDING : 0).flip(standard);
    }
    ifGiven(data.padding, builder::padding);
    ifGiven(data.cutout, builder::cutout);
    ifGiven(sampling.async, builder::async);
    ifGiven(sampling.classBalance, builder::classBalance);
    ifGiven(choice("way to draw", sampling.draw, DrawMode.class), builder::draw);
    ifGiven(choice("schedule", optimisation.schedule, Schedule.class), builder::schedule);
    ifGiven(
        choice("batch norm", optimisation.batchNorm, BatchNormWeights.class), builder::batchNorm);
    ifGiven(choice("policy", optimisation.onDivergence, OnDivergence.class), builder::onDivergence);
    ifGiven(sampling.roundFraction, builder::roundFraction);
    ifGiven(sampling.gainMax, builder::gainMax);
    ifGiven(sampling.smoothing, builder::smoothing);
    ifGiven(sampling.oracleEvery, builder::oracleEvery);
    ifGiven(sampling.caution, builder::caution);
    if (sampling.ablation != null) {
      builder.ablation(Names.require("ablation", sampling.ablation, Ablation.ids()));
    }
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
    return builder;
  }

  /** The constant that an option names; null where it is not given. */
  private static <E extends Enum<E>> E choice(String what, String given, Class<E> type) {
    if (given == null) {
      return null;
    }
    List<String> known =
        Arrays.stream(type.getEnumConstants())
            .map(value -> value.name().toLowerCase(Locale.ROOT))
            .toList();
    return type.getEnumConstants()[known.indexOf(Names.require(what, given, known))];
  }

  /** How often runs are saved; a value that makes no sense is wrong usage. */
  static CheckpointInterval checkpointInterval(String given) {
    try {
      return given == null ? CheckpointInterval.DEFAULT : CheckpointInterval.parse(given);
    } catch (IllegalArgumentException e) {
      throw CommandException.usage("--" + e.getMessage(), e);
    }
  }

  static <T> T orElse(T value, T otherwise) {
    return value == null ? otherwise : value;
  }

  static <T> void ifGiven(T value, Consumer<T> setter) {
    if (value != null) {
      setter.accept(value);
    }
  }
}
