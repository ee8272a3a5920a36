package dev.rais.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Training whose memory is used up, at any place and for any request, and whose oneDNN fails at any
 * call: one sentence and exit code 1, nothing left open, and what was saved goes on to the same
 * end. The process lives through hundreds of such failures; it is one of its own, as a library is
 * loaded by one class loader only.
 *
 * <p>A build tries a part of all places, drawn by lot; {@code -Drais.faults=1/0}, as in the nightly
 * profile, tries all of them, {@code -Drais.faults=30/3} those of lot 3.
 */
class FaultsTest {
  private static final String PROPERTY = "rais.faults";
  private static final int PARTS = 30;
  private static final String REQUESTS =
      Faults.NATIVE_MEMORY + "|" + Faults.ONEDNN + "|dev/rais/backend/cpu/(Dnn|OneDnn|OpenMp)";

  @TempDir Path folder;

  private record Outcome(int failures, String lot) {}

  private Outcome run(String engine, String places) throws Exception {
    String lot = System.getProperty(PROPERTY, PARTS + "/" + new Random().nextInt(PARTS));
    String[] parts = lot.split("/");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xmx512m",
            // A short run is over before C2 pays.
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "-Drais.cpu.engine=" + engine,
            "-cp",
            System.getProperty("java.class.path"),
            FaultProbe.class.getName(),
            Files.createDirectories(folder.resolve("work")).toString(),
            places,
            parts[1],
            parts[0]));
    command.addAll(
        List.of(
            "--data",
            data().toString(),
            "--model",
            "lenet5",
            "--augment",
            "standard",
            "--batch-size",
            "8",
            "--epochs",
            "1",
            "--checkpoint-every",
            "0.5",
            "--threads",
            "2",
            "--backend",
            "cpu"));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    List<String> lines = process.inputReader().readAllLines();
    String all = "-D" + PROPERTY + "=" + lot + "\n" + String.join("\n", lines);
    assertEquals(0, process.waitFor(), all);
    assertEquals(1, lines.size(), all);
    assertTrue(lines.getFirst().startsWith("failures: "), all);
    return new Outcome(Integer.parseInt(lines.getFirst().substring(10)), all);
  }

  /** 24 images to train with and 6 to test with, of noise, in three classes. */
  private Path data() throws IOException {
    Path data = Files.createDirectories(folder.resolve("data"));
    write(data, "train", 24);
    write(data, "t10k", 6);
    return data;
  }

  private static void write(Path data, String part, int count) throws IOException {
    byte[] pixels = new byte[count * 28 * 28];
    new Random(count).nextBytes(pixels);
    ByteBuffer images = ByteBuffer.allocate(16 + pixels.length);
    images.putInt(0x803).putInt(count).putInt(28).putInt(28).put(pixels);
    Files.write(data.resolve(part + "-images-idx3-ubyte"), images.array());
    ByteBuffer labels = ByteBuffer.allocate(8 + count);
    labels.putInt(0x801).putInt(count);
    for (int i = 0; i < count; i++) {
      labels.put((byte) (i % 3));
    }
    Files.write(data.resolve(part + "-labels-idx1-ubyte"), labels.array());
  }

  @Test
  void memoryUsedUpAnywhere() throws Exception {
    Outcome outcome = run("java", "");
    assertTrue(outcome.failures() > 10, outcome.lot());
  }

  /** Asked for by name, oneDNN is not replaced. */
  @Test
  void oneDnnFailsAtAnyCall() throws Exception {
    Outcome outcome = run("onednn", REQUESTS);
    assertTrue(outcome.failures() > 10, outcome.lot());
  }

  /** Otherwise the Java loops compute what oneDNN cannot make. */
  @Test
  void javaTakesOverWhatOneDnnCannotMake() throws Exception {
    Outcome outcome = run("auto", Faults.ONEDNN);
    assertTrue(outcome.failures() > 10, outcome.lot());
  }
}
