package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs can be watched while they go. */
class WatchOptionsTest {
  @TempDir Path folder;

  @Test
  void aRunWritesEventsAndServesItsReport() throws IOException {
    Path data = Cli.smallData(folder.resolve("small"), 640, 100);
    Path events = folder.resolve("events");
    String[] train = {
      "train",
      "--data",
      data.toString(),
      "--model",
      "mlp",
      "--epochs",
      "1",
      "--batch-size",
      "16",
      "--quiet",
      "--tensorboard",
      events.toString(),
      "--report",
      "live"
    };
    Cli.Outcome outcome = Cli.rais(train);
    assertEquals(0, outcome.code(), outcome.toString());
    assertTrue(outcome.err().matches("report: http://127\\.0\\.0\\.1:\\d+/\n"), outcome.err());
    List<String> files = Cli.contents(events);
    assertEquals(1, files.size());
    assertTrue(files.getFirst().startsWith("events.out.tfevents."), files.getFirst());

    String[] compare = {
      "compare",
      "--data",
      data.toString(),
      "--model",
      "mlp",
      "--epochs",
      "1",
      "--seeds",
      "1",
      "--quiet",
      "--tensorboard",
      folder.resolve("more").toString(),
      "--out",
      folder.resolve("cmp").toString()
    };
    assertEquals(0, Cli.rais(compare).code());
    List<String> folders =
        Cli.contents(folder.resolve("more")).stream().filter(f -> !f.contains("/")).toList();
    assertEquals(List.of("rais-seed0", "uniform-seed0", "uniform-short-seed0"), folders);
  }

  @Test
  void mistakesAreNamed() {
    for (String value : List.of("life", "live:", "live:70000", "live:x")) {
      Cli.Outcome outcome = Cli.rais("train", "--report", value);
      assertEquals(2, outcome.code(), outcome.toString());
      assertTrue(outcome.err().contains("--report must be live or live:PORT"), outcome.err());
    }
  }
}
