package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Results that do not arrive where they were sent. */
class OutputTest {
  @TempDir Path folder;

  @Test
  void resultsThatCannotBeWrittenAreAFailure() {
    OutputStream broken =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("No space left on device");
          }
        };
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Console console =
        new Console(
            new PrintStream(broken, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            0);
    assertEquals(1, Main.run(console, "data", "list"));
    String sentence = err.toString(StandardCharsets.UTF_8);
    assertTrue(sentence.startsWith("rais: standard output could not be written to"), sentence);
    assertEquals(1, sentence.lines().count(), sentence);
  }

  @Test
  void aFullDiskIsAFailure() throws Exception {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "no /dev/full");
    Path err = folder.resolve("err");
    int code = list().redirectOutput(full.toFile()).redirectError(err.toFile()).start().waitFor();
    assertEquals(1, code, Files.readString(err));
  }

  @Test
  void aReaderThatHasSeenEnoughIsNone() throws Exception {
    Path err = folder.resolve("err");
    Process process = list().redirectError(err.toFile()).start();
    process.getInputStream().close();
    assertEquals(0, process.waitFor());
    assertEquals("", Files.readString(err));
  }

  private static ProcessBuilder list() {
    return new ProcessBuilder(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-cp",
        System.getProperty("java.class.path"),
        Main.class.getName(),
        "data",
        "list");
  }
}
