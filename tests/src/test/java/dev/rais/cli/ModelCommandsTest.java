package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.data.Datasets;
import dev.rais.data.ImageSet;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code rais eval} and {@code rais predict} make of a model file. */
class ModelCommandsTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir static Path folder;
  private static Path data;
  private static Path model;
  private static JsonNode summary;

  @BeforeAll
  static void train() throws IOException {
    data = Cli.smallData(folder.resolve("small"), 800, 200);
    Path out = folder.resolve("run");
    Cli.Outcome outcome =
        Cli.rais(
            "train",
            "--data",
            data.toString(),
            "--model",
            "lenet5",
            "--epochs",
            "4",
            "--batch-size",
            "16",
            "--json",
            "--quiet",
            "--out",
            out.toString());
    assertEquals(0, outcome.code(), outcome.toString());
    summary = JSON.readTree(outcome.lastLine());
    model = out.resolve("model.safetensors");
  }

  @Test
  void evalRepeatsTheRunsFinalError() throws IOException {
    Cli.Outcome outcome =
        Cli.rais("eval", "--model-file", model.toString(), "--data", data.toString(), "--json");
    assertEquals(0, outcome.code(), outcome.toString());
    JsonNode result = JSON.readTree(outcome.lastLine());
    assertEquals(summary.get("finalTestError"), result.get("testError"));
    assertEquals(200, result.get("testImages").asInt());
    assertEquals("small", result.get("data").asText());
    assertEquals("lenet5", result.get("model").asText());
    assertTrue(result.get("testTop5Error").asDouble() <= result.get("testError").asDouble());
    assertTrue(result.get("testLoss").asDouble() > 0);
    assertEquals(summary.get("finalTop5Error"), result.get("testTop5Error"));
  }

  @Test
  void evalTellsTheClassesApart() throws IOException {
    Cli.Outcome outcome =
        Cli.rais("eval", "--model-file", model.toString(), "--data", data.toString(), "--json");
    JsonNode result = JSON.readTree(outcome.lastLine());
    int[] counts = Datasets.load(data.toString(), null).test().classCounts(10);
    JsonNode classes = result.get("classes");
    assertEquals(10, classes.size());
    double[] sums = new double[3];
    for (int k = 0; k < 10; k++) {
      JsonNode one = classes.get(k);
      assertEquals("" + k, one.get("name").asText());
      assertEquals(counts[k], one.get("images").asInt());
      sums[0] += counts[k] * one.get("error").asDouble() / 200;
      sums[1] += counts[k] * one.get("top5Error").asDouble() / 200;
      sums[2] += counts[k] * one.get("loss").asDouble() / 200;
    }
    assertEquals(result.get("testError").asDouble(), sums[0], 1e-12);
    assertEquals(result.get("testTop5Error").asDouble(), sums[1], 1e-12);
    assertEquals(result.get("testLoss").asDouble(), sums[2], 1e-12);
  }

  @Test
  void evalShowsATable() {
    Cli.Outcome outcome =
        Cli.rais("eval", "--model-file", model.toString(), "--data", data.toString());
    String error = Texts.percent(summary.get("finalTestError").asDouble());
    assertTrue(outcome.out().startsWith("test error   " + error + "\n"), outcome.out());
    assertTrue(outcome.out().contains("\ntop-5 error  "), outcome.out());
    assertTrue(
        outcome.out().contains("\n\nCLASS  NAME  IMAGES  ERROR    TOP-5 ERROR  LOSS\n0      0 "),
        outcome.out());
    assertEquals("", outcome.err());
  }

  @Test
  void evalRefusesDataOfAnotherShape() throws IOException {
    Path other = folder.resolve("other");
    Files.createDirectories(other);
    for (String part : new String[] {"train", "t10k"}) {
      byte[] images = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4};
      Files.write(other.resolve(part + "-images-idx3-ubyte"), images);
      byte[] labels = {0, 0, 8, 1, 0, 0, 0, 1, 0};
      Files.write(other.resolve(part + "-labels-idx1-ubyte"), labels);
    }
    Cli.Outcome outcome =
        Cli.rais("eval", "--model-file", model.toString(), "--data", other.toString());
    assertEquals(1, outcome.code());
    assertEquals(
        "rais eval: the model takes images of 28x28x1, but those of other are 2x2x1\n",
        outcome.err());
  }

  @Test
  void predictNamesWhatAnImageShows() throws IOException {
    ImageSet test = Datasets.load(data.toString(), null).test();
    int right = 0;
    for (int i = 0; i < 20; i++) {
      Path png = png(test, i, 1);
      Cli.Outcome outcome =
          Cli.rais("predict", "--model-file", model.toString(), png.toString(), "--json");
      assertEquals(0, outcome.code(), outcome.toString());
      JsonNode guesses = JSON.readTree(outcome.lastLine()).get("classes");
      assertEquals(3, guesses.size());
      double first = guesses.get(0).get("probability").asDouble();
      assertTrue(first >= guesses.get(1).get("probability").asDouble() && first <= 1);
      right += guesses.get(0).get("name").asText().equals("" + test.label(i)) ? 1 : 0;
    }
    // The run's test error is near 30 %; guessing would be right twice.
    assertTrue(right >= 10, right + " of 20 right");
  }

  @Test
  void predictTakesLargeImagesAndShowsPercentages() throws IOException {
    Path png = png(Datasets.load(data.toString(), null).test(), 0, 4);
    Cli.Outcome outcome =
        Cli.rais("predict", "--model-file", model.toString(), "--top", "2", png.toString());
    assertEquals(0, outcome.code(), outcome.toString());
    String guess = "\\d \\d+\\.\\d %";
    assertTrue(outcome.out().strip().matches(".*\\.png: " + guess + ", " + guess), outcome.out());
  }

  @Test
  void aBadImageDoesNotStopTheOthers() throws IOException {
    Path good = png(Datasets.load(data.toString(), null).test(), 1, 1);
    Path bad = Files.writeString(folder.resolve("bad.png"), "no image");
    Cli.Outcome outcome =
        Cli.rais(
            "predict",
            "--model-file",
            model.toString(),
            good.toString(),
            bad.toString(),
            good.toString());
    assertEquals(1, outcome.code());
    assertEquals(2, outcome.out().lines().count());
    assertEquals(
        "rais predict: " + bad + " is neither PNG nor JPEG; save it as PNG\n", outcome.err());
  }

  private static Path png(ImageSet set, int index, int scale) throws IOException {
    int side = set.height() * scale;
    BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_BYTE_GRAY);
    byte[] pixels = set.image(index);
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        int value = pixels[y / scale * set.width() + x / scale] & 0xff;
        image.getRaster().setSample(x, y, 0, value);
      }
    }
    Path file = folder.resolve("image-" + index + "-" + scale + ".png");
    ImageIO.write(image, "png", file.toFile());
    return file;
  }
}
