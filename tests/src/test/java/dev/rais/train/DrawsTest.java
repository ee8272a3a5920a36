package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.sampling.Calibration;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a run records of its sampler's draws. */
class DrawsTest {
  private static final int N = 800;
  private static final int M = 32;

  @TempDir Path folder;

  private final Dataset sample = Datasets.load("fashion-mnist-sample", null);
  private final Dataset data =
      new Dataset(
          "small", sample.train().slice(0, N), sample.test().slice(0, 200), sample.classNames());

  private record Run(List<Metrics> metrics, int[] draws) {}

  private Run run(String sampler, double epochs) {
    TrainingConfig config =
        TrainingConfig.builder("small", "mlp", sampler).batchSize(M).epochs(epochs).build();
    List<Metrics> metrics = new ArrayList<>();
    try (Backend backend = Backends.open("cpu", 2, warning -> {});
        Trainer trainer = new Trainer(backend, data, config)) {
      trainer.run(
          new TrainingListener() {
            @Override
            public void evaluated(Metrics evaluation) {
              metrics.add(evaluation);
            }
          });
      return new Run(metrics, trainer.draws().clone());
    }
  }

  @Test
  void anEpochOfUniformDrawsTrainsOnEveryExampleOnce() {
    Run run = run("uniform", 1);
    assertTrue(Arrays.stream(run.draws()).allMatch(count -> count == 1));
    Draws last = run.metrics().getLast().draws();
    assertEquals(1, last.effectiveSampleSize());
    assertEquals(1.0, last.probabilities().get(Draws.UNIFORM_BIN));
    int[] expected = data.train().classCounts(10);
    for (int k = 0; k < 10; k++) {
      assertEquals(expected[k], last.classDraws().get(k));
    }
    assertEquals(Calibration.NONE, last.calibration());
  }

  @Test
  void importanceSamplingIsSeenInWhatIsRecorded() {
    Run run = run("rais", 8);
    for (Metrics metrics : run.metrics()) {
      long drawn = metrics.draws().classDraws().stream().mapToLong(x -> x).sum();
      assertEquals(metrics.iteration() * M, drawn);
      double shares = metrics.draws().probabilities().stream().mapToDouble(x -> x).sum();
      assertEquals(1, shares, 1e-12);
    }
    Draws last = run.metrics().getLast().draws();
    assertTrue(last.effectiveSampleSize() < 0.9, "weighted: " + last.effectiveSampleSize());
    assertTrue(last.effectiveSampleSize() > 0.01, "not degenerate: " + last.effectiveSampleSize());
    Calibration calibration = last.calibration();
    assertTrue(calibration.records() >= N / 2, "records: " + calibration.records());
    assertTrue(calibration.insideShare() > 0.5, calibration.toString());
    assertTrue(calibration.constraint() > 0.1 && calibration.constraint() < 10, "near 1");
    int groups = calibration.predicted().size();
    assertTrue(
        calibration.observed().get(groups - 1) > calibration.observed().get(0),
        "larger predictions, larger norms");
  }

  @Test
  void theHistogramIsThatOfTheDistribution() {
    // 1/4, 1/2, ... relative to uniform: the interval is the exponent's.
    float[] np = {0.25f, 0.49f, 0.5f, 1f, 1.5f, 2f, 4096f, 1e-6f, 0f};
    Draws draws = Draws.of(new FixedProbabilities(np), new int[] {1, 0, 2}, new int[] {0, 0, 1}, 2);
    double eighth = 1.0 / 8;
    List<Double> expected = new ArrayList<>();
    for (int k = 0; k < Draws.BINS; k++) {
      expected.add(
          switch (k) {
            case 8, 10 -> 2 * eighth;
            case 9, 11, 19, 0 -> eighth;
            default -> 0.0;
          });
    }
    assertEquals(expected, draws.probabilities());
    double squares = 0;
    for (float x : np) {
      squares += (double) x * x;
    }
    assertEquals(8 / squares, draws.effectiveSampleSize(), 1e-12);
    assertEquals(List.of(1L, 2L), draws.classDraws());
  }

  @Test
  void countsComeBackFromTheirFileAndDamageIsNoticed() throws IOException {
    Path file = folder.resolve("draws.safetensors");
    new DrawCounts(new int[] {3, 0, 7}, "some data").write(file);
    DrawCounts read = DrawCounts.read(file);
    assertArrayEquals(new int[] {3, 0, 7}, read.counts());
    assertEquals("some data", read.data());
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 1] ^= 1;
    Files.write(file, bytes);
    RunFileException e = assertThrows(RunFileException.class, () -> DrawCounts.read(file));
    assertTrue(e.getMessage().contains("damaged"), e.getMessage());
  }

  /** The format lets arrays begin anywhere; other programs need not write them as RAIS does. */
  @Test
  void countsThatBeginAtAnOddByteAreRead() throws IOException {
    String json =
        "{\"__metadata__\":{\"crc32c\":\"00000000\",\"format\":\"rais-draws\",\"data\":\"some"
            + " data\"},\"more\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
            + "\"draws\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[1,9]}}";
    byte[] header = json.getBytes(StandardCharsets.US_ASCII);
    ByteBuffer bytes = ByteBuffer.allocate(8 + header.length + 9).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(header.length).put(header).put((byte) 5).putInt(3).putInt(70_000);
    var crc = new CRC32C();
    crc.update(bytes.array());
    byte[] digits = "%08x".formatted(crc.getValue()).getBytes(StandardCharsets.US_ASCII);
    bytes.put(8 + json.indexOf("00000000"), digits);
    Path file = Files.write(folder.resolve("odd.safetensors"), bytes.array());
    assertArrayEquals(new int[] {3, 70_000}, DrawCounts.read(file).counts());
  }

  @Test
  void linesWithoutDrawsAreRead() {
    RunJson json = new RunJson();
    Metrics whole = run("uniform", 0.2).metrics().getLast();
    String line = json.line(whole);
    assertEquals(whole, json.read(line, Metrics.class));
    String before = line.replaceFirst(",\"draws\":.*}$", "}");
    assertTrue(before.length() < line.length());
    Metrics read = json.read(before, Metrics.class);
    assertEquals(Draws.UNKNOWN, read.draws());
    assertEquals(whole.testError(), read.testError());
  }
}
