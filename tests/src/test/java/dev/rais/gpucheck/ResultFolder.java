package dev.rais.gpucheck;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * A folder of results: a file for each step, written as soon as the step has ended, so that a check
 * can be made in parts, and results.json, results.txt and results.html of all of them.
 */
final class ResultFolder {
  /**
   * What a step's file holds.
   *
   * @param result of the step
   * @param date when it ended
   * @param device what it ran on; empty without a GPU
   * @param quick whether it was the short way
   */
  record Entry(Result result, String date, String device, boolean quick) {}

  private static final String ENDING = ".result.json";

  private final Path folder;
  private final ObjectMapper mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
  private final Map<String, Entry> entries = new LinkedHashMap<>();

  /**
   * Opens a folder, with what is in it.
   *
   * @param steps names of all steps, in their order
   * @param warn is told of files that cannot be used
   */
  ResultFolder(Path folder, List<String> steps, Consumer<String> warn) throws IOException {
    this.folder = folder;
    Files.createDirectories(steps());
    for (String step : steps) {
      entries.put(step, null);
      Path file = steps().resolve(step + ENDING);
      if (Files.exists(file)) {
        try {
          Entry entry = mapper.readValue(file.toFile(), Entry.class);
          if (entry.result() == null
              || entry.result().state() == null
              || entry.result().values() == null
              || !step.equals(entry.result().step())) {
            throw new IOException("it is no step's result");
          }
          entries.put(step, entry);
        } catch (IOException e) {
          warn.accept(
              "%s is left out, its step counts as not run: %s"
                  .formatted(file, e.getMessage().lines().findFirst().orElse("")));
        }
      }
    }
  }

  /** Where what the steps say goes. */
  Path steps() {
    return folder.resolve("steps");
  }

  /** Why results of this check cannot lie beside those that are there; null if they can. */
  String conflict(String device, boolean quick) {
    for (Entry entry : present()) {
      if (entry.quick() != quick) {
        return "%s holds results %s --quick".formatted(folder, entry.quick() ? "of" : "without");
      }
      if (!device.isEmpty() && !entry.device().isEmpty() && !entry.device().equals(device)) {
        return "%s holds results of %s, and this is %s".formatted(folder, entry.device(), device);
      }
    }
    return null;
  }

  private List<Entry> present() {
    return entries.values().stream().filter(java.util.Objects::nonNull).toList();
  }

  /** Whether a step has passed, to its end. */
  boolean hasPassed(String step) {
    Entry entry = entries.get(step);
    return entry != null && entry.result().hasPassed();
  }

  /** Whether there is something of a step that says more than that it was not run. */
  private boolean hasRun(String step) {
    Entry entry = entries.get(step);
    return entry != null && entry.result().state() != Result.State.NOT_RUN;
  }

  /** Keeps a result; one of a step that was not run does not take the place of one that was. */
  void keep(Entry entry) throws IOException {
    String step = entry.result().step();
    if (entry.result().state() == Result.State.NOT_RUN && hasRun(step)) {
      return;
    }
    entries.put(step, entry);
    whole(steps().resolve(step + ENDING), mapper.writeValueAsString(entry));
  }

  /** All results there are, in the order of the steps. */
  List<Result> results() {
    return present().stream().map(Entry::result).toList();
  }

  /** Writes what all results come to. */
  void write(String date, String device, boolean quick) throws IOException {
    Report report = Report.of(results());
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("date", date);
    all.put("device", device);
    all.put("quick", quick);
    all.put("rows", report.verdicts());
    all.put("steps", new ArrayList<>(present()));
    whole(folder.resolve("results.json"), mapper.writeValueAsString(all));
    String head = "%s, %s%s\n".formatted(date, device.isEmpty() ? "no GPU" : device, how(quick));
    whole(folder.resolve("results.txt"), head + report.text());
    whole(folder.resolve("results.html"), Page.of(head.strip(), report));
  }

  private static String how(boolean quick) {
    return quick ? ", --quick: times are rough" : "";
  }

  /** Whatever ends this program, the file is the old or the new one. */
  private static void whole(Path file, String text) throws IOException {
    Path beside = file.resolveSibling(file.getFileName() + ".new");
    Files.writeString(beside, text);
    Files.move(beside, file, StandardCopyOption.REPLACE_EXISTING);
  }

  /** Removes a folder with all that is in it, if it is there. */
  static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      List<Path> all;
      try (Stream<Path> files = Files.walk(folder)) {
        all = files.toList().reversed();
      }
      for (Path file : all) {
        Files.delete(file);
      }
    }
  }
}
