package dev.rais.gpucheck;

import dev.rais.backend.Backend;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;

/** A trainer whose steps are timed from an idle device to an idle device. */
final class TimedTrainer implements AutoCloseable {
  private static final TrainingListener NOBODY = new TrainingListener() {};

  /** Steps after which it is looked whether examples are weighted: looking copies all state. */
  private static final int LOOKS = 64;

  private final Trainer trainer;
  private final float[] one = new float[1];

  TimedTrainer(Backend backend, Workload workload, TrainingConfig config) {
    trainer = new Trainer(backend, workload.data(), config, workload.network());
  }

  /** Puts steps on the device. */
  void advance(int steps) {
    for (int i = 0; i < steps; i++) {
      trainer.advance(NOBODY);
    }
  }

  /** Waits until the device is idle: it does all in one order, a copy from it comes last. */
  void await() {
    trainer.network().values().slice(0, 1).download(one, 0);
  }

  /** Seconds that so many steps take. */
  double seconds(int steps) {
    await();
    long begun = System.nanoTime();
    advance(steps);
    await();
    return (System.nanoTime() - begun) / 1e9;
  }

  long refreshes() {
    return trainer.sampler().statistics().refreshes();
  }

  /**
   * Trains until examples are weighted, which takes an epoch and a quarter of the records.
   *
   * @throws IllegalStateException if they still are not after three epochs
   */
  void untilWeighted(Workload workload) {
    int epoch = workload.data().train().count() / workload.batch();
    advance(epoch);
    for (int i = 0; trainer.sampler().statistics().weightedIterations() == 0; i++) {
      if (i * LOOKS > 2 * epoch + 200) {
        throw new IllegalStateException(
            "RAIS weights nothing after %d steps".formatted(epoch + i * LOOKS));
      }
      advance(LOOKS);
    }
  }

  @Override
  public void close() {
    trainer.close();
  }
}
