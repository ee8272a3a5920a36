package dev.rais.gpucheck;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Runs programs with a time limit; what they say goes to a file of the results folder. */
final class Programs {
  /** A program's end: its exit status, or that it took too long. */
  record Ended(int code, boolean late, Path log) {
    /** What it said. */
    String text() throws IOException {
      return Files.readString(log);
    }

    /** The last line, for a reason. */
    String lastLine() throws IOException {
      return text().lines().filter(l -> !l.isBlank()).reduce((a, b) -> b).orElse("it said nothing");
    }

    /** The last line that is a JSON object. */
    JsonNode json() throws IOException {
      String line = text().lines().filter(l -> l.startsWith("{")).reduce((a, b) -> b).orElse("{}");
      return new ObjectMapper().readTree(line);
    }

    /** Why it failed; empty if it did not. */
    Optional<String> failure(Duration limit) throws IOException {
      if (late) {
        return Optional.of("it took longer than %d s".formatted(limit.toSeconds()));
      }
      return code == 0
          ? Optional.empty()
          : Optional.of("exit status %d: %s".formatted(code, lastLine()));
    }
  }

  private final Path home;
  private final Path out;

  Programs(Path home, Path out) {
    this.home = home;
    this.out = out;
  }

  Ended run(String name, Duration limit, List<String> command)
      throws IOException, InterruptedException {
    Path log = out.resolve(name + ".txt");
    Process process =
        new ProcessBuilder(command)
            .directory(home.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    process.getOutputStream().close();
    if (process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
      return new Ended(process.exitValue(), false, log);
    }
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly().waitFor();
    return new Ended(-1, true, log);
  }

  /** A program on the PATH. */
  static Optional<Path> find(String name, String... further) {
    String path = System.getenv().getOrDefault("PATH", "");
    List<String> folders = new java.util.ArrayList<>(Arrays.asList(path.split(":")));
    folders.addAll(Arrays.asList(further));
    return folders.stream()
        .filter(f -> !f.isBlank())
        .map(f -> Path.of(f, name))
        .filter(Files::isExecutable)
        .findFirst();
  }
}
