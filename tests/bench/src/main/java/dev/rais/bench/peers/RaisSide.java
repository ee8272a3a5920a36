package dev.rais.bench.peers;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.nn.Schedule;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;

/**
 * This library: the very {@link Trainer} that users run, so gather, fused loss layer, sampler and
 * update are all in the time. The schedule is so long that no evaluation falls into a run.
 */
final class RaisSide {
  /** Epochs of the schedule, a tenth of which is more than a benchmark ever trains. */
  private static final double ENDLESS = 1e6;

  private RaisSide() {}

  static void train(Workload workload, Conductor conductor) {
    Dataset data = workload.dataset();
    TrainingConfig config =
        TrainingConfig.builder(data.name(), workload.model(), workload.sampler())
            .epochs(ENDLESS)
            .evalEvery(ENDLESS)
            .batchSize(workload.batch())
            .learningRate(Workload.LEARNING_RATE)
            .momentum(Workload.MOMENTUM)
            .weightDecay(Workload.WEIGHT_DECAY)
            .schedule(Schedule.CONSTANT)
            .seed(workload.seed())
            .build();
    try (Backend backend = Backends.open("cpu", workload.threads(), System.err::println);
        Trainer trainer = new Trainer(backend, data, config)) {
      long parameters = trainer.network().values().count();
      conductor.ready(new Conductor.Ready(backend.description(), parameters));
      Pacer pacer = new Pacer(conductor);
      pacer.begin();
      trainer.run(
          new TrainingListener() {
            @Override
            public void progressed(Progress progress) {
              pacer.stepped(progress::loss);
            }
          });
    } catch (Pacer.Finished e) {
      // The one way this run ends.
    }
  }
}
