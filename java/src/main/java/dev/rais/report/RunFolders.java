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
    Map<String, List<RunRecord>> byLabel = ComparisonTable.byLabel(runs);
    Map<String, List<RunRecord>> ordered = new LinkedHashMap<>();
    for (String first : List.of(Samplers.UNIFORM, Samplers.UNIFORM_SHORT)) {
      if (byLabel.containsKey(first)) {
        ordered.put(first, byLabel.get(first));
      }
    }
    byLabel.forEach(ordered::putIfAbsent);
    return ordered;
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
