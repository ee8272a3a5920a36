package dev.rais.bench.soak;

import dev.rais.bench.BenchException;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A JVM with this one's class path, its output kept in a file for when it fails. */
final class RaisProcess {
  private final Process process;
  private final Path output;

  /**
   * Starts it.
   *
   * @param flags for the JVM
   * @param mainAndArguments what to run
   */
  RaisProcess(Path output, List<String> flags, List<String> mainAndArguments) {
    this.output = output;
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC"));
    command.addAll(flags);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(mainAndArguments);
    try {
      process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(Redirect.to(output.toFile()))
              .start();
    } catch (IOException e) {
      throw new BenchException("cannot start a JVM: " + e.getMessage(), e);
    }
  }

  /** Waits for the end; whatever it is. */
  int await() {
    try {
      return process.waitFor();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      throw new BenchException("interrupted", e);
    }
  }

  /** Waits for a good end; shows what the process wrote otherwise. */
  void awaitSuccess() {
    int status = await();
    if (status != 0) {
      throw new BenchException(
          "a process ended with %d and wrote:%n%s".formatted(status, text()), null);
    }
  }

  /**
   * Kills it with SIGKILL after a while.
   *
   * @return whether it was still running
   */
  boolean killAfter(long millis) {
    try {
      Thread.sleep(millis);
      boolean running = process.isAlive();
      process.destroyForcibly().waitFor();
      return running;
    } catch (InterruptedException e) {
      process.destroyForcibly();
      throw new BenchException("interrupted", e);
    }
  }

  /** What it wrote. */
  String text() {
    try {
      return Files.readString(output);
    } catch (IOException e) {
      return "(unreadable)";
    }
  }
}
