package dev.rais.bench.soak;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains a small network for very long, and opens and closes trainers, in a JVM of its own. */
@Command(
    name = "long",
    description = "many steps of a small network: memory, threads and files must not grow",
    mixinStandardHelpOptions = true)
final class LongSoak implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "100000",
      description = "minibatches, at least 1000 (default ${DEFAULT-VALUE})")
  private int steps;

  @Option(
      names = "--trainers",
      paramLabel = "N",
      defaultValue = "1000",
      description = "trainers opened and closed (default ${DEFAULT-VALUE})")
  private int trainers;

  @Option(names = "--json", description = "print one JSON object as the last line")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    Path output = Files.createTempFile("rais-soak", ".txt");
    try {
      // A heap of one size, all of it touched at the start: what grows then is native.
      RaisProcess process =
          new RaisProcess(
              output,
              List.of("-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch"),
              List.of(LongRun.class.getName(), "" + Math.max(1000, steps), "" + trainers));
      process.awaitSuccess();
      List<String> lines = process.text().lines().toList();
      lines.subList(0, lines.size() - 1).forEach(spec.commandLine().getErr()::println);
      spec.commandLine().getOut().println(json ? lines.getLast() : String.join("\n", lines));
      return 0;
    } finally {
      Files.delete(output);
    }
  }
}
