package dev.rais.train;

import dev.rais.backend.Augmentation;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.Schedule;
import dev.rais.sampling.Ablation;
import dev.rais.sampling.AdaScaleSampler;
import dev.rais.sampling.DrawMode;
import dev.rais.sampling.InfoBatchSampler;
import dev.rais.sampling.LoshchilovHutterSampler;
import dev.rais.sampling.PresampleSampler;
import dev.rais.sampling.SelectiveBackpropSampler;
import java.lang.reflect.RecordComponent;

/**
 * Everything that determines a run, but for the machine it runs on. As JSON it is a run's
 * config.json.
 *
 * @param data name of the data set
 * @param model name of the model
 * @param sampler one of {@link Samplers#names()}
 * @param epochs E: the schedule's length in epochs equivalent, T = round(E · n / m) iterations
 * @param batchSize m
 * @param learningRate the schedule's base rate
 * @param momentum μ, 0 to below 1
 * @param weightDecay factor of the L2 penalty's gradient, at least 0
 * @param schedule shape of the learning rate over t̂
 * @param draw how a weighted sampler draws
 * @param smoothing λ of the naive sampler
 * @param seed every random choice follows from it
 * @param evalEvery epochs of trained examples between evaluations; a tenth of the schedule always
 *     brings one too
 * @param oracleEvery minibatches between two computations of the oracle's exact norms
 * @param gainMax r_max, bound of the gain ratio
 * @param roundFraction K/n of RAIS's rounds
 * @param async whether a newly trained uncertainty set is used as soon as it is ready
 * @param presample B/m: candidates that the presampling sampler scores per example drawn
 * @param selectionPressure s_0: selection pressure that the Loshchilov-Hutter sampler starts with
 * @param beta β of selective backprop
 * @param pruneRatio r: share of the easy examples that InfoBatch leaves out
 * @param anneal δ: share of the schedule after which InfoBatch leaves nothing out
 * @param scale S: base minibatches that AdaScale takes a minibatch for
 * @param speedUp by how much uniform-short shortens the schedule
 * @param classBalance whether every class has the same weight in the objective
 * @param caution whether RAIS draws uniformly while importance sampling does not pay
 * @param padding P: most pixels that training images are shifted by, 0 for none
 * @param flip whether half of the training images are mirrored
 * @param cutout S: side of the square that is blanked in training images, 0 for none
 * @param batchNorm how batch norms count weighted examples
 * @param onDivergence what becomes of the run where a loss is not finite
 * @param ablation part of RAIS that is left out for an experiment: one of {@link Ablation#ids()}
 */
