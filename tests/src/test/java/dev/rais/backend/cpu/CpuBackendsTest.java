package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * oneDNN is used where it can be, and where it cannot the pure Java path takes over with one
 * warning that says why. Each case is a process of its own: a library is loaded once per process.
 */
class CpuBackendsTest {
  @TempDir Path folder;

  private record Outcome(List<String> lines) {
    String engine() {
      return only("engine: ");
    }

    String result() {
      return only("result: ");
    }

    List<String> warnings() {
      return all("warning: ").toList();
    }

    private String only(String prefix) {
      List<String> found = all(prefix).toList();
      assertEquals(1, found.size(), () -> String.join("\n", lines));
      return found.getFirst();
    }

    private Stream<String> all(String prefix) {
      return lines.stream()
          .filter(l -> l.startsWith(prefix))
          .map(l -> l.substring(prefix.length()));
    }
  }

  private Outcome run(String cache, String classPath, String... flags)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(flags));
    command.addAll(List.of("-cp", classPath, FallbackProbe.class.getName()));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("XDG_CACHE_HOME", cache);
    Process process = builder.start();
    List<String> lines = process.inputReader().readAllLines();
    assertEquals(0, process.waitFor(), () -> String.join("\n", lines));
    return new Outcome(lines);
  }

  private static String classPath() {
    return System.getProperty("java.class.path");
  }

  private static String classPathWithoutNatives() {
    return String.join(
        File.pathSeparator,
        Stream.of(classPath().split(File.pathSeparator)).filter(p -> !p.contains("dnnl")).toList());
  }

  @Test
  void oneDnnIsUnpackedOnceAndADamagedCopyIsReplaced() throws Exception {
    Outcome first = run(folder.toString(), classPath(), "--enable-native-access=ALL-UNNAMED");
    assertTrue(first.engine().startsWith("oneDNN 3."), first.engine());
    assertEquals("5.0", first.result());
    assertEquals(List.of(), first.warnings());

    List<Path> files;
    try (Stream<Path> walk = Files.walk(folder)) {
      files = walk.filter(f -> Files.isRegularFile(f)).sorted().toList();
    }
    Path library = files.stream().filter(f -> f.toString().contains("dnnl.")).findFirst().get();
    long size = Files.size(library);
    byte[] bytes = Files.readAllBytes(library);
    bytes[bytes.length / 2] ^= 1;
    Files.delete(library);
    Files.write(library, bytes);
    Outcome second = run(folder.toString(), classPath(), "--enable-native-access=ALL-UNNAMED");
    assertTrue(second.engine().startsWith("oneDNN 3."), second.engine());
    assertEquals(size, Files.size(library));
    bytes[bytes.length / 2] ^= 1;
    assertEquals(-1, java.util.Arrays.mismatch(bytes, Files.readAllBytes(library)));
    try (Stream<Path> walk = Files.walk(folder)) {
      assertEquals(files, walk.filter(f -> Files.isRegularFile(f)).sorted().toList());
    }
  }

  @Test
  void aMissingNativesJarIsNamedOnce() throws Exception {
    Outcome outcome =
        run(folder.toString(), classPathWithoutNatives(), "--enable-native-access=ALL-UNNAMED");
    assertFallback(outcome, "org.bytedeco:dnnl");
  }

  private static final String RESOURCES = "org/bytedeco/dnnl/linux-x86_64";
  private static final List<String> LIBRARIES = List.of("libgomp.so.1", "libdnnl.so.3");

  /** Copies oneDNN's files to where they come before the jar's; returns their folder. */
  private Path copies(Path root) throws IOException {
    Path copies = Files.createDirectories(root.resolve(RESOURCES));
    for (String name : LIBRARIES) {
      try (InputStream in = getClass().getResourceAsStream("/" + RESOURCES + "/" + name)) {
        Requirements.need("onednn", in != null, "oneDNN's jar for linux-x86_64 is not there");
        Files.copy(in, copies.resolve(name));
      }
    }
    return copies;
  }

  /** With oneDNN's files replaced by those below a folder. */
  private Outcome runWith(Path root) throws Exception {
    return run(
        root.resolve("cache").toString(),
        root + File.pathSeparator + classPath(),
        "--enable-native-access=ALL-UNNAMED");
  }

  @Test
  void wholeCopiesAreUsed() throws Exception {
    copies(folder);
    Outcome outcome = runWith(folder);
    assertTrue(outcome.engine().startsWith("oneDNN 3."), outcome.engine());
    assertTrue(Files.exists(folder.resolve("cache/rais/native")), "from these copies");
  }

  /** The system's loader maps such a file, and its process ends where it is touched. */
  @ParameterizedTest
  @ValueSource(strings = {"libgomp.so.1", "libdnnl.so.3"})
  void aCutLibraryIsNamed(String name) throws Exception {
    Path library = copies(folder).resolve(name);
    long size = Files.size(library);
    for (long length : new long[] {0, 40, 5000, size / 2, size - 100}) {
      try (FileChannel channel = FileChannel.open(library, StandardOpenOption.WRITE)) {
        channel.truncate(length);
      }
      assertFallback(runWith(folder), name);
      Files.delete(library);
      try (InputStream in = getClass().getResourceAsStream("/" + RESOURCES + "/" + name)) {
        Files.copy(in, library);
      }
    }
  }

  @Test
  void aLibraryForOtherMachinesIsNamed() throws Exception {
    Path library = copies(folder).resolve("libdnnl.so.3");
    try (FileChannel channel = FileChannel.open(library, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(new byte[] {(byte) 183, 0}), 18); // e_machine: AArch64
    }
    assertFallback(runWith(folder), "libdnnl.so.3");
  }

  /** As a library of another version may be. */
  @Test
  void aLibraryThatLacksAFunctionIsNamedWithIt() throws Exception {
    Path copies = copies(folder);
    Files.copy(
        copies.resolve("libgomp.so.1"),
        copies.resolve("libdnnl.so.3"),
        StandardCopyOption.REPLACE_EXISTING);
    Outcome outcome = runWith(folder);
    assertFallback(outcome, "libdnnl.so.3 has no dnnl_");
  }

  @Test
  void aCacheThatCannotBeWrittenIsNamedOnce() throws Exception {
    Path file = Files.createFile(folder.resolve("not-a-folder"));
    Outcome outcome = run(file.toString(), classPath(), "--enable-native-access=ALL-UNNAMED");
    assertFallback(outcome, "not-a-folder");
  }

  @Test
  void deniedNativeAccessIsNamedWithTheFlagThatHelps() throws Exception {
    Outcome outcome = run(folder.toString(), classPath(), "--illegal-native-access=deny");
    assertFallback(outcome, "--enable-native-access");
  }

  @Test
  void theFallbackCanBeChosenWithoutAWarning() throws Exception {
    Outcome outcome =
        run(folder.toString(), classPath(), "-D" + CpuBackends.ENGINE_PROPERTY + "=java");
    assertTrue(outcome.engine().startsWith("pure Java"), outcome.engine());
    assertEquals("5.0", outcome.result());
    assertEquals(List.of(), outcome.warnings());
  }

  private static void assertFallback(Outcome outcome, String reason) {
    assertTrue(outcome.engine().startsWith("pure Java"), outcome.engine());
    assertEquals("5.0", outcome.result());
    assertEquals(1, outcome.warnings().size(), () -> outcome.warnings().toString());
    String warning = outcome.warnings().getFirst();
    assertTrue(warning.contains(reason), warning);
    assertTrue(warning.contains("pure Java"), warning);
  }
}
