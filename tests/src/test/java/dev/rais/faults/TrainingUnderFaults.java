package dev.rais.faults;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A short {@code rais train} in this process, with woven classes, and what must hold after it
 * whatever failed: one sentence, exit code 1, no memory, thread or file left, and of the run either
 * nothing or something that goes on to the same end.
 */
final class TrainingUnderFaults {
  private static final int EXIT_WAIT_MILLIS = 600_000;

  /** Threads that make what comes next; at the end of a run nobody asks for that any more. */
  private static final Set<String> AHEAD = Set.of("rais-input", "rais-uncertainty-set");

  /** What the command left behind. */
  record Outcome(int code, List<String> lines) {}

  private final Path folder;
  private final List<String> options;
  private final Constructor<?> console;
  private final Method run;
  private Path expected;
  private List<Path> openBefore;

  /**
   * @param folder for the runs
   * @param options of {@code rais train}, but for the folder of the run
   */
  TrainingUnderFaults(Path folder, List<String> options) throws ReflectiveOperationException {
    this.folder = folder;
    this.options = options;
    WovenClasses classes = new WovenClasses();
    Class<?> consoleClass = Class.forName("dev.rais.cli.Console", true, classes);
    console = consoleClass.getDeclaredConstructor(PrintStream.class, PrintStream.class, int.class);
    console.setAccessible(true);
    run =
        Class.forName("dev.rais.cli.Main", true, classes)
            .getDeclaredMethod("run", consoleClass, String[].class);
    run.setAccessible(true);
  }

  /** Trains without a fault, twice, so that no class is initialised afterwards. */
  void trainWithoutFaults() throws IOException {
    for (String name : List.of("first", "expected")) {
      Faults.arm(null);
      expected = folder.resolve(name);
      Outcome outcome = train("--out", expected.toString());
      require(outcome.code() == 0, "without a fault: %s", outcome);
      require(Faults.left().isEmpty(), "without a fault, left open: %s", Faults.left());
    }
  }

  /** Leaves the folder of an interrupted run behind, which the resuming methods copy. */
  void interrupt(Faults.Target target) throws IOException {
    Path out = folder.resolve("interrupted");
    Faults.arm(target);
    Outcome outcome = train("--out", out.toString());
    require(outcome.code() == 1 && Files.exists(out), "was not interrupted: %s", outcome);
  }

  /** Goes on without a fault. */
  void resumeWithoutFaults() throws IOException {
    Path out = copyOfInterrupted();
    Faults.arm(null);
    Outcome outcome = train("--resume", out.toString());
    require(outcome.code() == 0 && isExpected(out), "without a fault: %s", outcome);
  }

  /** Trains with one fault; what must hold is checked. */
  void train(Faults.Target target) throws IOException {
    Path out = folder.resolve("run");
    delete(out);
    Faults.arm(target);
    check(target, train("--out", out.toString()), out);
  }

  /** Goes on from the interrupted run with one fault; what must hold is checked. */
  void resume(Faults.Target target) throws IOException {
    Path out = copyOfInterrupted();
    Faults.arm(target);
    check(target, train("--resume", out.toString()), out);
  }

  private void check(Faults.Target target, Outcome outcome, Path out) throws IOException {
    String failed = Faults.failed();
    List<String> left = Faults.left();
    require(left.isEmpty(), "left open: %s; %s", left, outcome);
    require(noThreads(), "a thread is left");
    List<Path> files = openFiles();
    files.removeAll(openBefore);
    require(files.isEmpty(), "files are open: %s", files);
    Faults.arm(null);
    boolean ofDnn = target.place().startsWith(Faults.ONEDNN);
    if (outcome.code() == 0) {
      // Java's loops round differently, which a run that goes on says in a second line.
      boolean replaced = ofDnn && outcome.lines().size() <= 2 && mentions(outcome, "pure Java");
      require(replaced || isExpected(out), "succeeded with another result: %s", outcome);
      require(
          replaced || failed == null || AHEAD.contains(failed) || mentions(outcome, "memory"),
          "failed on thread %s, and nobody was told",
          failed);
      return;
    }
    require(failed != null, "failed on its own: %s", outcome);
    require(
        outcome.code() == 1
            && outcome.lines().size() <= 2
            && outcome.lines().getLast().startsWith("rais")
            && outcome.lines().getLast().contains(ofDnn ? "oneDNN failed" : "memory is used up"),
        "not one clear sentence: %s",
        outcome);
    if (Files.exists(out.resolve("summary.json"))) {
      require(isExpected(out), "finished with another result");
    } else if (Files.exists(out)) {
      Outcome resumed = train("--resume", out.toString());
      require(
          resumed.code() == 0 && resumed.lines().isEmpty() && isExpected(out),
          "does not go on: %s",
          resumed);
    }
  }

  private static boolean mentions(Outcome outcome, String sentence) {
    return outcome.lines().stream().anyMatch(line -> line.contains(sentence));
  }

  private boolean isExpected(Path out) throws IOException {
    for (String name : List.of("model.safetensors", "draws.safetensors")) {
      if (Files.mismatch(expected.resolve(name), out.resolve(name)) >= 0) {
        return false;
      }
    }
    return metrics(expected).equals(metrics(out));
  }

  private static String metrics(Path out) throws IOException {
    return Files.readString(out.resolve("metrics.jsonl"))
        .replaceAll("\"seconds[A-Za-z]*\":[^,}]+", "");
  }

  private Outcome train(String... more) throws IOException {
    openBefore = openFiles();
    List<String> arguments = new ArrayList<>(List.of("train", "--quiet"));
    arguments.addAll(options);
    arguments.addAll(Arrays.asList(more));
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    try {
      Object to =
          console.newInstance(
              new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8),
              new PrintStream(err, true, StandardCharsets.UTF_8),
              0);
      int code = (int) run.invoke(null, to, arguments.toArray(String[]::new));
      return new Outcome(code, err.toString(StandardCharsets.UTF_8).lines().toList());
    } catch (ReflectiveOperationException e) {
      throw new AssertionError("the command threw " + e.getCause(), e);
    }
  }

  /** Whether all threads of a run have ended, after some time at most. */
  private static boolean noThreads() {
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().startsWith("rais-")) {
        try {
          thread.join(EXIT_WAIT_MILLIS);
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
        if (thread.isAlive()) {
          return false;
        }
      }
    }
    return true;
  }

  private List<Path> openFiles() throws IOException {
    Path open = Path.of("/proc/self/fd");
    List<Path> files = new ArrayList<>();
    if (Files.isDirectory(open)) {
      try (Stream<Path> all = Files.list(open)) {
        for (Path one : all.toList()) {
          try {
            Path file = Files.readSymbolicLink(one);
            if (file.startsWith(folder)) {
              files.add(file);
            }
          } catch (NoSuchFileException e) {
            // The listing itself was open.
          }
        }
      }
    }
    return files;
  }

  private Path copyOfInterrupted() throws IOException {
    Path interrupted = folder.resolve("interrupted");
    Path out = folder.resolve("resumed");
    delete(out);
    try (Stream<Path> all = Files.walk(interrupted)) {
      for (Path file : all.toList()) {
        Files.copy(file, out.resolve(interrupted.relativize(file).toString()));
      }
    }
    return out;
  }

  private static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> all = Files.walk(folder)) {
        all.sorted(Comparator.reverseOrder()).forEach(TrainingUnderFaults::deleteFile);
      }
    }
  }

  private static void deleteFile(Path file) {
    try {
      Files.delete(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void require(boolean holds, String message, Object... details) {
    if (!holds) {
      throw new AssertionError(message.formatted(details));
    }
  }
}
