package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A folder that a process trains into is nobody else's until that process has ended. */
class TwoProcessesTest {
  @TempDir Path folder;

  @Test
  void theSecondIsToldWhoIsThereAndTheNextGoesOn() throws Exception {
    Path data = Cli.smallData(folder.resolve("data"), 200, 20);
    Path out = folder.resolve("run");
    String[] begin = {
      "train",
      "--quiet",
      "--backend",
      "cpu",
      "--threads",
      "1",
      "--data",
      data.toString(),
      "--model",
      "mlp",
      "--batch-size",
      "10",
      "--epochs",
      "1000000",
      "--keep-checkpoints",
      "1000000",
      "--checkpoint-every",
      "20",
      "--out",
      out.toString()
    };
    Process first = start(begin);
    try {
      while (checkpoints(out) == 0) {
        assertTrue(first.isAlive(), "the first process ended");
        Thread.sleep(20);
      }
      String owner = out + " is in use by process " + first.pid();
      for (List<String> second :
          List.of(
              List.of("train", "--quiet", "--resume", out.toString(), "--data", data.toString()),
              List.of(
                  "train",
                  "--quiet",
                  "--data",
                  data.toString(),
                  "--model",
                  "mlp",
                  "--force",
                  "--epochs",
                  "1",
                  "--out",
                  out.toString()))) {
        Cli.Outcome refused = Cli.rais(second.toArray(String[]::new));
        assertEquals(1, refused.code(), refused.toString());
        assertTrue(refused.err().contains(owner), refused.toString());
      }
      assertTrue(first.isAlive() && checkpoints(out) > 0, "the first was not disturbed");
    } finally {
      first.destroyForcibly().waitFor();
    }
    // Its lock has gone with it, though its file is still there.
    assertTrue(Files.exists(out.resolve("run.lock")));
    Cli.Outcome next =
        Cli.rais(
            "train",
            "--quiet",
            "--data",
            data.toString(),
            "--model",
            "mlp",
            "--batch-size",
            "10",
            "--force",
            "--epochs",
            "1",
            "--out",
            out.toString());
    assertEquals(0, next.code(), next.toString());
  }

  private static Process start(String... arguments) throws Exception {
    List<String> command =
        new java.util.ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  private static int checkpoints(Path out) throws Exception {
    Path checkpoints = out.resolve("checkpoints");
    if (!Files.isDirectory(checkpoints)) {
      return 0;
    }
    try (var files = Files.list(checkpoints)) {
      return (int)
          files.filter(f -> f.getFileName().toString().matches("\\d+\\.safetensors")).count();
    }
  }
}
