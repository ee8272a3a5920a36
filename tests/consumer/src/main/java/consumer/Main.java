package consumer;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.train.Summary;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;

/** Uses RAIS as a library, word for word as the README shows it. */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    int threads = Runtime.getRuntime().availableProcessors();
    Dataset data = Datasets.load("fashion-mnist-sample", null);
    TrainingConfig config = TrainingConfig.builder(data.name(), "mlp", "rais").epochs(1).build();
    try (Backend backend = Backends.open("auto", threads, System.err::println);
        Trainer trainer = new Trainer(backend, data, config)) {
      Summary summary = trainer.run(new TrainingListener() {});
      System.out.printf("test error %.1f %%%n", 100 * summary.finalTestError());
    }
  }
}
