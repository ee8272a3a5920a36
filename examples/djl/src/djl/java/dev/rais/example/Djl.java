package dev.rais.example;

import ai.djl.training.dataset.Batch;
import ai.djl.translate.TranslateException;
import dev.rais.data.Dataset;
import java.io.IOException;
import java.util.function.Consumer;

/** DJL with its PyTorch engine. */
final class Djl implements ForeignLibrary {
  @Override
  public String ownSampler() {
    return "djl-random";
  }

  @Override
  public ForeignTrainer open(Dataset data, RunSettings settings, int threads) {
    return network(data, settings, threads);
  }

  private static DjlTrainer network(Dataset data, RunSettings settings, int threads) {
    // The engine reads these when it is loaded, which making the network does.
    System.setProperty("ai.djl.pytorch.num_threads", Integer.toString(threads));
    System.setProperty("ai.djl.pytorch.num_interop_threads", "1");
    return new DjlTrainer(data, settings);
  }

  /** The loop of DJL's own examples, with its RandomSampler. */
  @Override
  public RunSummary runAlone(
      Dataset data, RunSettings settings, int threads, Consumer<String> progress) {
    int n = data.train().count();
    long total = settings.scheduleLength(n);
    try (DjlTrainer trainer = network(data, settings, threads)) {
      RunLog log = new RunLog(settings, data.name(), n, trainer, progress);
      double iterations = 0;
      while (iterations < total) {
        for (Batch batch : trainer.shuffledEpoch()) {
          double loss = trainer.step(batch, settings.learningRateAt(iterations, total));
          // An epoch's last minibatch is smaller and counts for less.
          iterations += (double) batch.getSize() / settings.batchSize();
          log.stepped(batch.getSize(), loss, iterations);
          batch.close();
          if (iterations >= total) {
            break;
          }
        }
      }
      return log.finish();
    } catch (IOException | TranslateException e) {
      throw new TrainingException("DJL cannot read its data set: " + e.getMessage(), e);
    }
  }
}
