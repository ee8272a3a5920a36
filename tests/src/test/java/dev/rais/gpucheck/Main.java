package dev.rais.gpucheck;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.rais.backend.Backends;
import dev.rais.backend.cuda.CudaBackends;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gpu-check}: what RAIS does on this GPU. */
@Command(
    name = "gpu-check",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Builds and tests the kernels, runs the conformance suite by way of both bindings, times,"
            + " trains, compares with PyTorch, and writes one folder of results. The exit code is 0"
            + " if no step failed and no number was missed, else 1; 2 for wrong usage. What could"
            + " not be run is not counted as either.")
final class Main implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(names = "--home", hidden = true, required = true)
  private Path home;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Folder with MNIST's or CIFAR-10's files; what is not there is made up.")
  private Path data;

  @Option(names = "--quick", description = "A few minutes: shows that all of it runs.")
  private boolean quick;

  @Option(names = "--only", paramLabel = "STEP", description = "Only this step; may be repeated.")
  private List<String> only = List.of();

  @Option(names = "--out", paramLabel = "DIR", description = "Results (default: results-TIME).")
  private Path out;

  public static void main(String[] args) {
    System.exit(new CommandLine(new Main()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
    Path folder =
        (out == null ? Path.of("results-" + now.toString().replace(":", "")) : out)
            .toAbsolutePath();
    List<Step> steps =
        new Steps(home.toAbsolutePath(), folder, data == null ? null : data.toAbsolutePath(), quick)
            .all();
    List<String> names = steps.stream().map(Step::name).toList();
    for (String name : only) {
      if (!names.contains(name)) {
        throw new ParameterException(
            spec.commandLine(),
            "there is no step '%s'; steps: %s".formatted(name, String.join(", ", names)));
      }
    }
    Files.createDirectories(folder);
    PrintWriter err = spec.commandLine().getErr();
    String noGpu = noGpu();
    List<Result> results = new ArrayList<>();
    for (Step step : steps) {
      if (!only.isEmpty() && !only.contains(step.name())) {
        continue;
      }
      err.printf("gpu-check: %s ...%n", step.name());
      err.flush();
      results.add(step.run(noGpu));
      err.println("gpu-check: " + Report.line(results.getLast()));
      err.flush();
    }
    delete(folder.resolve("synthetic"));
    Report report = Report.of(results);
    write(folder, now, report);
    spec.commandLine().getOut().print(report.text());
    spec.commandLine().getOut().println("results: " + folder);
    spec.commandLine().getOut().flush();
    return report.exitCode();
  }

  /** Why there is no GPU to use; null if there is one. */
  private static String noGpu() {
    for (Backends.Part part : CudaBackends.parts()) {
      if (part.name().equals("driver")) {
        return part.available() ? null : part.details();
      }
    }
    throw new IllegalStateException("the CUDA backend tells nothing of its driver");
  }

  private void write(Path folder, Instant now, Report report) throws IOException {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("date", now.toString());
    all.put("quick", quick);
    all.put("parts", CudaBackends.parts());
    all.put("steps", report.results());
    all.put("rows", report.verdicts());
    new ObjectMapper()
        .enable(SerializationFeature.INDENT_OUTPUT)
        .writeValue(folder.resolve("results.json").toFile(), all);
    Files.writeString(folder.resolve("results.txt"), now + "\n" + report.text());
  }

  private static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      List<Path> all;
      try (Stream<Path> files = Files.walk(folder)) {
        all = files.toList().reversed();
      }
      for (Path file : all) {
        Files.delete(file);
      }
    }
  }
}
