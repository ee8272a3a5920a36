package dev.rais.train;

import dev.rais.sampling.Ablation;
import dev.rais.sampling.AdaScaleSampler;
import dev.rais.sampling.ClassWeights;
import dev.rais.sampling.DrawMode;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.InfoBatchSampler;
import dev.rais.sampling.LoshchilovHutterSampler;
import dev.rais.sampling.NaiveSampler;
import dev.rais.sampling.OracleSampler;
import dev.rais.sampling.PresampleSampler;
import dev.rais.sampling.RaisOptions;
import dev.rais.sampling.RaisSampler;
import dev.rais.sampling.SelectiveBackpropSampler;
import dev.rais.sampling.UniformSampler;
import java.util.List;

/** The samplers that can be named in a configuration. */
public final class Samplers {
  /** Shuffled epochs: what others are compared with. */
  public static final String UNIFORM = "uniform";

  /** The same with a shortened schedule. */
  public static final String UNIFORM_SHORT = "uniform-short";

  /** The method of this library. */
  public static final String RAIS = "rais";

  /** Uniform with replacement. */
  static final String UNIFORM_IID = "uniform-iid";

  private static final List<String> NAMES =
      List.of(
          UNIFORM,
          UNIFORM_IID,
          RAIS,
          "naive",
          "oracle",
          "presample",
          "loshchilov",
          "selective-backprop",
          "infobatch",
          "adascale",
          UNIFORM_SHORT);

  private static final List<String> WEIGHTED =
      List.of(UNIFORM, UNIFORM_IID, RAIS, "naive", "oracle", UNIFORM_SHORT);

  private Samplers() {}

  /** All names. */
  public static List<String> names() {
    return NAMES;
  }

  /** Names of those that can give examples weights of their own in the objective. */
  public static List<String> weightedNames() {
    return WEIGHTED;
  }

  /** The configured options of RAIS. */
  static RaisOptions raisOptions(TrainingConfig config) {
    return RaisOptions.defaults()
        .withDraw(config.draw())
        .withRoundFraction(config.roundFraction())
        .withGainMax(config.gainMax())
        .withAsync(config.async())
        .withCaution(config.caution())
        .withAblation(Ablation.of(config.ablation()));
  }

  /** [n] configured weights of the objective; null for 1 each. */
  static float[] objective(TrainingConfig config, int[] labels, int classes) {
    return config.classBalance() ? ClassWeights.balanced(labels, classes) : null;
  }

  /**
   * Makes the configured sampler.
   *
   * @param labels [n] class of each training example
   * @param classes number of classes
   * @throws IllegalArgumentException for an unknown name
   */
  public static ImportanceSampler create(TrainingConfig config, int[] labels, int classes) {
    int n = labels.length;
    long seed = config.seed();
    long length = config.scheduleLength(n);
    float[] weights = objective(config, labels, classes);
    return switch (config.sampler()) {
      case UNIFORM -> new UniformSampler(n, weights, seed, DrawMode.ROUNDS, 1);
      case UNIFORM_IID -> new UniformSampler(n, weights, seed, DrawMode.IID, 1);
      case UNIFORM_SHORT -> new UniformSampler(n, weights, seed, DrawMode.ROUNDS, config.speedUp());
      case RAIS -> new RaisSampler(labels, classes, weights, seed, raisOptions(config));
      case "naive" ->
          new NaiveSampler(n, weights, seed, config.draw(), config.smoothing(), config.gainMax());
      case "oracle" ->
          new OracleSampler(
              n, weights, seed, config.draw(), config.oracleEvery(), config.gainMax());
      case "presample" -> new PresampleSampler(n, seed, config.presample());
      case "loshchilov" -> new LoshchilovHutterSampler(n, seed, length, config.selectionPressure());
      case "selective-backprop" -> new SelectiveBackpropSampler(n, seed, config.beta());
      case "infobatch" ->
          new InfoBatchSampler(n, seed, length, config.pruneRatio(), config.anneal());
      case "adascale" -> new AdaScaleSampler(n, seed, config.scale());
      default ->
          throw new IllegalArgumentException(
              "there is no sampler '"
                  + config.sampler()
                  + "'; samplers: "
                  + String.join(", ", NAMES));
    };
  }
}
