package dev.rais.gpucheck;

import dev.rais.backend.Backend;
import dev.rais.nn.BatchNormWeights;
import dev.rais.train.TrainingConfig;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Steps of RAIS beside uniform ones: two trainers on one device take turns, in one process. A turn
 * of RAIS is a number of its rounds, so that training the set, renewing all values and making the
 * next round are in it in their right proportion; a uniform turn has as many steps.
 *
 * @param steps of each in a turn
 * @param uniform seconds of the uniform turns
 * @param rais seconds of RAIS's turns, each beside the uniform one of the same number
 * @param refreshes sets that came into force meanwhile
 */
record StepTimes(int steps, double[] uniform, double[] rais, long refreshes) {
  private static final int WARMUP = 50;

  /** K of a round is at most that, as in RAIS itself. */
  private static final long LARGEST_ROUND = 1 << 20;

  /**
   * Measures.
   *
   * @param turns of each
   * @param turnSeconds least time of a turn
   */
  static StepTimes measure(
      Backend backend, Workload workload, int turns, double turnSeconds, Consumer<String> said) {
    TrainingConfig config = workload.config("rais").build();
    // Plain batch norm is what somebody trains who does not know of weights.
    TrainingConfig other = workload.config("uniform").batchNorm(BatchNormWeights.PLAIN).build();
    try (TimedTrainer rais = new TimedTrainer(backend, workload, config);
        TimedTrainer uniform = new TimedTrainer(backend, workload, other)) {
      uniform.advance(WARMUP);
      double step = uniform.seconds(WARMUP) / WARMUP;
      said.accept("a uniform step takes about %.1f us".formatted(1e6 * step));
      rais.untilWeighted(workload);
      said.accept("RAIS weights examples");
      int round = roundSteps(workload, config);
      int rounds = (int) Math.max(1, Math.ceil(turnSeconds / (step * round)));
      rais.advance(round);
      uniform.advance(round);
      return inTurns(rais, uniform, turns, rounds * round, said);
    }
  }

  /** Minibatches of a round: K/m, as the sampler rounds it. */
  private static int roundSteps(Workload workload, TrainingConfig config) {
    double drawn = config.roundFraction() * workload.data().train().count();
    return (int) Math.max(1, Math.round(Math.min(LARGEST_ROUND, drawn)) / workload.batch());
  }

  private static StepTimes inTurns(
      TimedTrainer rais, TimedTrainer uniform, int turns, int steps, Consumer<String> said) {
    double[] mine = new double[turns];
    double[] others = new double[turns];
    long before = rais.refreshes();
    for (int i = 0; i < turns; i++) {
      if (i % 2 == 0) {
        mine[i] = rais.seconds(steps);
        others[i] = uniform.seconds(steps);
      } else {
        others[i] = uniform.seconds(steps);
        mine[i] = rais.seconds(steps);
      }
      said.accept(
          "turn %d of %d, %d steps each: %.4f s with RAIS, %.4f s uniform"
              .formatted(i + 1, turns, steps, mine[i], others[i]));
    }
    return new StepTimes(steps, others, mine, rais.refreshes() - before);
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /** What RAIS adds to a step, as a share of a uniform one: the median over the turns. */
  double added() {
    double[] ratios = new double[rais.length];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = rais[i] / uniform[i];
    }
    return median(ratios) - 1;
  }

  /** As results have it. */
  Map<String, Object> values(Workload workload) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("examples", workload.data().train().count());
    values.put("batch", workload.batch());
    values.put("turns", rais.length);
    values.put("stepsOfATurn", steps);
    values.put("refreshes", refreshes);
    values.put("uniformMicros", 1e6 * median(uniform) / steps);
    values.put("raisMicros", 1e6 * median(rais) / steps);
    values.put("imagesPerSecond", workload.batch() * steps / median(uniform));
    values.put("raisImagesPerSecond", workload.batch() * steps / median(rais));
    values.put("added", added());
    values.put("addedInAll", Arrays.stream(rais).sum() / Arrays.stream(uniform).sum() - 1);
    return values;
  }
}
