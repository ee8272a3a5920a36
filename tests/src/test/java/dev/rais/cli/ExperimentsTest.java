package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Every experiment's command can be run: what it compares, on little data and for a moment. */
class ExperimentsTest {
  @TempDir static Path folder;

  private static Path experiments() {
    Path at = Path.of("").toAbsolutePath();
    while (!Files.isDirectory(at.resolve("docs/experiments"))) {
      at = at.getParent();
    }
    return at.resolve("docs/experiments");
  }

  private static List<Path> scripts() throws IOException {
    try (Stream<Path> files = Files.list(experiments())) {
      return files.filter(f -> !f.getFileName().toString().contains(".")).sorted().toList();
    }
  }

  @Test
  void thePageListsThemAll() throws IOException {
    String page = Files.readString(experiments().resolve("README.md"));
    for (Path script : scripts()) {
      assertTrue(Files.isExecutable(script), script.toString());
      assertTrue(page.contains("](" + script.getFileName() + ")"), script.toString());
    }
  }

  @TestFactory
  Stream<DynamicTest> everyExperimentRuns() throws IOException {
    Path data = Cli.smallData(folder.resolve("small"), 320, 50);
    return scripts().stream()
        .map(
            script ->
                DynamicTest.dynamicTest(
                    script.getFileName().toString(), () -> runsOn(script, data)));
  }

  @Test
  void theRunsOfAnotherFolderAreEvaluated() throws IOException, InterruptedException {
    Path out = folder.resolve("else where");
    Path run = Files.createDirectories(out.resolve("runs/rais-seed0"));
    for (List<String> given : List.of(List.of("--out", out.toString()), List.of("--out=" + out))) {
      List<String> calls = calls(experiments().resolve("imbalanced"), given);
      assertTrue(calls.contains(run.resolve("model.safetensors").toString()), calls.toString());
    }
  }

  /** What a script calls rais with, call by call; each ends with an empty line. */
  private static List<String> calls(Path script, List<String> given)
      throws IOException, InterruptedException {
    Path root = Files.createTempDirectory(folder, "root");
    Path copy = root.resolve("docs/experiments").resolve(script.getFileName());
    Files.createDirectories(copy.getParent());
    Files.copy(script, copy);
    assertTrue(copy.toFile().setExecutable(true));
    Path rais = root.resolve("rais");
    Files.writeString(rais, "#!/usr/bin/env bash\nprintf '%s\\n' \"$@\" '' >>\"$0.calls\"\n");
    assertTrue(rais.toFile().setExecutable(true));
    List<String> command = new ArrayList<>(List.of(copy.toString()));
    command.addAll(given);
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    return Files.readAllLines(root.resolve("rais.calls"));
  }

  private static void runsOn(Path script, Path data) throws IOException, InterruptedException {
    String name = script.getFileName().toString();
    List<String> arguments = new ArrayList<>(arguments(script));
    assertEquals("compare", arguments.getFirst());
    int at = arguments.indexOf("--data") + 1;
    String asked = arguments.get(at);
    // The same changes of the data, but for a subset larger than there is.
    String changes = asked.contains("@") ? asked.substring(asked.indexOf('@')) : "";
    arguments.set(at, data + changes.replaceFirst("@subset=\\d+", "@subset=300"));
    arguments.set(arguments.indexOf("--model") + 1, "mlp");
    set(arguments, "--epochs", "0.5");
    set(arguments, "--seeds", "1");
    set(arguments, "--out", folder.resolve(name).toString());
    arguments.addAll(List.of("--batch-size", "16", "--quiet"));
    Cli.Outcome outcome = Cli.rais(arguments.toArray(String[]::new));
    assertEquals(0, outcome.code(), outcome.toString());
    int samplers = arguments.get(arguments.indexOf("--samplers") + 1).split(",").length;
    assertTrue(outcome.out().lines().count() >= samplers + 2, outcome.out());
  }

  private static void set(List<String> arguments, String option, String value) {
    int at = arguments.indexOf(option);
    if (at >= 0) {
      arguments.set(at + 1, value);
    } else {
      arguments.addAll(List.of(option, value));
    }
  }

  /** What the script calls rais with first. */
  private static List<String> arguments(Path script) throws IOException, InterruptedException {
    boolean takesData = Files.readString(script).contains("${1:?");
    List<String> called = calls(script, takesData ? List.of("some-data") : List.of());
    List<String> first = called.subList(0, called.indexOf(""));
    return first.contains("--model")
        ? first
        : Stream.concat(first.stream(), Stream.of("--model", "lenet5")).toList();
  }
}
