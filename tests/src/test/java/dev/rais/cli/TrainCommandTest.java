package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.rais.backend.Placement;
import dev.rais.train.RunMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code rais train} prints and leaves behind. */
class TrainCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> RUN_FILES =
      List.of(
          "config.json", "draws.safetensors", "metrics.jsonl", "model.safetensors", "summary.json");

  private static final Set<String> SUMMARY_FIELDS =
      Set.of(
          "sampler",
          "model",
          "data",
          "backend",
          "seed",
          "batchSize",
          "iterations",
          "epochs",
          "epochsEquivalent",
          "finalTrainLoss",
          "finalTestError",
          "finalTop5Error",
          "bestTestError",
          "meanGainRatio",
          "imagesPerSecond",
          "secondsTraining",
          "secondsTotal",
          "samplerOverhead",
          "inputIdleShare");

  private static final Set<String> METRICS_FIELDS =
      Set.of(
          "iteration",
          "epochs",
          "epochsEquivalent",
          "gainRatio",
          "learningRate",
          "trainLoss",
          "testLoss",
          "testError",
          "testTop5Error",
          "seconds",
          "draws");

  @TempDir static Path shared;
  @TempDir Path folder;
  private static Path data;

  @BeforeAll
  static void writeData() throws IOException {
    data = Cli.smallData(shared.resolve("small"), 800, 200);
  }

  @ParameterizedTest
  @CsvSource({
    "mlp, rais, 1",
    "lenet5, rais, 1",
    "mlp, naive, 0.5",
    "mlp, oracle, 0.5",
    "mlp, presample, 3",
    "mlp, loshchilov, 4",
    "mlp, selective-backprop, 2",
    "mlp, infobatch, 3",
    "mlp, adascale, 0.5",
    "mlp, uniform-short, 1"
  })
  void sameSeedSameRun(String model, String sampler, String epochs) throws IOException {
    List<List<JsonNode>> runs = new ArrayList<>();
    for (String name : List.of("first", "second")) {
      Path out = folder.resolve(name);
      Cli.Outcome outcome =
          train(
              "--model",
              model,
              "--sampler",
              sampler,
              "--epochs",
              epochs,
              "--seed",
              "7",
              "--batch-size",
              "16",
              "--quiet",
              "--out",
              out.toString());
      assertEquals(0, outcome.code(), outcome.toString());
      List<JsonNode> metrics = metrics(out);
      metrics.forEach(line -> ((ObjectNode) line).remove("seconds"));
      runs.add(metrics);
    }
    assertEquals(runs.get(0), runs.get(1));
    assertTrue(runs.get(0).size() >= 10, "an evaluation at every tenth of the run");
  }

  @Test
  void otherSeedOtherRun() throws IOException {
    Path out = folder.resolve("run");
    List<String> losses = new ArrayList<>();
    for (String seed : List.of("1", "2")) {
      train(
          "--model", "mlp", "--epochs", "0.2", "--quiet", "--seed", seed, "--out", out.toString());
      losses.add(summary(out).get("finalTrainLoss").asText());
    }
    assertFalse(losses.get(0).equals(losses.get(1)), losses.toString());
    assertEquals(RUN_FILES, Cli.contents(out), "the second run replaced the files of the first");
  }

  @Test
  void jsonIsTheLastLineAndTheFilesAgreeWithIt() throws IOException {
    Path out = folder.resolve("new/run");
    Cli.Outcome outcome =
        train(
            "--model",
            "mlp",
            "--sampler",
            "uniform",
            "--epochs",
            "2",
            "--batch-size",
            "32",
            "--json",
            "--eval-every",
            "0.25",
            "--out",
            out.toString());
    assertEquals(0, outcome.code(), outcome.toString());
    JsonNode printed = JSON.readTree(outcome.lastLine());
    assertTrue(fields(printed).containsAll(SUMMARY_FIELDS), outcome.out());
    assertEquals("uniform", printed.get("sampler").asText());
    assertEquals("small", printed.get("data").asText());
    assertEquals(50, printed.get("iterations").asInt());
    assertEquals(2.0, printed.get("epochs").asDouble());
    assertTrue(printed.get("finalTestError").asDouble() < 0.6, "it learns");

    assertEquals(RUN_FILES, Cli.contents(out));
    assertEquals(printed, summary(out));
    JsonNode config = JSON.readTree(out.resolve("config.json").toFile());
    assertEquals("uniform", config.get("sampler").asText());
    assertEquals("step", config.get("schedule").asText());
    assertEquals("iid", config.get("draw").asText());
    assertEquals(0.05, config.get("learningRate").asDouble());
    List<JsonNode> metrics = metrics(out);
    // Every quarter epoch of two, every tenth of the run; four of them fall together.
    assertTrue(metrics.size() >= 14, metrics.size() + " evaluations");
    for (JsonNode line : metrics) {
      assertTrue(fields(line).containsAll(METRICS_FIELDS), line.toString());
    }
    assertEquals(printed.get("finalTestError"), metrics.getLast().get("testError"));
    assertEquals(printed.get("finalTrainLoss"), metrics.getLast().get("trainLoss"));
    // Without a terminal: two lines to begin with, then one for every evaluation.
    assertEquals(3 + metrics.size(), outcome.err().lines().count(), outcome.err());
    assertTrue(
        outcome
            .err()
            .matches("(?s).*\nmemory: [0-9.]+ MB for activations, [0-9.]+ MB for parameters\n.*"),
        outcome.err());
    assertFalse(outcome.err().contains("\r"));
  }

  @ParameterizedTest
  @CsvSource({
    "presample,          --presample,          1,   presample",
    "loshchilov,         --selection-pressure, 10,  selectionPressure",
    "selective-backprop, --beta,               1,   beta",
    "infobatch,          --prune-ratio,        0.7, pruneRatio",
    "infobatch,          --anneal,             0.5, anneal",
    "adascale,           --scale,              2,   scale",
    "uniform-short,      --speed-up,           4,   speedUp"
  })
  void optionsOfTheOtherSamplersReachTheRunAndItsConfiguration(
      String sampler, String option, double value, String field) throws IOException {
    Path out = folder.resolve("run");
    String[] common = {
      "--model", "mlp", "--batch-size", "16", "--epochs", "12", "--quiet", "--sampler", sampler
    };
    List<String> arguments = new ArrayList<>(List.of(common));
    Cli.Outcome plain = train(with(arguments, "--out", out.toString()));
    assertEquals(0, plain.code(), plain.toString());
    JsonNode before = summary(out);
    Cli.Outcome outcome =
        train(with(arguments, "--out", out.toString(), option, Double.toString(value)));
    assertEquals(0, outcome.code(), outcome.toString());
    JsonNode config = JSON.readTree(out.resolve("config.json").toFile());
    assertEquals(value, config.get(field).asDouble());
    assertFalse(
        before.get("finalTrainLoss").equals(summary(out).get("finalTrainLoss")),
        "it has an effect");
  }

  @Test
  void forwardPassesThatOnlyScoreCountAsWork() throws IOException {
    Path out = folder.resolve("run");
    train(
        "--model",
        "mlp",
        "--batch-size",
        "16",
        "--epochs",
        "3",
        "--quiet",
        "--sampler",
        "selective-backprop",
        "--out",
        out.toString());
    JsonNode summary = summary(out);
    long forward = summary.get("forwardExamples").asLong();
    long backward = summary.get("backwardExamples").asLong();
    assertEquals(16 * summary.get("iterations").asLong(), backward);
    // Three passes over the data, and those selected once more.
    assertEquals(3 * 800 + backward, forward, 10 * 16);
    assertEquals((forward + 2.0 * backward) / (3 * 800), summary.get("epochs").asDouble(), 1e-9);
    assertTrue(backward < 3 * 800 / 2, "about a third is selected: " + backward);
  }

  @ParameterizedTest
  @ValueSource(strings = {"uniform", "uniform-iid", "uniform-short", "rais", "naive", "oracle"})
  void classBalanceAndCautionReachTheRun(String sampler) throws IOException {
    Path out = folder.resolve("run");
    Cli.Outcome outcome =
        train(
            "--model",
            "mlp",
            "--sampler",
            sampler,
            "--epochs",
            "0.5",
            "--quiet",
            "--class-balance",
            "--no-caution",
            "--out",
            out.toString());
    assertEquals(0, outcome.code(), outcome.toString());
    JsonNode config = JSON.readTree(out.resolve("config.json").toFile());
    assertTrue(config.get("classBalance").asBoolean());
    assertFalse(config.get("caution").asBoolean());
    train("--model", "mlp", "--epochs", "0.1", "--quiet", "--caution", "--out", out.toString());
    config = JSON.readTree(out.resolve("config.json").toFile());
    assertFalse(config.get("classBalance").asBoolean());
    assertTrue(config.get("caution").asBoolean());
  }

  private static String[] with(List<String> arguments, String... more) {
    List<String> all = new ArrayList<>(arguments);
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  @Test
  void theClosingTableIsForPeople() {
    Cli.Outcome outcome = train("--model", "mlp", "--epochs", "0.2", "--quiet");
    assertEquals("", outcome.err());
    String number = "\\d+\\.\\d\\d";
    List<String> rows =
        List.of(
            "test error          " + number + " % \\(best " + number + " %\\)",
            "train loss          \\d+\\.\\d{4}",
            "epochs              " + number + " real, " + number + " equivalent",
            "speed-up in epochs  ×" + number,
            "images/s            [\\d,]+",
            "time                .* training, .* in all",
            "sampler overhead    " + number + " %",
            "computed by         .*, \\d+ threads?");
    List<String> lines = outcome.out().lines().toList();
    assertEquals(rows.size(), lines.size(), outcome.out());
    for (int i = 0; i < rows.size(); i++) {
      assertTrue(lines.get(i).matches(rows.get(i)), lines.get(i));
    }
  }

  @Test
  void aTerminalGetsABarThatFits() {
    String[] command = {
      "train", "--data", data.toString(), "--model", "mlp", "--epochs", "2", "--batch-size", "16"
    };
    Cli.Outcome outcome = Cli.raisOn(70, command);
    assertEquals(0, outcome.code(), outcome.toString());
    String[] drawn = outcome.err().split("\r");
    assertTrue(drawn.length > 1, outcome.err());
    for (int i = 1; i < drawn.length; i++) {
      assertTrue(drawn[i].stripTrailing().length() < 70, drawn[i]);
      assertTrue(drawn[i].startsWith("epochs "), drawn[i]);
    }
    String last = drawn[drawn.length - 1].strip();
    assertTrue(
        last.matches("epochs 2\\.00/2 \\[█+] ETA 0:00, loss \\d\\.\\d{3}, gain \\d\\.\\d\\d"),
        last);
    assertTrue(outcome.err().endsWith("\n"));
  }

  @Test
  void aDivergedRunSaysWhereAndSavesTheLastGoodState() throws IOException {
    Path out = folder.resolve("diverged");
    Cli.Outcome outcome =
        train(
            "--model", "mlp", "--lr", "1e20", "--epochs", "1", "--quiet", "--out", out.toString());
    assertEquals(1, outcome.code(), outcome.toString());
    assertEquals("", outcome.out());
    Matcher sentence =
        Pattern.compile(
                "rais train: the training loss became (NaN|-?Infinity) at iteration \\d+; the last"
                    + " good state is that of iteration \\d+, saved in (.*); try a lower --lr\n")
            .matcher(outcome.err());
    assertTrue(sentence.matches(), outcome.err());
    assertEquals(out.resolve("model.safetensors").toString(), sentence.group(2));
    assertEquals(
        List.of(
            "config.json",
            "diverged.json",
            "draws.safetensors",
            "metrics.jsonl",
            "model.safetensors"),
        Cli.contents(out));
    String[] eval = {"eval", "--model-file", sentence.group(2), "--data", data.toString()};
    assertEquals(0, Cli.rais(eval).code(), "the saved state can be used");
  }

  private static Cli.Outcome train(String... options) {
    List<String> arguments = new ArrayList<>(List.of("train", "--data", data.toString()));
    arguments.addAll(List.of(options));
    return Cli.rais(arguments.toArray(String[]::new));
  }

  private static JsonNode summary(Path out) throws IOException {
    return JSON.readTree(out.resolve("summary.json").toFile());
  }

  private static List<JsonNode> metrics(Path out) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(out.resolve("metrics.jsonl"))) {
      lines.add(JSON.readTree(line));
    }
    return lines;
  }

  private static Set<String> fields(JsonNode object) {
    Set<String> names = new TreeSet<>();
    object.fieldNames().forEachRemaining(names::add);
    return names;
  }

  @Test
  void memoryIsToldWithWhereImagesLie() {
    String rest = "1.0 MB for activations, 2.0 MB for parameters";
    assertEquals(rest, memory(0, Placement.SHARED, Placement.SHARED));
    assertEquals(
        rest + ", 0.3 MB for the sampler, 90.0 MB for images",
        memory(300_000, Placement.DEVICE, Placement.DEVICE));
    assertEquals(
        rest + ", 80.0 MB for images; 10.0 MB of images in the host's memory",
        memory(0, Placement.DEVICE, Placement.HOST));
    assertEquals(
        rest + "; 90.0 MB of images in the host's memory",
        memory(0, Placement.HOST, Placement.HOST));
  }

  private static String memory(long sampler, Placement train, Placement test) {
    return TrainCommand.text(
        new RunMemory(1_000_000, 2_000_000, sampler, train, 80_000_000, test, 10_000_000));
  }
}
