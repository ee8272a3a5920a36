package dev.rais.bench.peers;

import dev.rais.bench.BenchException;
import dev.rais.bench.Quantiles;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Two workers train in turns, so that only one computes at a time, and the one that began a round
 * ends the next.
 */
final class Duel {
  /** Steps of the check and of the first warm-up round, before the speed is known. */
  private static final int FIRST_STEPS = 20;

  /** Relative; what rounding in another order makes of the losses in a few steps. */
  private static final double LOSS_TOLERANCE = 0.01;

  /**
   * How much to measure.
   *
   * @param warmup rounds before the first one that counts
   * @param rounds rounds that count
   * @param seconds length of a side's part in a round
   */
  record Plan(int warmup, int rounds, double seconds) {}

  /**
   * What one side did.
   *
   * @param ready what it is
   * @param imagesPerSecond of each round
   * @param firstLoss loss of its first minibatch
   * @param earlyLoss loss after {@link #FIRST_STEPS} more, before the warm-up
   * @param lastLoss loss at the end
   * @param weightedShare share of the steps since the warm-up that were not drawn uniformly
   * @param peakRssMiB largest resident set, null where unknown
   * @param idleShare cores in use while the other side trained: near 0, or it stole time
   */
  record Score(
      Conductor.Ready ready,
      double[] imagesPerSecond,
      double firstLoss,
      double earlyLoss,
      double lastLoss,
      double weightedShare,
      Long peakRssMiB,
      double idleShare) {
    double median() {
      return Quantiles.median(imagesPerSecond);
    }
  }

  /**
   * Results of both sides.
   *
   * @param otherLoad cores that other programs used meanwhile, NaN where unknown
   */
  record Outcome(Score first, Score second, double otherLoad) {
    /** Median of the rounds' ratios of speed, first to second. */
    double medianOfRatios() {
      double[] ratios = new double[first.imagesPerSecond.length];
      Arrays.setAll(ratios, i -> first.imagesPerSecond[i] / second.imagesPerSecond[i]);
      return Quantiles.median(ratios);
    }
  }

  private final class Side {
    final WorkerProcess worker;
    final Conductor.Ready ready;
    final double firstLoss;
    final double[] speeds = new double[plan.rounds];
    final double earlyLoss;
    double loss;
    int steps = FIRST_STEPS;
    long weightedSteps;
    long weightedBefore;
    long measuredSteps;
    double idleSeconds;
    double waitedSeconds;

    Side(WorkerProcess worker) {
      this.worker = worker;
      ready = worker.ready();
      firstLoss = worker.run(1).loss();
      earlyLoss = worker.run(steps).loss();
    }

    /** Trains one part of a round; returns images per second. */
    double train() {
      Conductor.Ran ran = worker.run(steps);
      loss = ran.loss();
      weightedSteps = ran.weightedSteps();
      measuredSteps += ran.steps();
      if (!Double.isFinite(loss)) {
        throw new BenchException(ready.engine() + ": the loss became " + loss);
      }
      return (double) ran.steps() * batch / ran.seconds();
    }

    void adapt(double imagesPerSecond) {
      steps = (int) Math.max(1, Math.round(plan.seconds * imagesPerSecond / batch));
    }

    /** Ends the warm-up. */
    void beginMeasuring() {
      weightedBefore = weightedSteps;
      measuredSteps = 0;
    }

    Score score() {
      return new Score(
          ready,
          speeds,
          firstLoss,
          earlyLoss,
          loss,
          (double) (weightedSteps - weightedBefore) / measuredSteps,
          worker.peakRssMiB(),
          idleSeconds / waitedSeconds);
    }
  }

  private final Plan plan;
  private final Workload workload;
  private final int batch;
  private final Consumer<String> progress;
  private double measuredSeconds;
  private double otherSeconds;

  /**
   * Prepares a duel.
   *
   * @param workload what both sides train
   * @param progress receives a line for each round
   */
  Duel(Plan plan, Workload workload, Consumer<String> progress) {
    this.plan = plan;
    this.workload = workload;
    this.batch = workload.batch();
    this.progress = progress;
  }

  Outcome run(WorkerProcess firstWorker, WorkerProcess secondWorker) {
    Side first = new Side(firstWorker);
    Side second = new Side(secondWorker);
    progress.accept(first.ready.engine() + "  against  " + second.ready.engine());
    requireAlike(first, second);
    for (int i = 0; i < plan.warmup; i++) {
      first.adapt(first.train());
      second.adapt(second.train());
    }
    if (workload.becomesWeighted() && first.weightedSteps == 0) {
      progress.accept("going on until RAIS weights examples, after about an epoch and a quarter");
      while (first.weightedSteps == 0) {
        first.train();
      }
    }
    first.beginMeasuring();
    second.beginMeasuring();
    for (int i = 0; i < plan.rounds; i++) {
      if (i % 2 == 0) {
        first.speeds[i] = measure(first, second);
        second.speeds[i] = measure(second, first);
      } else {
        second.speeds[i] = measure(second, first);
        first.speeds[i] = measure(first, second);
      }
      progress.accept(
          String.format(
              Locale.ROOT,
              "round %d: %,.0f and %,.0f images/s, ratio %.3f",
              i + 1,
              first.speeds[i],
              second.speeds[i],
              first.speeds[i] / second.speeds[i]));
    }
    return new Outcome(first.score(), second.score(), otherSeconds / measuredSeconds);
  }

  /** One side's part, with an eye on what the other side and the rest of the machine do. */
  private double measure(Side side, Side idle) {
    double machineBefore = MachineLoad.busySeconds();
    double sideBefore = side.worker.processorSeconds();
    double idleBefore = idle.worker.processorSeconds();
    long start = System.nanoTime();
    double speed = side.train();
    double seconds = (System.nanoTime() - start) / 1e9;
    double idleUsed = idle.worker.processorSeconds() - idleBefore;
    double sideUsed = side.worker.processorSeconds() - sideBefore;
    idle.waitedSeconds += seconds;
    idle.idleSeconds += idleUsed;
    measuredSeconds += seconds;
    otherSeconds += MachineLoad.busySeconds() - machineBefore - sideUsed - idleUsed;
    return speed;
  }

  /**
   * From the same initial values on the same minibatches both sides must show the same losses, or
   * network, loss or optimizer differ and the duel says nothing.
   */
  private void requireAlike(Side first, Side second) {
    if (first.ready.parameters() != second.ready.parameters()) {
      throw new BenchException(
          "the networks differ: %,d parameters in %s, but %,d in %s"
              .formatted(
                  first.ready.parameters(),
                  first.ready.engine(),
                  second.ready.parameters(),
                  second.ready.engine()));
    }
    boolean alike =
        near(first.firstLoss, second.firstLoss) && near(first.earlyLoss, second.earlyLoss);
    if (!alike && workload.beginsWithShuffledEpochs()) {
      throw new BenchException(
          "the sides do not train alike: the first losses are %.4f and %.4f, %d steps later %.4f and %.4f"
              .formatted(
                  first.firstLoss,
                  second.firstLoss,
                  FIRST_STEPS,
                  first.earlyLoss,
                  second.earlyLoss));
    }
    progress.accept(
        String.format(
            Locale.ROOT,
            "losses of the first steps: %.4f to %.4f, and %.4f to %.4f",
            first.firstLoss,
            first.earlyLoss,
            second.firstLoss,
            second.earlyLoss));
  }

  private static boolean near(double a, double b) {
    return Math.abs(a - b) <= LOSS_TOLERANCE * Math.abs(b);
  }
}
