package dev.rais.report;

import dev.rais.train.Metrics;
import dev.rais.train.RunRecord;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes the evaluations of runs as event files for TensorBoard. */
public final class TensorBoardLogs implements ComparisonListener, AutoCloseable {
  private final Path folder;
  private final boolean single;
  private final Map<PlannedRun, EventFile> files = new HashMap<>();

  /**
   * Prepares to write.
   *
   * @param folder what TensorBoard's --logdir will be
   * @param single whether there is one run, whose files lie in the folder itself; those of several
   *     have a folder each
   */
  public TensorBoardLogs(Path folder, boolean single) {
    this.folder = folder;
    this.single = single;
  }

  private static double now() {
    return System.currentTimeMillis() / 1e3;
  }

  private EventFile file(PlannedRun run) {
    return files.computeIfAbsent(
        run,
        key -> {
          Path own =
              single
                  ? folder
                  : folder.resolve(PlannedRun.folderName(run.label(), run.config().seed()));
          double now = now();
          // TensorBoard takes what has "tfevents" in its name, in the order of the names.
          String name = "events.out.tfevents." + Math.round(now * 1000) + ".rais";
          return new EventFile(own.resolve(name), now);
        });
  }

  @Override
  public void evaluated(PlannedRun run, Metrics metrics) {
    file(run).add(now(), metrics.iteration(), scalars(metrics));
  }

  static Map<String, Double> scalars(Metrics metrics) {
    Map<String, Double> scalars = new LinkedHashMap<>();
    scalars.put("test/error", metrics.testError());
    scalars.put("test/loss", metrics.testLoss());
    scalars.put("train/loss", metrics.trainLoss());
    scalars.put("steps/gain_ratio", metrics.gainRatio());
    scalars.put("steps/learning_rate", metrics.learningRate());
    scalars.put("progress/epochs", metrics.epochs());
    scalars.put("progress/epochs_equivalent", metrics.epochsEquivalent());
    scalars.put("progress/seconds", metrics.seconds());
    scalars.put("draws/effective_sample_size", metrics.draws().effectiveSampleSize());
    scalars.put("uncertainty_set/inside_share", metrics.draws().calibration().insideShare());
    scalars.put("uncertainty_set/constraint", metrics.draws().calibration().constraint());
    return scalars;
  }

  @Override
  public void over(PlannedRun run, RunRecord record) {
    EventFile file = files.remove(run);
    if (file != null) {
      file.close();
    }
  }

  @Override
  public void close() {
    files.values().forEach(EventFile::close);
    files.clear();
  }
}
