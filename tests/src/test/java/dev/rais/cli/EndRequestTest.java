package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.train.Checkpoints;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A run that is told to end saves itself first, and goes on from there to the same end. */
@Timeout(600)
class EndRequestTest {
  @TempDir Path folder;

  /** Ctrl-C takes the same way, but a process in the background may be deaf to it. */
  @Test
  void aSignalIsAnsweredWithACheckpoint() throws Exception {
    Path data = Cli.smallData(folder.resolve("data"), 400, 100);
    Path whole = folder.resolve("whole");
    assertEquals(0, Cli.rais(train(data, whole).toArray(String[]::new)).code());
    Path out = folder.resolve("told");
    Process process = start(train(data, out));
    awaitFirstEvaluation(out, process);
    Process kill = new ProcessBuilder("kill", "-TERM", "" + process.pid()).start();
    assertEquals(0, kill.waitFor());
    assertTrue(process.waitFor(5, TimeUnit.MINUTES), "it ends");
    String text = Files.readString(folder.resolve("output"));
    assertEquals(143, process.exitValue(), text);
    assertTrue(text.contains("told to end; saved " + out), text);
    assertEquals(1, Checkpoints.list(out).size(), "long before the first was due");
    Cli.Outcome resumed =
        Cli.rais(
            "train",
            "--resume",
            out.toString(),
            "--data",
            folder.resolve("data").toString(),
            "--quiet");
    assertEquals(0, resumed.code(), resumed.toString());
    assertEquals(metrics(whole), metrics(out));
    assertEquals(
        -1, Files.mismatch(whole.resolve("model.safetensors"), out.resolve("model.safetensors")));
  }

  private static List<String> train(Path data, Path out) {
    return List.of(
        "train",
        "--data",
        data.toString(),
        "--out",
        out.toString(),
        "--model",
        "mlp",
        "--epochs",
        "60",
        "--batch-size",
        "8",
        "--eval-every",
        "0.2",
        "--quiet");
  }

  private Process start(List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    // With the rounding that this process has.
    command.add("--add-modules=jdk.incubator.vector");
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), "dev.rais.cli.Main"));
    command.addAll(arguments);
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(folder.resolve("output").toFile())
        .start();
  }

  private static void awaitFirstEvaluation(Path out, Process process) throws Exception {
    Path metrics = out.resolve("metrics.jsonl");
    while (!Files.exists(metrics) || Files.size(metrics) == 0) {
      assertTrue(process.isAlive(), "it ended by itself");
      Thread.sleep(20);
    }
  }

  private static List<String> metrics(Path run) throws IOException {
    return Files.readAllLines(run.resolve("metrics.jsonl")).stream()
        .map(line -> line.replaceFirst("\"seconds\":[^,}]*", ""))
        .toList();
  }
}
