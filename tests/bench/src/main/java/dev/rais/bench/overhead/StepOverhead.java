package dev.rais.bench.overhead;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.bench.BenchException;
import dev.rais.bench.Quantiles;
import dev.rais.bench.peers.Workload;
import dev.rais.data.Dataset;
import dev.rais.nn.BatchNormWeights;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Steps of RAIS against uniform ones: two trainers on one backend train in turns, in one process,
 * with standard augmentation.
 *
 * @param rais measured while examples are weighted, over whole rounds of the sampler
 * @param uniform as many steps
 * @param turnRatios time of a turn of RAIS over that of the uniform turn beside it
 * @param refreshes uncertainty sets that were trained and applied meanwhile
 */
record StepOverhead(Side rais, Side uniform, double[] turnRatios, long refreshes) {
  /** Turns of a side before the first that counts. */
  private static final int WARMUP_TURNS = 2;

  private static final int FIRST_STEPS = 3;

  /**
   * What one trainer did while it was measured.
   *
   * @param seconds of all steps
   * @param inputIdleSeconds those of them in which nothing was computed for want of input
   */
  record Side(long parameters, int steps, double seconds, double inputIdleSeconds) {
    double inputIdleShare() {
      return inputIdleSeconds / seconds;
    }
  }

  private static final class Runner implements AutoCloseable {
    final Trainer trainer;
    private double secondsBefore;
    private double idleBefore;
    private int steps;

    Runner(Backend backend, Dataset data, TrainingConfig config) {
      trainer = new Trainer(backend, data, config);
    }

    /** Returns the seconds that the steps took. */
    double train(int count) {
      double before = trainer.trainingSeconds();
      for (int i = 0; i < count; i++) {
        trainer.advance(new TrainingListener() {});
      }
      steps += count;
      return trainer.trainingSeconds() - before;
    }

    void beginMeasuring() {
      secondsBefore = trainer.trainingSeconds();
      idleBefore = trainer.inputIdleSeconds();
      steps = 0;
    }

    long refreshes() {
      return trainer.sampler().statistics().refreshes();
    }

    Side side() {
      return new Side(
          trainer.network().values().count(),
          steps,
          trainer.trainingSeconds() - secondsBefore,
          trainer.inputIdleSeconds() - idleBefore);
    }

    @Override
    public void close() {
      trainer.close();
    }
  }

  /** Time of a RAIS step over that of a uniform one, everything counted in that happens in them. */
  double ratio() {
    return rais.seconds() / uniform.seconds();
  }

  /**
   * Measures.
   *
   * @param rounds rounds of the sampler, in each of which one set is trained
   * @param turnSeconds time of a side before the other one trains
   * @param progress receives a line now and then
   */
  static StepOverhead measure(
      Workload workload, int rounds, double turnSeconds, Consumer<String> progress) {
    Dataset data = workload.dataset();
    // Without caution, so that the weights never go: they are what is to be paid for.
    TrainingConfig config =
        workload.config().toBuilder().caution(false).padding(4).flip(true).build();
    try (Backend backend = Backends.open("cpu", workload.threads(), progress);
        Runner rais = new Runner(backend, data, config.toBuilder().sampler("rais").build());
        Runner uniform = new Runner(backend, data, uniform(config))) {
      progress.accept(backend.description());
      trainSet(rais, workload, progress);
      uniform.train(FIRST_STEPS);
      double step = uniform.train(FIRST_STEPS) / FIRST_STEPS;
      int turn = (int) Math.max(1, Math.round(turnSeconds / step));
      rais.train(WARMUP_TURNS * turn);
      uniform.train(WARMUP_TURNS * turn);
      // K/m, as the sampler rounds it.
      long drawn = Math.round(config.roundFraction() * workload.examples());
      int perRound = (int) Math.max(1, drawn / workload.batch());
      return inTurns(rais, uniform, rounds * perRound, turn, progress);
    }
  }

  /** What somebody trains who does not know of weights. */
  private static TrainingConfig uniform(TrainingConfig config) {
    return config.toBuilder().sampler("uniform").batchNorm(BatchNormWeights.PLAIN).build();
  }

  /** Trains until examples are weighted: an epoch and a quarter of the records. */
  private static void trainSet(Runner rais, Workload workload, Consumer<String> progress) {
    int most = 3 * (workload.examples() / workload.batch()) + 100;
    progress.accept("training until RAIS weights examples");
    for (int i = 0; rais.trainer.sampler().statistics().weightedIterations() == 0; i++) {
      if (i == most) {
        throw new BenchException("RAIS weights nothing after %d steps".formatted(most));
      }
      rais.train(1);
    }
  }

  private static StepOverhead inTurns(
      Runner rais, Runner uniform, int total, int turn, Consumer<String> progress) {
    rais.beginMeasuring();
    uniform.beginMeasuring();
    long refreshes = rais.refreshes();
    int turns = Math.ceilDiv(total, turn);
    double[] ratios = new double[turns];
    for (int i = 0; i < turns; i++) {
      int steps = Math.min(turn, total - i * turn);
      double mine;
      double other;
      if (i % 2 == 0) {
        mine = rais.train(steps);
        other = uniform.train(steps);
      } else {
        other = uniform.train(steps);
        mine = rais.train(steps);
      }
      ratios[i] = mine / other;
      if (10 * (i + 1) / turns > 10 * i / turns) {
        progress.accept(
            String.format(
                Locale.ROOT,
                "%d of %d steps, ratio %.3f",
                i * turn + steps,
                total,
                Quantiles.median(java.util.Arrays.copyOf(ratios, i + 1))));
      }
    }
    return new StepOverhead(rais.side(), uniform.side(), ratios, rais.refreshes() - refreshes);
  }
}
