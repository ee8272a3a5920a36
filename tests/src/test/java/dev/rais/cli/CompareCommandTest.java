package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@code rais compare} prints, leaves behind, and refuses. */
class CompareCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir static Path shared;
  @TempDir Path folder;
  private static Path data;

  @BeforeAll
  static void writeData() throws IOException {
    data = Cli.smallData(shared.resolve("small"), 640, 100);
  }

  private static String[] arguments(String... more) {
    List<String> all =
        new ArrayList<>(List.of("compare", "--data", data.toString(), "--model", "mlp"));
    all.addAll(List.of("--epochs", "3", "--batch-size", "16", "--seeds", "1"));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  /** As where a script's options are followed by one's own. */
  @Test
  void anOptionGivenAgainTakesNothingElseAway() throws IOException {
    String out = folder.resolve("again").toString();
    Cli.Outcome outcome =
        Cli.rais(
            arguments(
                "--samplers", "naive", "--out", out, "--seeds", "2", "--epochs", "1", "--json"));
    assertEquals(0, outcome.code(), outcome.toString());
    JsonNode rows = JSON.readTree(outcome.lastLine()).get("rows");
    JsonNode naive = rows.get(rows.size() - 1);
    assertEquals("naive", naive.get("sampler").asText(), outcome.out());
    assertEquals(2, naive.get("runs").asInt());
    assertEquals(1, naive.get("epochsEquivalent").get("mean").asDouble(), 0.1);
  }

  @Test
  void theTableIsPrintedAndWritten() throws IOException {
    Path out = folder.resolve("cmp");
    Cli.Outcome outcome =
        Cli.rais(arguments("--out", out.toString(), "--samplers", "rais,infobatch", "--json"));
    assertEquals(0, outcome.code(), outcome.toString());
    JsonNode table = JSON.readTree(outcome.lastLine());
    assertEquals(table, JSON.readTree(out.resolve("compare.json").toFile()));
    List<String> samplers = new ArrayList<>();
    table.get("rows").forEach(row -> samplers.add(row.get("sampler").asText()));
    assertEquals(List.of("uniform", "uniform-short", "rais", "infobatch"), samplers);
    JsonNode uniform = table.get("rows").get(0);
    assertEquals(3.0, uniform.get("epochs").get("mean").asDouble());
    assertEquals(1.0, uniform.get("speedUpEpochs").asDouble());
    assertEquals(
        uniform.get("finalTestError").get("mean").asDouble() + 0.001,
        table.get("target").asDouble(),
        1e-12);
    assertTrue(outcome.err().contains("seed 0, rais: epochs "), outcome.err());
    assertFalse(outcome.err().contains("\u001b"), "no terminal, no escape codes");
    for (String name : List.of("uniform", "uniform-short", "rais", "infobatch")) {
      assertTrue(Files.exists(out.resolve("runs/" + name + "-seed0/summary.json")), name);
    }

    // Again: nothing is trained, the same table for people.
    Cli.Outcome again =
        Cli.rais(arguments("--out", out.toString(), "--samplers", "rais,infobatch", "--quiet"));
    assertEquals(0, again.code(), again.toString());
    assertEquals("", again.err());
    List<String> lines = again.out().lines().toList();
    assertEquals(6, lines.size(), again.out());
    assertTrue(lines.get(0).matches("sampler +epochs +equivalent .*speed-up +in time"));
    assertTrue(lines.get(1).startsWith("uniform ") && lines.get(1).contains("×1.00"), lines.get(1));
  }

  @Test
  void theTableIsPrintedAlthoughThePageCannotBeWritten() throws IOException {
    Path out = Files.createDirectory(folder.resolve("cmp"));
    Files.writeString(out.resolve("plots"), "a file in the way");
    Cli.Outcome outcome = Cli.rais(arguments("--out", out.toString(), "--epochs", "0.5"));
    assertEquals(1, outcome.code(), outcome.toString());
    assertTrue(outcome.err().contains("cannot write plots to "), outcome.err());
    assertTrue(outcome.out().startsWith("sampler "), outcome.out());
  }

  @Test
  void aTerminalShowsATable() {
    Cli.Outcome outcome =
        Cli.raisOn(100, arguments("--out", folder.resolve("t").toString(), "--epochs", "0.5"));
    assertEquals(0, outcome.code(), outcome.toString());
    assertTrue(outcome.err().contains("seed 0\n"), outcome.err());
    assertTrue(outcome.err().contains("\u001b["), "drawn over itself");
    assertTrue(outcome.err().contains("done: test error"), outcome.err());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--samplers unifrm,rais|there is no sampler \"unifrm\"; did you mean \"uniform\"?",
        "--samplers rais:gain=3|there is no option of samplers \"gain\"",
        "--samplers naive,naive|\"naive\" is listed twice",
        "--samplers rais:gain-max=0.5|gain-max must be at least 1, not 0.5",
        "--seeds 0|--seeds must be from 1 to 1000, not 0",
        "--model lenet|there is no model \"lenet\"; did you mean \"lenet5\"?",
        "--checkpoint-every often|--checkpoint-every must be"
      })
  void mistakesAreNamedBeforeAnythingIsTrained(String given, String sentence) {
    Path out = folder.resolve("cmp");
    List<String> all = new ArrayList<>(List.of("compare", "--out", out.toString()));
    all.addAll(List.of(given.split(" ")));
    Cli.Outcome outcome = Cli.rais(all.toArray(String[]::new));
    assertEquals(2, outcome.code(), outcome.toString());
    assertTrue(outcome.err().contains(sentence), outcome.err());
    assertEquals(1, outcome.err().lines().count(), outcome.err());
    assertFalse(Files.exists(out));
  }

  @Test
  void withoutAFolderThereIsNoComparison() {
    Cli.Outcome outcome = Cli.rais(arguments());
    assertEquals(2, outcome.code(), outcome.toString());
    assertTrue(outcome.err().contains("--out DIR is missing"), outcome.err());
  }
}
