package dev.rais.bench.soak;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.bench.Bench;
import dev.rais.bench.BenchException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What takes long and must not break: {@code tests/soak}. */
@Command(
    name = "soak",
    description = "endurance, by tests/soak: killed runs, long runs, hostile files",
    mixinStandardHelpOptions = true,
    subcommands = {KillSoak.class, LongSoak.class, FuzzSoak.class})
public final class SoakBench implements Bench {
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    spec.commandLine().usage(spec.commandLine().getOut());
    return 2;
  }

  static String json(Object result) {
    try {
      return new ObjectMapper().writeValueAsString(result);
    } catch (JsonProcessingException e) {
      throw new BenchException("the result cannot be written as JSON: " + e.getMessage(), e);
    }
  }

  /** Deletes a folder and what is in it. */
  static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
