package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reports about runs on disk, and about folders that hold none. */
class ReportCommandTest {
  @TempDir static Path shared;
  @TempDir Path folder;
  private static Path uniform;
  private static Path rais;
  private static Path otherModel;
  private static Path otherData;

  @BeforeAll
  static void train() throws IOException {
    Path data = Cli.smallData(shared.resolve("small"), 640, 100);
    Path more = Cli.smallData(shared.resolve("more/small"), 800, 100);
    uniform = run(data, "uniform", "mlp");
    rais = run(data, "rais", "mlp");
    otherModel = run(data, "rais", "lenet5");
    otherData = run(more, "naive", "mlp");
  }

  private static Path run(Path data, String sampler, String model) {
    Path out = shared.resolve(sampler + "-" + model);
    Cli.Outcome outcome =
        Cli.rais(
            "train",
            "--data",
            data.toString(),
            "--sampler",
            sampler,
            "--model",
            model,
            "--epochs",
            "1",
            "--batch-size",
            "16",
            "--quiet",
            "--out",
            out.toString());
    assertEquals(0, outcome.code(), outcome.toString());
    return out;
  }

  private Cli.Outcome report(Path... runs) {
    List<String> arguments = new java.util.ArrayList<>(List.of("report"));
    Stream.of(runs).map(Path::toString).forEach(arguments::add);
    arguments.addAll(List.of("--out", page().toString(), "--json"));
    return Cli.rais(arguments.toArray(String[]::new));
  }

  private Path page() {
    return folder.resolve("out/report.html");
  }

  @Test
  void runsBecomeAPage() throws IOException {
    Cli.Outcome outcome = report(rais, uniform);
    assertEquals(0, outcome.code(), outcome.toString());
    String html = Files.readString(page());
    assertTrue(html.contains("<h1>RAIS: mlp on small</h1>"));
    assertTrue(html.indexOf("uniform</td>") < html.indexOf("rais</td>"), "uniform first");
    assertTrue(Files.exists(page().resolveSibling("plots/test-error-epochs.svg")));
    assertEquals(
        2, new ObjectMapper().readTree(outcome.lastLine()).get("rows").size(), outcome.out());
  }

  /** The same samplers by the same names, with the same reference. */
  @Test
  void theReportOfAComparisonHasItsRows() throws IOException {
    Path data = Cli.smallData(folder.resolve("small"), 640, 100);
    Path compared = folder.resolve("cmp");
    Cli.Outcome comparison =
        Cli.rais(
            "compare",
            "--data",
            data.toString(),
            "--model",
            "mlp",
            "--samplers",
            "uniform,uniform:epochs=0.5,rais,rais:gain-max=2",
            "--epochs",
            "1",
            "--batch-size",
            "16",
            "--seeds",
            "1",
            "--quiet",
            "--json",
            "--out",
            compared.toString());
    assertEquals(0, comparison.code(), comparison.toString());
    Cli.Outcome outcome = report(compared);
    assertEquals(0, outcome.code(), outcome.toString());
    JsonNode expected = new ObjectMapper().readTree(comparison.lastLine());
    JsonNode found = new ObjectMapper().readTree(outcome.lastLine());
    assertEquals(expected.get("target"), found.get("target"));
    assertEquals(bySampler(expected), bySampler(found));
    assertTrue(bySampler(found).containsKey("rais:gain-max=2"), found.toString());
  }

  private static Map<String, JsonNode> bySampler(JsonNode table) {
    Map<String, JsonNode> rows = new HashMap<>();
    table.get("rows").forEach(row -> rows.put(row.get("sampler").asText(), row));
    return rows;
  }

  @Test
  void aFolderIsNoPage() throws IOException {
    Path reports = Files.createDirectories(folder.resolve("reports"));
    Cli.Outcome outcome = Cli.rais("report", uniform.toString(), "--out", reports.toString());
    assertEquals(2, outcome.code(), outcome.toString());
    assertTrue(outcome.err().contains("--out " + reports + " is a folder"), outcome.err());
    assertEquals(List.of("reports"), Cli.contents(folder), "no plots beside it");
  }

  private void refuses(String sentence, Path... runs) {
    Cli.Outcome outcome = report(runs);
    assertEquals(1, outcome.code(), outcome.toString());
    assertTrue(outcome.err().contains(sentence), outcome.err());
    assertEquals(1, outcome.err().lines().count(), outcome.err());
    assertFalse(Files.exists(page()));
  }

  @Test
  void runsThatDoNotBelongTogetherAreRefused() {
    refuses("the model of " + uniform + " is mlp, that of " + otherModel, uniform, otherModel);
    // Of the same name, but with other images.
    refuses("the data of " + uniform + " is 640 training", uniform, otherData);
    refuses("are the same run twice (uniform, seed 0)", uniform, uniform);
  }

  @Test
  void whatIsNoWholeRunIsRefused() throws IOException {
    refuses("there is no folder " + folder.resolve("none"), folder.resolve("none"));
    Path empty = Files.createDirectory(folder.resolve("empty"));
    refuses(empty + " holds no run: it has no config.json", empty);

    Path half = copy("half");
    Files.delete(half.resolve("summary.json"));
    refuses("the run in " + half + " is half-written: it has no summary.json", half);

    Path cut = copy("cut");
    String lines = Files.readString(cut.resolve("metrics.jsonl"));
    Files.writeString(cut.resolve("metrics.jsonl"), lines.substring(0, lines.length() - 40));
    refuses("metrics.jsonl is damaged: line ", cut);

    Path binary = copy("binary");
    Files.write(binary.resolve("metrics.jsonl"), new byte[] {(byte) 0xff, 0, (byte) 0xfe});
    refuses("metrics.jsonl is damaged: it is no text", binary);

    Path shortened = copy("shortened");
    List<String> all = Files.readAllLines(shortened.resolve("metrics.jsonl"));
    Files.write(shortened.resolve("metrics.jsonl"), all.subList(0, all.size() - 1));
    refuses("metrics.jsonl is damaged: it ends at iteration ", shortened);

    Path config = copy("config");
    Files.writeString(config.resolve("config.json"), "{\"sampler\": \"rais\"}");
    refuses("config.json is damaged: it is no TrainingConfig", config);
  }

  private Path copy(String name) throws IOException {
    Path to = Files.createDirectory(folder.resolve(name));
    try (Stream<Path> files = Files.list(uniform)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      }
    }
    return to;
  }
}
