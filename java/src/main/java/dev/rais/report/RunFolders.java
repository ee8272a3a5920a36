package dev.rais.report;

import dev.rais.train.ModelFile;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import dev.rais.train.Samplers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Finds and reads runs in folders. */
public final class RunFolders {
  private RunFolders() {}

  /**
   * Reads runs that are over.
   *
   * @param folders of runs, or of comparisons, which stand for all their runs
   * @return runs by label; uniform first, then in the order in which they were found
   * @throws RunFileException if there is none, or one is damaged or not finished
   */
  public static Map<String, List<RunRecord>> read(List<Path> folders) {
    List<RunRecord> runs = new ArrayList<>();
    for (Path folder : folders) {
      for (Path run : runs(folder)) {
        runs.add(RunRecord.read(run));
      }
    }
    if (runs.isEmpty()) {
      throw new RunFileException("there are no runs in " + folders);
    }
    ComparisonTable.requireComparable(runs);
    Map<String, List<RunRecord>> byLabel =
        asCompared(runs).orElseGet(() -> ComparisonTable.byLabel(runs));
    Map<String, List<RunRecord>> ordered = new LinkedHashMap<>();
    for (String first : List.of(Samplers.UNIFORM, Samplers.UNIFORM_SHORT)) {
      if (byLabel.containsKey(first)) {
        ordered.put(first, byLabel.get(first));
      }
    }
    byLabel.forEach(ordered::putIfAbsent);
    return ordered;
  }

  /**
   * Runs of comparisons by the labels that they had there, which their folders are named after: by
   * their options alone, uniform beside a variant of it would not be known as the reference.
   *
   * @return nothing if a run has another folder, or runs of one label do not belong together
   */
  private static Optional<Map<String, List<RunRecord>>> asCompared(List<RunRecord> runs) {
    Map<String, List<RunRecord>> byLabel = new LinkedHashMap<>();
    for (RunRecord run : runs) {
      Optional<String> label = label(run);
      if (label.isEmpty()) {
        return Optional.empty();
      }
      byLabel.computeIfAbsent(label.get(), key -> new ArrayList<>()).add(run);
    }
    boolean together =
        byLabel.values().stream().allMatch(same -> ComparisonTable.byLabel(same).size() == 1);
    return together ? Optional.of(byLabel) : Optional.empty();
  }

  /** The label that a comparison gave a run; nothing if none did. */
  private static Optional<String> label(RunRecord run) {
    String name = run.directory().toAbsolutePath().normalize().getFileName().toString();
    String variantName = name.substring(0, Math.max(0, name.lastIndexOf('-')));
    try {
      Variant variant = Variant.parse(variantName.replace('+', ':'));
      boolean same =
          name.equals(PlannedRun.folderName(variant.label(), run.config().seed()))
              && variant.sampler().equals(run.config().sampler())
              && variant.apply(run.config().toBuilder()).build().equals(run.config());
      return same ? Optional.of(variant.label()) : Optional.empty();
    } catch (IllegalArgumentException e) {
      return Optional.empty(); // a name of people's own
    }
  }

  private static List<Path> runs(Path folder) {
    Path below = folder.resolve(Comparison.RUNS);
    if (Files.exists(folder.resolve(RunDirectory.CONFIG)) || !Files.isDirectory(below)) {
      return List.of(folder);
    }
    try (Stream<Path> all = Files.list(below)) {
      return all.filter(Files::isDirectory).sorted().toList();
    } catch (IOException e) {
      throw new RunFileException("cannot list %s: %s".formatted(below, e.getMessage()), e);
    }
  }

  /** Names of the classes, out of the first model file there is; else none. */
  public static List<String> classNames(Map<String, List<RunRecord>> runs) {
    return runs.values().stream()
        .flatMap(List::stream)
        .map(run -> run.directory().resolve(RunDirectory.MODEL))
        .filter(Files::exists)
        .findFirst()
        .map(file -> ModelFile.read(file).description().classNames())
        .orElse(List.of());
  }
}
