package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/**
 * Builds the CUDA kernels for the host and runs their C++ tests there; where nvcc is installed it
 * also compiles them for a GPU, and checks exported symbols and PTX.
 */
class NativeBuildTest {
  private static final Path ROOT = root();

  /** The checkout, whatever module the tests run in. */
  private static Path root() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.isExecutable(folder.resolve("native-build/build"))) {
      folder = folder.getParent();
    }
    return folder;
  }

  @Test
  void theKernelsPassTheirTestsOnTheHost() throws Exception {
    assumeBuildTools();
    String log = build("host");
    assertTrue(log.contains("100% tests passed, 0 tests failed"), log);
  }

  @Test
  void theKernelsCompileForAGpu() throws Exception {
    assumeBuildTools();
    assumeTrue(
        onPath("nvcc") || Files.isExecutable(Path.of("/usr/local/cuda/bin/nvcc")),
        "nvcc is not installed");
    String log = build("cuda-ci");
    assertTrue(log.contains("100% tests passed, 0 tests failed"), log);
  }

  private static void assumeBuildTools() {
    assumeTrue(onPath("cmake"), "CMake is not installed");
    assumeTrue(onPath("c++"), "there is no C++ compiler");
    assumeTrue(onPath("ninja") || onPath("make"), "neither Ninja nor make is installed");
  }

  private static boolean onPath(String program) {
    return Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  private static String build(String preset) throws IOException, InterruptedException {
    Path log = Files.createTempFile("native-build", ".log");
    try {
      Process process =
          new ProcessBuilder(ROOT.resolve("native-build/build").toString(), preset, "--test")
              .directory(ROOT.toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      int code = process.waitFor();
      String text = Files.readString(log);
      assertEquals(0, code, text);
      return text;
    } finally {
      Files.delete(log);
    }
  }
}
