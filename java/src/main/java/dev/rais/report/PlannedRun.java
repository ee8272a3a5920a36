package dev.rais.report;

import dev.rais.train.TrainingConfig;
import java.nio.file.Path;

/**
 * A run of a comparison.
 *
 * @param label what the sampler and its options are called
 * @param config everything that determines the run
 * @param directory its folder
 */
public record PlannedRun(String label, TrainingConfig config, Path directory) {
  static PlannedRun of(Path runs, String label, TrainingConfig config) {
    return new PlannedRun(label, config, runs.resolve(folderName(label, config.seed())));
  }

  static String folderName(String label, long seed) {
    // ":" is no character of file names everywhere.
    return label.replace(':', '+') + "-seed" + seed;
  }
}
