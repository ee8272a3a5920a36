package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;

/**
 * Builds the CUDA kernels for the host, runs their C++ tests there, and shows that those notice
 * broken kernels; where nvcc is installed it also compiles the kernels for GPUs, and checks
 * exported symbols, PTX and the jar they come in.
 */
class NativeBuildTest {
  /** With {@code -Drais.test.mutants=all} not three mutants of each source, but all of them. */
  @Test
  void theKernelsPassTheirTestsOnTheHostAndBrokenOnesFailThem() throws Exception {
    need("host", "native-host");
    boolean all = System.getProperty("rais.test.mutants", "quick").equals("all");
    String log = NativeBuild.build("host", all ? "--mutants" : "--mutants=quick");
    assertTrue(log.contains("100% tests passed, 0 tests failed"), log);
    assertTrue(log.contains(" mutants caught, 0 NOT caught"), log);
  }

  @Test
  void theKernelsCompileForGpus() throws Exception {
    need("cuda", "nvcc");
    // The preset of the jar: one compilation serves both.
    String log = NativeBuild.build("cuda", "--test");
    assertTrue(log.contains("100% tests passed, 0 tests failed"), log);
  }

  @Test
  void theJarHasTheLibraryAndItsChecksum() throws Exception {
    Path folder = NativeBuild.ROOT.resolve("native-build/target");
    List<Path> jars;
    try (Stream<Path> files = Files.isDirectory(folder) ? Files.list(folder) : Stream.empty()) {
      jars = files.filter(file -> file.toString().endsWith("-linux-x86_64.jar")).toList();
    }
    Requirements.need("kernels-jar", !jars.isEmpty(), "mvn package has not built it");
    assertEquals(1, jars.size(), jars.toString());
    try (ZipFile jar = new ZipFile(jars.getFirst().toFile())) {
      String name = "librais_kernels.so";
      byte[] library = read(jar, "META-INF/rais/linux-x86_64/" + name);
      byte[] checksum = read(jar, "META-INF/rais/linux-x86_64/" + name + ".sha256");
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(library);
      assertEquals(
          HexFormat.of().formatHex(digest) + "  " + name + "\n",
          new String(checksum, StandardCharsets.US_ASCII));
      assertEquals("\177ELF", new String(library, 0, 4, StandardCharsets.ISO_8859_1));
    }
  }

  private static byte[] read(ZipFile jar, String name) throws IOException {
    ZipEntry entry = jar.getEntry(name);
    assertNotNull(entry, jar.getName() + " lacks " + name);
    return jar.getInputStream(entry).readAllBytes();
  }

  private static void need(String preset, String name) throws Exception {
    String missing = NativeBuild.missing(preset);
    Requirements.need(name, missing.isEmpty(), missing);
  }
}
