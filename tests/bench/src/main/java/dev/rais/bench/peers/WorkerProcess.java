package dev.rais.bench.peers;

import dev.rais.bench.BenchException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A JVM that trains with one library when told to, with the class path and flags of this one. */
final class WorkerProcess implements AutoCloseable {
  private final String name;
  private final Process process;
  private final BufferedReader replies;
  private final PrintWriter commands;

  /**
   * Starts the JVM.
   *
   * @param name for messages
   * @param mainClass reads the workload from its argument and obeys a {@link PipeConductor}
   * @param flags more flags for the JVM
   */
  WorkerProcess(String name, String mainClass, List<String> flags, Workload workload) {
    this.name = name;
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String flag : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      // Whoever debugs or profiles this JVM does not mean the workers.
      if (!flag.startsWith("-agent") && !flag.startsWith("-javaagent")) {
        command.add(flag);
      }
    }
    command.addAll(flags);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), mainClass));
    command.add(Json.write(workload));
    try {
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    } catch (IOException e) {
      throw new BenchException("cannot start " + command.getFirst() + ": " + e.getMessage(), e);
    }
    replies = process.inputReader(StandardCharsets.UTF_8);
    commands = new PrintWriter(process.outputWriter(StandardCharsets.UTF_8), true);
  }

  /** Waits until the worker can train. */
  Conductor.Ready ready() {
    return reply(Conductor.Ready.class);
  }

  /** Has the worker train, and waits. */
  Conductor.Ran run(int steps) {
    commands.println(steps);
    return reply(Conductor.Ran.class);
  }

  /** Processor time used so far by all threads. */
  double processorSeconds() {
    return process.info().totalCpuDuration().orElse(Duration.ZERO).toNanos() / 1e9;
  }

  /** Largest resident set so far, in MiB; null where the system does not tell. */
  Long peakRssMiB() {
    Path status = Path.of("/proc", Long.toString(process.pid()), "status");
    try {
      for (String line : Files.readAllLines(status)) {
        if (line.startsWith("VmHWM:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024;
        }
      }
    } catch (IOException e) {
      // Not Linux.
    }
    return null;
  }

  private <T> T reply(Class<T> type) {
    try {
      String line = replies.readLine();
      if (line != null) {
        return Json.read(line, type);
      }
      throw new BenchException(
          "the process of %s ended with exit code %d; its messages are above"
              .formatted(name, process.waitFor()));
    } catch (IOException e) {
      throw new BenchException("the process of " + name + " cannot be read: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchException("interrupted while " + name + " trained", e);
    }
  }

  @Override
  public void close() {
    commands.close();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
