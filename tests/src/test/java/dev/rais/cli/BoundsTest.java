package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bounds of the gain ratio and of weights are kept, and what they did is told. */
class BoundsTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private Cli.Outcome train(String gainMax, String... more) throws Exception {
    Path data = Cli.smallData(folder.resolve("data"), 400, 20);
    List<String> arguments =
        new java.util.ArrayList<>(
            List.of(
                "train",
                "--quiet",
                "--data",
                data.toString(),
                "--backend",
                "cpu",
                "--model",
                "mlp",
                "--batch-size",
                "20",
                "--epochs",
                "12",
                "--no-caution",
                "--lr",
                "0.05",
                "--gain-max",
                gainMax,
                "--out",
                folder.resolve("run").toString()));
    arguments.addAll(List.of(more));
    Cli.Outcome outcome = Cli.rais(arguments.toArray(String[]::new));
    assertEquals(0, outcome.code(), outcome.toString());
    return outcome;
  }

  @Test
  void theGainRatiosBoundIsCounted() throws Exception {
    JsonNode summary = JSON.readTree(train("1.05", "--json").lastLine());
    long iterations = summary.get("iterations").asLong();
    long hits = summary.get("gainBoundHits").asLong();
    assertTrue(hits > 0 && hits <= iterations, summary.toString());
    double share = summary.get("boundShare").asDouble();
    assertTrue(share > 0 && share <= 1, summary.toString());
    assertTrue(summary.get("meanGainRatio").asDouble() <= 1.05, summary.toString());
    List<String> lines = Files.readAllLines(folder.resolve("run/metrics.jsonl"));
    long before = 0;
    for (String line : lines) {
      JsonNode metrics = JSON.readTree(line);
      assertTrue(metrics.get("gainRatio").asDouble() <= 1.05, line);
      assertTrue(metrics.get("gainBoundHits").asLong() >= before, line);
      before = metrics.get("gainBoundHits").asLong();
    }
    assertEquals(hits, before);
    String table = train("1.05").out();
    assertTrue(table.contains("bounds used"), table);
    assertTrue(table.contains("gain ratio " + hits + " times"), table);
  }

  @Test
  void aBoundThatIsNeverReachedIsNotMentioned() throws Exception {
    JsonNode summary = JSON.readTree(train("1000", "--json").lastLine());
    assertEquals(0, summary.get("gainBoundHits").asLong());
    assertEquals(0, summary.get("boundShare").asDouble());
    long floored = summary.get("flooredExamples").asLong();
    String table = train("1000").out();
    assertEquals(floored > 0, table.contains("bounds used"), table);
  }
}
