package dev.rais.bench.soak;

import dev.rais.bench.BenchException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Feeds every reader of foreign files with mutations that Jazzer guides by coverage. */
@Command(
    name = "fuzz",
    description = "coverage-guided mutations of every file that RAIS reads",
    mixinStandardHelpOptions = true)
final class FuzzSoak implements Callable<Integer> {
  record Result(String bench, int readers, long executions, int crashes) {}

  /** What came of one reader. */
  private record Fuzzed(FuzzReader reader, Fuzzer.Outcome outcome) {}

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

  @Option(
      names = "--jobs",
      paramLabel = "N",
      description = "readers at a time (default: as many as there are cores)")
  private int jobs = Runtime.getRuntime().availableProcessors();

  @Override
  public Integer call() {
    if (seconds < 1 || jobs < 1) {
      throw new ParameterException(
          spec.commandLine(), "--seconds and --jobs are numbers of 1 or more");
    }
    List<FuzzReader> readers = readers();
    long executions = 0;
    int crashes = 0;
    int idle = 0;
    ExecutorService pool = Executors.newFixedThreadPool(jobs);
    try {
      CompletionService<Fuzzed> running = new ExecutorCompletionService<>(pool);
      readers.forEach(reader -> running.submit(() -> new Fuzzed(reader, fuzz(reader, seconds))));
      for (int done = 0; done < readers.size(); done++) {
        Fuzzed fuzzed = running.take().get();
        report(fuzzed);
        executions += fuzzed.outcome.executions();
        crashes += fuzzed.outcome.crash() == null ? 0 : 1;
        idle += fuzzed.outcome.grew() ? 0 : 1;
      }
    } catch (InterruptedException e) {
      throw new BenchException("interrupted", e);
    } catch (ExecutionException e) {
      throw new BenchException("cannot fuzz: " + e.getCause().getMessage(), e.getCause());
    } finally {
      pool.shutdownNow();
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

  private void report(Fuzzed fuzzed) {
    Fuzzer.Outcome outcome = fuzzed.outcome;
    PrintWriter err = spec.commandLine().getErr();
    err.printf(
        "%-14s %,12d inputs, branches reached %d -> %d%s%n",
        fuzzed.reader.label(),
        outcome.executions(),
        outcome.coverageAtStart(),
        outcome.coverage(),
        outcome.crash() != null
            ? ", a finding:\n" + outcome.crash()
            : outcome.grew() ? "" : ": coverage did not grow, nothing was tested");
    err.flush();
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
