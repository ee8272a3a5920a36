package dev.rais.gpucheck;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Shape;
import dev.rais.train.GpuAgainstCpu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Measurements of gpu-check that a process of their own makes, on a GPU. The last line of standard
 * output is a JSON object; how it goes is told before it.
 */
@Command(name = "measure")
final class Measure {
  private Measure() {}

  public static void main(String[] args) {
    CommandLine line = new CommandLine(new Measure());
    // The last line is what gpu-check quotes.
    line.setExecutionExceptionHandler(
        (e, command, parsed) -> {
          e.printStackTrace(System.out);
          System.out.println(String.valueOf(e.getMessage()).strip().replaceAll("\\s*\n\\s*", "; "));
          return 1;
        });
    System.exit(line.execute(args));
  }

  private static Backend open(String precision) {
    return Backends.open(
        "cuda",
        Runtime.getRuntime().availableProcessors(),
        precision,
        null,
        warning -> System.out.println("warning: " + warning));
  }

  private static void print(Map<String, Object> values) throws JsonProcessingException {
    System.out.println(new ObjectMapper().writeValueAsString(values));
  }

  @Command(name = "steps")
  int steps(
      @Option(names = "--model", required = true) String model,
      @Option(names = "--examples", required = true) int examples,
      @Option(names = "--batch", required = true) int batch,
      @Option(names = "--precision", required = true) String precision,
      @Option(names = "--turns", required = true) int turns,
      @Option(names = "--seconds", required = true) double seconds)
      throws JsonProcessingException {
    Workload workload = Workload.of(model, examples, batch);
    try (Backend backend = open(precision)) {
      StepTimes times = StepTimes.measure(backend, workload, turns, seconds, System.out::println);
      Map<String, Object> values = new LinkedHashMap<>(times.values(workload));
      values.put("precision", precision);
      values.put("backend", backend.description());
      print(values);
    }
    return 0;
  }

  @Command(name = "trace")
  int trace(
      @Option(names = "--model", required = true) String model,
      @Option(names = "--examples", required = true) int examples,
      @Option(names = "--batch", required = true) int batch,
      @Option(names = "--precision", required = true) String precision,
      @Option(names = "--steps", required = true) int steps,
      @Option(names = "--kernels") boolean kernels,
      @Option(names = "--library", required = true) Path library)
      throws IOException {
    Workload workload = Workload.of(model, examples, batch);
    Path file = Files.createTempFile("rais-trace", ".txt");
    try {
      // Before anything is on the device: graphs made earlier may not be seen whole.
      try (DeviceTrace trace = DeviceTrace.begin(library, kernels);
          Backend backend = open(precision);
          TimedTrainer trainer =
              new TimedTrainer(backend, workload, workload.config("rais").build())) {
        trainer.untilWeighted(workload);
        trainer.advance(steps / 10);
        trainer.await();
        long from = trace.now();
        trainer.advance(steps);
        trainer.await();
        trace.end(from, trace.now(), file);
      }
      Map<String, Object> values = Timeline.read(file).values(steps, kernels);
      values.put("precision", precision);
      print(values);
    } finally {
      Files.delete(file);
    }
    return 0;
  }

  @Command(name = "against-cpu")
  int againstCpu(
      @Option(names = "--data") Path data,
      @Option(names = "--examples", required = true) int examples,
      @Option(names = "--steps", required = true) int steps)
      throws JsonProcessingException {
    Dataset set =
        data == null
            ? RandomImages.of(examples, new Shape(28, 28, 1))
            : Datasets.load(data.toString(), null);
    int threads = Runtime.getRuntime().availableProcessors();
    try (Backend gpu = open("fp32");
        Backend cpu = Backends.open("cpu", threads, w -> System.out.println("warning: " + w))) {
      print(GpuAgainstCpu.compare(gpu, cpu, set, steps, System.out::println).values());
    }
    return 0;
  }
}