public record TrainingConfig(
    String data,
    String model,
    String sampler,
    double epochs,
    int batchSize,
    double learningRate,
    double momentum,
    double weightDecay,
    Schedule schedule,
    DrawMode draw,
    double smoothing,
    long seed,
    double evalEvery,
    int oracleEvery,
    double gainMax,
    double roundFraction,
    boolean async,
    double presample,
    double selectionPressure,
    double beta,
    double pruneRatio,
    double anneal,
    double scale,
    double speedUp,
    boolean classBalance,
    boolean caution,
    int padding,
    boolean flip,
    int cutout,
    BatchNormWeights batchNorm,
    OnDivergence onDivergence,
    String ablation) {

  /** Checks every range; the message names the option and its value. */
  public TrainingConfig {
    require(epochs > 0 && epochs <= 1e6, "epochs must be above 0 and at most 1000000", epochs);
    require(batchSize >= 1, "batch-size must be at least 1", batchSize);
    require(finite(learningRate) && learningRate > 0, "lr must be above 0", learningRate);
    require(momentum >= 0 && momentum < 1, "momentum must be from 0 to below 1", momentum);
    require(
        finite(weightDecay) && weightDecay >= 0, "weight-decay must be at least 0", weightDecay);
    require(smoothing > 0 && smoothing <= 1, "smoothing must be above 0 and at most 1", smoothing);
    require(finite(evalEvery) && evalEvery > 0, "eval-every must be above 0", evalEvery);
    require(oracleEvery >= 1, "oracle-every must be at least 1", oracleEvery);
    require(finite(gainMax) && gainMax >= 1, "gain-max must be at least 1", gainMax);
    require(
        roundFraction >= 1.0 / 64 && roundFraction <= 4,
        "round-fraction must be from 1/64 to 4",
        roundFraction);
    require(presample >= 1 && presample <= 100, "presample must be from 1 to 100", presample);
    require(
        finite(selectionPressure) && selectionPressure >= 1,
        "selection-pressure must be at least 1",
        selectionPressure);
    require(beta >= 0 && beta <= 100, "beta must be from 0 to 100", beta);
    require(pruneRatio >= 0 && pruneRatio < 1, "prune-ratio must be from 0 to below 1", pruneRatio);
    require(anneal >= 0 && anneal <= 1, "anneal must be from 0 to 1", anneal);
    require(finite(scale) && scale >= 1, "scale must be at least 1", scale);
    require(
        !sampler.equals("adascale") || scale <= batchSize,
        "scale must be at most the batch size of " + batchSize,
        scale);
    require(speedUp >= 1 && speedUp <= 100, "speed-up must be from 1 to 100", speedUp);
    require(
        !classBalance || Samplers.weightedNames().contains(sampler),
        "class-balance goes with the samplers " + String.join(", ", Samplers.weightedNames()),
        sampler);
    require(padding >= 0 && padding <= 65_535, "padding must be from 0 to 65535", padding);
    require(
        Ablation.ids().contains(ablation),
        "ablate must be one of " + String.join(", ", Ablation.ids()),
        ablation);
    require(
        ablation.equals(Ablation.NONE.id()) || sampler.equals(Samplers.RAIS),
        "ablate goes with the sampler rais",
        sampler);
    require(
        !ablation.equals(Ablation.EXACT_GAIN.id()) || padding == 0 && !flip && cutout == 0,
        "ablate exact-gain goes without varied images, augment none",
        "padding %d, flip %s, cutout %d".formatted(padding, flip, cutout));
    require(cutout >= 0 && cutout <= 65_535, "cutout must be from 0 to 65535", cutout);
  }

  /** Whether the gain ratio is measured on all parameters, with exact norms. */
  boolean exactGain() {
    return ablation.equals(Ablation.EXACT_GAIN.id());
  }

  /** How training images are varied; null if they are not. */
  Augmentation augmentation() {
    Augmentation augmentation = new Augmentation(padding, flip, cutout);
    return augmentation.isNone() ? null : augmentation;
  }

  /**
   * Checks that a run begun with another configuration can go on with this one.
   *
   * @throws RunFileException naming the first value that differs
   */
  public void requireSame(TrainingConfig begun) {
    for (RecordComponent component : TrainingConfig.class.getRecordComponents()) {
      Object mine = value(component, this);
      Object theirs = value(component, begun);
      // It plays no part before a loss is not finite, and may be what such a run is to go on with.
      if (!mine.equals(theirs) && !(mine instanceof OnDivergence)) {
        throw new RunFileException(
            "%s is %s, but the run was begun with %s".formatted(component.getName(), mine, theirs));
      }
    }
  }

  private static Object value(RecordComponent component, TrainingConfig config) {
    try {
      return component.getAccessor().invoke(config);
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  private static boolean finite(double x) {
    return Double.isFinite(x);
  }

  private static void require(boolean holds, String rule, Object value) {
    if (!holds) {
      throw new IllegalArgumentException(rule + ", not " + value);
    }
  }

  /** The defaults for a model and sampler on a data set; change them with {@link Builder}. */
  public static Builder builder(String data, String model, String sampler) {
    return new Builder(data, model, sampler);
  }

  /** This configuration's values, to change some of them. */
  public Builder toBuilder() {
    return new Builder(this);
  }

  /** T: the schedule's length in effective iterations, for n training examples. */
  public long scheduleLength(int n) {
    return Math.max(1, Math.round(epochs * n / batchSize));
  }

  /** Collects settings, each of which has a default. */
  public static final class Builder {
    private String data;
    private String model;
    private String sampler;
    private double epochs = 10;
    private int batchSize = 128;
    private double learningRate;
    private double momentum = 0.9;
    private double weightDecay = 5e-4;
    private Schedule schedule = Schedule.STEP;
    private DrawMode draw;
    private double smoothing = 0.1;
    private long seed;
    private double evalEvery = 1;
    private int oracleEvery = 100;
    private double gainMax = 10;
    private double roundFraction = 0.5;
    private boolean async;
    private double presample = PresampleSampler.DEFAULT_PRESAMPLE;
    private double selectionPressure = LoshchilovHutterSampler.DEFAULT_PRESSURE;
    private double beta = SelectiveBackpropSampler.DEFAULT_BETA;
    private double pruneRatio = InfoBatchSampler.DEFAULT_PRUNE_RATIO;
    private double anneal = InfoBatchSampler.DEFAULT_ANNEAL;
    private double scale = AdaScaleSampler.DEFAULT_SCALE;
    private double speedUp = 2;
    private boolean classBalance;
    private boolean caution = true;
    private int padding;
    private boolean flip;
    private int cutout;
    private BatchNormWeights batchNorm = BatchNormWeights.WEIGHTED;
    private OnDivergence onDivergence = OnDivergence.STOP;
    private String ablation = Ablation.NONE.id();

    private Builder(String data, String model, String sampler) {
      this.data = data;
      this.model = model;
      this.sampler = sampler;
      // A rate of 0.05 cripples LeNet-5; the perceptron takes it, and batch norm takes more.
      learningRate = model.equals("mlp") ? 0.05 : model.startsWith("resnet") ? 0.1 : 0.01;
      // The baselines draw as their sources do.
      draw = sampler.equals(Samplers.RAIS) ? DrawMode.ROUNDS : DrawMode.IID;
    }

    private Builder(TrainingConfig from) {
      this(from.data(), from.model(), from.sampler());
      epochs = from.epochs();
      batchSize = from.batchSize();
      learningRate = from.learningRate();
      momentum = from.momentum();
      weightDecay = from.weightDecay();
      schedule = from.schedule();
      draw = from.draw();
      smoothing = from.smoothing();
      seed = from.seed();
      evalEvery = from.evalEvery();
      oracleEvery = from.oracleEvery();
      gainMax = from.gainMax();
      roundFraction = from.roundFraction();
      async = from.async();
      presample = from.presample();
      selectionPressure = from.selectionPressure();
      beta = from.beta();
      pruneRatio = from.pruneRatio();
      anneal = from.anneal();
      scale = from.scale();
      speedUp = from.speedUp();
      classBalance = from.classBalance();
      caution = from.caution();
      padding = from.padding();
      flip = from.flip();
      cutout = from.cutout();
      batchNorm = from.batchNorm();
      onDivergence = from.onDivergence();
      ablation = from.ablation();
    }

    /** Sets the name of the data set. */
    public Builder data(String value) {
      data = value;
      return this;
    }

    /** Sets the name of the model; the base learning rate stays. */
    public Builder model(String value) {
      model = value;
      return this;
    }

    /** Sets the name of the sampler; how it draws stays. */
    public Builder sampler(String value) {
      sampler = value;
      return this;
    }

    /** Sets the schedule's length in epochs equivalent. */
    public Builder epochs(double value) {
      epochs = value;
      return this;
    }

    /** Sets m. */
    public Builder batchSize(int value) {
      batchSize = value;
      return this;
    }

    /** Sets the base learning rate. */
    public Builder learningRate(double value) {
      learningRate = value;
      return this;
    }

    /** Sets μ. */
    public Builder momentum(double value) {
      momentum = value;
      return this;
    }

    /** Sets the weight decay. */
    public Builder weightDecay(double value) {
      weightDecay = value;
      return this;
    }

    /** Sets the schedule's shape. */
    public Builder schedule(Schedule value) {
      schedule = value;
      return this;
    }

    /** Sets how a weighted sampler draws. */
    public Builder draw(DrawMode value) {
      draw = value;
      return this;
    }

    /** Sets λ of the naive sampler. */
    public Builder smoothing(double value) {
      smoothing = value;
      return this;
    }

    /** Sets the seed. */
    public Builder seed(long value) {
      seed = value;
      return this;
    }

    /** Sets the real epochs between evaluations. */
    public Builder evalEvery(double value) {
      evalEvery = value;
      return this;
    }

    /** Sets the minibatches between the oracle's computations. */
    public Builder oracleEvery(int value) {
      oracleEvery = value;
      return this;
    }

    /** Sets the bound of the gain ratio. */
    public Builder gainMax(double value) {
      gainMax = value;
      return this;
    }

    /** Sets K/n. */
    public Builder roundFraction(double value) {
      roundFraction = value;
      return this;
    }

    /** Sets whether a trained set is used as soon as it is ready. */
    public Builder async(boolean value) {
      async = value;
      return this;
    }

    /** Sets B/m of the presampling sampler. */
    public Builder presample(double value) {
      presample = value;
      return this;
    }

    /** Sets the first selection pressure of the Loshchilov-Hutter sampler. */
    public Builder selectionPressure(double value) {
      selectionPressure = value;
      return this;
    }

    /** Sets β of selective backprop. */
    public Builder beta(double value) {
      beta = value;
      return this;
    }

    /** Sets r of InfoBatch. */
    public Builder pruneRatio(double value) {
      pruneRatio = value;
      return this;
    }

    /** Sets δ of InfoBatch. */
    public Builder anneal(double value) {
      anneal = value;
      return this;
    }

    /** Sets S of AdaScale. */
    public Builder scale(double value) {
      scale = value;
      return this;
    }

    /** Sets by how much uniform-short shortens the schedule. */
    public Builder speedUp(double value) {
      speedUp = value;
      return this;
    }

    /** Sets whether every class has the same weight in the objective. */
    public Builder classBalance(boolean value) {
      classBalance = value;
      return this;
    }

    /** Sets whether RAIS draws uniformly while importance sampling does not pay. */
    public Builder caution(boolean value) {
      caution = value;
      return this;
    }

    /** Sets P, the most pixels that training images are shifted by. */
    public Builder padding(int value) {
      padding = value;
      return this;
    }

    /** Sets whether half of the training images are mirrored. */
    public Builder flip(boolean value) {
      flip = value;
      return this;
    }

    /** Sets S, the side of the square that is blanked in training images. */
    public Builder cutout(int value) {
      cutout = value;
      return this;
    }

    /** Sets how batch norms count weighted examples. */
    public Builder batchNorm(BatchNormWeights value) {
      batchNorm = value;
      return this;
    }

    /** Sets what becomes of the run where a loss is not finite. */
    public Builder onDivergence(OnDivergence value) {
      onDivergence = value;
      return this;
    }

    /** Sets the part of RAIS that is left out. */
    public Builder ablation(String value) {
      ablation = value;
      return this;
    }

    /**
     * The finished configuration.
     *
     * @throws IllegalArgumentException if a value is out of range
     */
    public TrainingConfig build() {
      return new TrainingConfig(
          data,
          model,
          sampler,
          epochs,
          batchSize,
          learningRate,
          momentum,
          weightDecay,
          schedule,
          draw,
          smoothing,
          seed,
          evalEvery,
          oracleEvery,
          gainMax,
          roundFraction,
          async,
          presample,
          selectionPressure,
          beta,
          pruneRatio,
          anneal,
          scale,
          speedUp,
          classBalance,
          caution,
          padding,
          flip,
          cutout,
          batchNorm,
          onDivergence,
          ablation);
    }
  }
}
