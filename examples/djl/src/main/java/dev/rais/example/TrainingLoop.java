package dev.rais.example;

import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.ImportanceSampler.RateSchedule;
import dev.rais.sampling.Minibatch;

/** Training of another library's network on the examples that a sampler of ours draws. */
public final class TrainingLoop {
  private final ImportanceSampler sampler;
  private final ForeignTrainer trainer;
  private final int classes;
  private final RunSettings settings;

  /** Puts a run together; sampler and trainer stay the caller's to close. */
  public TrainingLoop(
      ImportanceSampler sampler, ForeignTrainer trainer, int classes, RunSettings settings) {
    this.sampler = sampler;
    this.trainer = trainer;
    this.classes = classes;
    this.settings = settings;
  }

  /**
   * Trains until t̂ reaches T, the schedule's length.
   *
   * @throws TrainingException if a loss or gradient is not finite
   */
  public RunSummary run(RunLog log) {
    long total = settings.scheduleLength(sampler.size());
    RateSchedule schedule = t -> settings.learningRateAt(t, total);
    while (sampler.effectiveIterations() < total) {
      Minibatch batch = sampler.draw(settings.batchSize());
      double before = sampler.effectiveIterations();
      double loss =
          trainer.step(
              batch.indices(),
              batch.weights(),
              logitGradients -> {
                observe(batch, logitGradients, log);
                return sampler.learningRate(schedule);
              });
      if (sampler.effectiveIterations() == before) {
        throw new IllegalStateException("the trainer's step never asked for its learning rate");
      }
      log.stepped(batch.size(), loss, sampler.effectiveIterations());
    }
    return log.finish();
  }

  /** What a sampler refuses (NaN, infinity, wrong length), as a failure of this step. */
  private void observe(Minibatch batch, float[] logitGradients, RunLog log) {
    try {
      sampler.observe(batch, logitGradients, classes);
    } catch (IllegalArgumentException e) {
      throw new TrainingException("step %d: %s".formatted(log.steps(), e.getMessage()), e);
    }
  }
}
