package dev.rais.kernels;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** {@code native-build/build}, for tests: where it is, whether it can work here, running it. */
public final class NativeBuild {
  /** The checkout, whatever module the tests run in. */
  public static final Path ROOT = root();

  private NativeBuild() {}

  private static Path root() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.isExecutable(folder.resolve("native-build/build"))) {
      folder = folder.getParent();
    }
    return folder;
  }

  /** What the machine lacks for a preset, in words; empty if it can be built. */
  public static String missing(String preset) throws IOException, InterruptedException {
    return build(preset, "--missing").strip();
  }

  /** The kernels' library for the host, built if it is older than its sources. */
  public static Path hostLibrary() throws IOException, InterruptedException {
    build("host", "--library");
    return ROOT.resolve("native-build/out/host/librais_kernels_host.so");
  }

  /** Runs the build and returns what it says. */
  static String build(String... arguments) throws IOException, InterruptedException {
    String[] command = new String[arguments.length + 1];
    command[0] = ROOT.resolve("native-build/build").toString();
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    return run(command);
  }

  /**
   * Runs a program in the checkout and returns what it says.
   *
   * @throws AssertionError with that, if it fails
   */
  public static String run(String... command) throws IOException, InterruptedException {
    Path log = Files.createTempFile("native-build", ".log");
    try {
      Process process =
          new ProcessBuilder(command)
              .directory(ROOT.toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      int code = process.waitFor();
      String text = Files.readString(log);
      if (code != 0) {
        throw new AssertionError(String.join(" ", command) + " ended with " + code + ":\n" + text);
      }
      return text;
    } finally {
      Files.delete(log);
    }
  }
}
