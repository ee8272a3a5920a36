package dev.rais.example;

import java.util.Locale;
import java.util.function.Consumer;

/** Keeps count of a run and tells how it goes, a line at each epoch's end. */
public final class RunLog {
  /** Share of the newest loss in the running mean. */
  private static final double LOSS_ALPHA = 0.02;

  private final RunSettings settings;
  private final String data;
  private final int n;
  private final ForeignTrainer trainer;
  private final Consumer<String> progress;
  private final long start = System.nanoTime();
  private long evaluating;
  private long steps;
  private long examples;
  private double effectiveIterations;
  private double loss = Double.NaN;

  /**
   * Starts the clock.
   *
   * @param n number of training examples
   * @param trainer what is trained, to evaluate it
   * @param progress takes a line of text now and then
   */
  public RunLog(
      RunSettings settings, String data, int n, ForeignTrainer trainer, Consumer<String> progress) {
    this.settings = settings;
    this.data = data;
    this.n = n;
    this.trainer = trainer;
    this.progress = progress;
  }

  /** Steps so far. */
  public long steps() {
    return steps;
  }

  /**
   * Counts a step.
   *
   * @param m its examples
   * @param batchLoss its loss
   * @param effectiveIterations t̂ after it
   */
  public void stepped(int m, double batchLoss, double effectiveIterations) {
    if (!Double.isFinite(batchLoss)) {
      throw new TrainingException("step %d: the loss is %s".formatted(steps, batchLoss));
    }
    loss = steps == 0 ? batchLoss : loss + LOSS_ALPHA * (batchLoss - loss);
    long epochsBefore = examples / n;
    steps++;
    examples += m;
    this.effectiveIterations = effectiveIterations;
    if (examples / n > epochsBefore) {
      long begin = System.nanoTime();
      double error = trainer.testError();
      evaluating += System.nanoTime() - begin;
      progress.accept(
          String.format(
              Locale.ROOT,
              "epoch %d, %.2f of %s epochs equivalent: loss %.4f, test error %.2f %%, %.0f s",
              examples / n,
              epochsEquivalent(),
              settings.epochs(),
              loss,
              100 * error,
              seconds()));
    }
  }

  /** Evaluates and sums up. */
  public RunSummary finish() {
    double seconds = seconds();
    double epochs = (double) examples / n;
    return new RunSummary(
        settings.sampler(),
        data,
        settings.seed(),
        steps,
        epochs,
        epochsEquivalent(),
        trainer.testError(),
        trainer.trainLoss(),
        seconds,
        epochsEquivalent() / epochs);
  }

  private double epochsEquivalent() {
    return effectiveIterations * settings.batchSize() / n;
  }

  private double seconds() {
    return (System.nanoTime() - start - evaluating) / 1e9;
  }
}
