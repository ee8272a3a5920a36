package dev.rais.gpucheck;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Runs programs with a time limit; what they say goes to a file of the results folder. */
final class Programs {
  /** A program took longer than it may. */
  static final class Late extends Exception {
    private static final long serialVersionUID = 1L;

    Late(Duration limit) {
      super("it took longer than %d s".formatted(limit.toSeconds()));
    }
  }

  /** A program failed, or did not say what it should. */
  static final class Bad extends Exception {
    private static final long serialVersionUID = 1L;

    Bad(String message) {
      super(message);
    }
  }

  /**
   * A program's end.
   *
   * @param code its exit status; of no meaning if it was late
   * @param late whether it had to be ended
   * @param limit that it had
   * @param log what it said
   */
  record Ended(int code, boolean late, Duration limit, Path log) {
    /** What it said; bytes that are no text are replaced. */
    String text() throws IOException {
      return new String(Files.readAllBytes(log), StandardCharsets.UTF_8);
    }

    /** The last line, for a reason. */
    String lastLine() throws IOException {
      return text().lines().filter(l -> !l.isBlank()).reduce((a, b) -> b).orElse("it said nothing");
    }

    /** This, if the program did its work. */
    Ended good() throws Late, Bad, IOException {
      if (late) {
        throw new Late(limit);
      }
      if (code != 0) {
        throw new Bad("exit status %d: %s".formatted(code, lastLine()));
      }
      return this;
    }

    /** The last line that is a whole JSON object. */
    JsonNode json() throws Bad, IOException {
      List<String> lines = text().lines().filter(l -> l.startsWith("{")).toList();
      for (String line : lines.reversed()) {
        try {
          return new ObjectMapper().readTree(line);
        } catch (JsonProcessingException e) {
          // A line that is cut off is none.
        }
      }
      throw new Bad("it printed no results; the last line is: " + lastLine());
    }
  }

  /** How long an ended process may take to be gone; one that hangs in the driver may never be. */
  private static final Duration GRACE = Duration.ofSeconds(5);

  private final Path home;
  private final Path out;
  private final String path;

  /**
   * Programs.
   *
   * @param home where they run
   * @param out folder for what they say
   * @param path folders with programs, as PATH has them
   */
  Programs(Path home, Path out, String path) {
    this.home = home;
    this.out = out;
    this.path = path;
  }

  /** Runs a program, and ends it with all that it has started when the time is over. */
  Ended run(String name, Duration limit, List<String> command)
      throws IOException, InterruptedException {
    Path log = out.resolve(name + ".txt");
    Process process =
        new ProcessBuilder(command)
            .directory(home.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    // If this program is told to end, what it has started must not stay.
    Thread ending = new Thread(() -> tree(process).forEach(ProcessHandle::destroyForcibly));
    Runtime.getRuntime().addShutdownHook(ending);
    try {
      process.getOutputStream().close();
      if (process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        return new Ended(process.exitValue(), false, limit, log);
      }
      List<ProcessHandle> all = tree(process).toList();
      all.forEach(ProcessHandle::destroy);
      process.waitFor(GRACE.toMillis(), TimeUnit.MILLISECONDS);
      all.forEach(ProcessHandle::destroyForcibly);
      process.waitFor(GRACE.toMillis(), TimeUnit.MILLISECONDS);
      return new Ended(-1, true, limit, log);
    } finally {
      Runtime.getRuntime().removeShutdownHook(ending);
    }
  }

  private static Stream<ProcessHandle> tree(Process process) {
    return Stream.concat(process.descendants(), Stream.of(process.toHandle()));
  }

  /** A program on the PATH, or in further folders. */
  Optional<Path> find(String name, String... further) {
    List<String> folders = new ArrayList<>(Arrays.asList(path.split(":")));
    folders.addAll(Arrays.asList(further));
    return folders.stream()
        .filter(f -> !f.isBlank())
        .map(f -> Path.of(f, name))
        .filter(Files::isExecutable)
        .findFirst();
  }
}
