package dev.rais.bench.soak;

import dev.rais.bench.BenchException;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Feeds every reader of foreign files with mutations that Jazzer guides by coverage. */
@Command(
    name = "fuzz",
    description = "coverage-guided mutations of every file that RAIS reads",
    mixinStandardHelpOptions = true)
final class FuzzSoak implements Callable<Integer> {
  record Result(String bench, int readers, long executions, int crashes) {}

  @Spec private CommandSpec spec;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "600",
      description = "for each reader (default ${DEFAULT-VALUE})")
  private int seconds;

  @Option(
      names = "--readers",
      paramLabel = "NAME",
      split = ",",
      description = "only these, e.g. idx,model")
  private List<String> names = List.of();

  @Option(names = "--json", description = "print one JSON object as the last line")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    List<FuzzReader> readers = readers();
    long executions = 0;
    int crashes = 0;
    int idle = 0;
    for (FuzzReader reader : readers) {
      Fuzzer.Outcome outcome = fuzz(reader, seconds);
      executions += outcome.executions();
      crashes += outcome.crash() == null ? 0 : 1;
      idle += outcome.grew() ? 0 : 1;
      spec.commandLine()
          .getErr()
          .printf(
              "%-14s %,12d inputs, branches reached %d -> %d%s%n",
              reader.label(),
              outcome.executions(),
              outcome.coverageAtStart(),
              outcome.coverage(),
              outcome.crash() != null
                  ? ", a finding:\n" + outcome.crash()
                  : outcome.grew() ? "" : ": coverage did not grow, nothing was tested");
      spec.commandLine().getErr().flush();
    }
    Result result = new Result("soak-fuzz", readers.size(), executions, crashes);
    spec.commandLine()
        .getOut()
        .println(
            json
                ? SoakBench.json(result)
                : "%d readers, %,d inputs, %d crashes"
                    .formatted(readers.size(), executions, crashes));
    return crashes + idle == 0 ? 0 : 1;
  }

  static Fuzzer.Outcome fuzz(FuzzReader reader, int seconds) throws IOException {
    return Fuzzer.run(
        FuzzTarget.class, Map.of("rais.fuzz.reader", reader.name()), reader.seeds(), seconds);
  }

  private List<FuzzReader> readers() {
    if (names.isEmpty()) {
      return List.of(FuzzReader.values());
    }
    return names.stream()
        .map(
            name ->
                Arrays.stream(FuzzReader.values())
                    .filter(reader -> reader.label().equals(name))
                    .findFirst()
                    .orElseThrow(
                        () ->
                            new BenchException(
                                "there is no reader '%s'; readers: %s"
                                    .formatted(
                                        name,
                                        String.join(
                                            ", ",
                                            Arrays.stream(FuzzReader.values())
                                                .map(FuzzReader::label)
                                                .toList())),
                                null)))
        .toList();
  }
}
