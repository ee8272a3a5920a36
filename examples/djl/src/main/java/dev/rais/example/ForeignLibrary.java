package dev.rais.example;

import dev.rais.data.Dataset;
import java.util.function.Consumer;

/** Another library, as the command line needs it. */
public interface ForeignLibrary {
  /** The name of its own way to choose examples, for {@code --sampler}. */
  String ownSampler();

  /** A network of fresh parameters, ready to train on {@code data}. */
  ForeignTrainer open(Dataset data, RunSettings settings, int threads);

  /** The same network trained by the library's own loop on its own minibatches. */
  RunSummary runAlone(Dataset data, RunSettings settings, int threads, Consumer<String> progress);
}
