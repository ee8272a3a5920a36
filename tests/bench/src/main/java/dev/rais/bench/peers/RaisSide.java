package dev.rais.bench.peers;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingListener;

/**
 * This library: the very {@link Trainer} that users run, so gather, fused loss layer, sampler and
 * update are all in the time.
 */
final class RaisSide {
  private RaisSide() {}

  static void train(Workload workload, Conductor conductor) {
    Dataset data = workload.dataset();
    try (Backend backend = Backends.open("cpu", workload.threads(), System.err::println);
        Trainer trainer = new Trainer(backend, data, workload.config())) {
      long parameters = trainer.network().values().count();
      conductor.ready(new Conductor.Ready(backend.description(), parameters));
      Pacer pacer = new Pacer(conductor, () -> trainer.sampler().statistics().weightedIterations());
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
