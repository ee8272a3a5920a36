package dev.rais.train;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A run as its folder tells it.
 *
 * @param directory the folder
 * @param config config.json
 * @param metrics metrics.jsonl, in order
 * @param summary summary.json; nothing if the run is not finished
 * @param divergence diverged.json; nothing if the run did not diverge
 */
public record RunRecord(
    Path directory,
    TrainingConfig config,
    List<Metrics> metrics,
    Optional<Summary> summary,
    Optional<RunDirectory.Divergence> divergence) {

  /** Copies the list. */
  public RunRecord {
    metrics = List.copyOf(metrics);
  }

  /** Whether nothing will be added to the run any more. */
  public boolean isOver() {
    return summary.isPresent() || divergence.isPresent();
  }

  /**
   * Reads a run that is over.
   *
   * @throws RunFileException if there is none, it is damaged, or it is not finished
   */
  public static RunRecord read(Path directory) {
    if (!Files.isDirectory(directory)) {
      throw new RunFileException("there is no folder " + directory);
    }
    Path configFile = directory.resolve(RunDirectory.CONFIG);
    if (!Files.exists(configFile)) {
      throw new RunFileException(
          "%s holds no run: it has no %s; expected a folder that rais train --out or rais compare wrote"
              .formatted(directory, RunDirectory.CONFIG));
    }
    TrainingConfig config = parse(configFile, text(configFile), TrainingConfig.class);
    Optional<Summary> summary = optional(directory.resolve(RunDirectory.SUMMARY), Summary.class);
    Optional<RunDirectory.Divergence> divergence =
        optional(directory.resolve(RunDirectory.DIVERGED), RunDirectory.Divergence.class);
    if (summary.isEmpty() && divergence.isEmpty()) {
      throw new RunFileException(
          "the run in %s is half-written: it has no %s; %s"
              .formatted(
                  directory,
                  RunDirectory.SUMMARY,
                  Checkpoints.list(directory).isEmpty()
                      ? "it has no checkpoint either, so begin it again"
                      : "rais train --resume " + directory + " goes on with it"));
    }
    RunRecord run = new RunRecord(directory, config, metrics(directory), summary, divergence);
    summary.ifPresent(run::requireAgreement);
    return run;
  }

  private void requireAgreement(Summary end) {
    long last = metrics.isEmpty() ? -1 : metrics.getLast().iteration();
    if (last != end.iterations()) {
      throw damaged(
          directory.resolve(RunDirectory.METRICS),
          "it ends at iteration %d, %s at %d"
              .formatted(last, RunDirectory.SUMMARY, end.iterations()));
    }
    if (!end.sampler().equals(config.sampler()) || end.seed() != config.seed()) {
      throw damaged(
          directory.resolve(RunDirectory.SUMMARY),
          "it is of sampler %s and seed %d, %s of %s and %d"
              .formatted(
                  end.sampler(), end.seed(), RunDirectory.CONFIG, config.sampler(), config.seed()));
    }
  }

  private static List<Metrics> metrics(Path directory) {
    Path file = directory.resolve(RunDirectory.METRICS);
    if (!Files.exists(file)) {
      throw new RunFileException(
          "the run in %s is damaged: it has no %s".formatted(directory, RunDirectory.METRICS));
    }
    List<String> lines = text(file).lines().toList();
    List<Metrics> metrics = new ArrayList<>();
    RunJson json = new RunJson();
    for (int i = 0; i < lines.size(); i++) {
      try {
        metrics.add(json.read(lines.get(i), Metrics.class));
      } catch (IllegalArgumentException e) {
        throw damaged(file, "line %d is %s".formatted(i + 1, e.getMessage()));
      }
    }
    return metrics;
  }

  private static <T> Optional<T> optional(Path file, Class<T> type) {
    return Files.exists(file) ? Optional.of(parse(file, text(file), type)) : Optional.empty();
  }

  private static <T> T parse(Path file, String text, Class<T> type) {
    try {
      return new RunJson().read(text, type);
    } catch (IllegalArgumentException e) {
      throw damaged(file, "it is " + e.getMessage());
    }
  }

  private static RunFileException damaged(Path file, String how) {
    return new RunFileException(file + " is damaged: " + how);
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (CharacterCodingException e) {
      throw damaged(file, "it is no text");
    } catch (IOException e) {
      throw new RunFileException(
          "cannot read %s: %s".formatted(file, WholeFile.reason(e, file)), e);
    }
  }
}
