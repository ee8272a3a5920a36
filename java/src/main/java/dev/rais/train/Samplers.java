package dev.rais.train;

import dev.rais.sampling.DrawMode;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.NaiveSampler;
import dev.rais.sampling.OracleSampler;
import dev.rais.sampling.RaisOptions;
import dev.rais.sampling.RaisSampler;
import dev.rais.sampling.UniformSampler;
import java.util.List;

/** The samplers that can be named in a configuration. */
public final class Samplers {
  private static final List<String> NAMES =
      List.of("uniform", "uniform-iid", "rais", "naive", "oracle");

  private Samplers() {}

  /** All names. */
  public static List<String> names() {
    return NAMES;
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
    return switch (config.sampler()) {
      case "uniform" -> new UniformSampler(n, seed, DrawMode.ROUNDS);
      case "uniform-iid" -> new UniformSampler(n, seed, DrawMode.IID);
      case "rais" -> {
        RaisOptions options =
            RaisOptions.defaults()
                .withDraw(config.draw())
                .withRoundFraction(config.roundFraction())
                .withGainMax(config.gainMax())
                .withAsync(config.async());
        yield new RaisSampler(labels, classes, seed, options);
      }
      case "naive" ->
          new NaiveSampler(n, seed, config.draw(), config.smoothing(), config.gainMax());
      case "oracle" ->
          new OracleSampler(n, seed, config.draw(), config.oracleEvery(), config.gainMax());
      default ->
          throw new IllegalArgumentException(
              "there is no sampler '"
                  + config.sampler()
                  + "'; samplers: "
                  + String.join(", ", NAMES));
    };
  }
}
