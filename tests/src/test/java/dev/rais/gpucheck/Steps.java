package dev.rais.gpucheck;

import com.fasterxml.jackson.databind.JsonNode;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.gpucheck.Programs.Ended;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The steps of the check, in their order. */
final class Steps {
  private static final String KERNELS = "librais_kernels.so";

  private final Path home;
  private final Path out;
  private final Path data;
  private final boolean quick;
  private final Programs programs;

  /**
   * Steps.
   *
   * @param home the unpacked bundle
   * @param out where results go
   * @param data the user's data sets, or null
   * @param quick whether all of it is to take minutes
   */
  Steps(Path home, Path out, Path data, boolean quick) {
    this.home = home;
    this.out = out;
    this.data = data;
    this.quick = quick;
    programs = new Programs(home, out);
  }

  List<Step> all() {
    List<Step> steps = new ArrayList<>();
    steps.add(step("doctor", false, 60, 30, this::doctor));
    steps.add(step("kernels-build", false, 1200, 240, this::buildKernels));
    steps.add(step("kernel-suite-host", false, 1200, 150, this::hostSuite));
    steps.add(
        step(
            "kernel-suite",
            true,
            600,
            60,
            l -> suite("kernel-suite", l, "panama", "dev.rais.kernels.CudaKernelSuiteTest")));
    steps.add(
        step(
            "conformance-panama",
            true,
            600,
            60,
            l ->
                suite(
                    "conformance-panama",
                    l,
                    "panama",
                    "dev.rais.backend.cuda.CudaConformanceTest")));
    steps.add(
        step(
            "conformance-jcuda",
            true,
            600,
            60,
            l ->
                suite(
                    "conformance-jcuda",
                    l,
                    "jcuda",
                    "dev.rais.backend.cuda.JCudaConformanceTest")));
    steps.add(step("kernel-bench", true, 600, 60, this::kernelBench));
    for (String tool : List.of("memcheck", "racecheck", "initcheck", "synccheck")) {
      steps.add(step("sanitizer-" + tool, true, 900, 60, l -> sanitizer(tool, l)));
    }
    for (String model : List.of("lenet5", "resnet18")) {
      for (String sampler : List.of("uniform", "rais")) {
        String name = "train-%s-%s".formatted(model, sampler);
        steps.add(step(name, true, 900, 45, l -> train(name, model, sampler, l)));
      }
      steps.add(step("pytorch-" + model, true, 1200, 60, l -> pytorch(model, l)));
    }
    return steps;
  }

  private Step step(String name, boolean needsGpu, int seconds, int quickly, Step.Body body) {
    return new Step(name, needsGpu, Duration.ofSeconds(quick ? quickly : seconds), body);
  }

  private Result doctor(Duration limit) throws Exception {
    Ended ended = programs.run("doctor", limit, List.of(home.resolve("rais").toString(), "doctor"));
    return ended.failure(limit).map(Result::failed).orElseGet(() -> Result.passed(Map.of()));
  }

  private Path built() {
    return home.resolve("native-build/out/cuda");
  }

  private Path carried() {
    return home.resolve("carried");
  }

  /** Where the kernels are: those that were built here, or else those that the bundle has. */
  private Path kernels() {
    return Files.exists(built().resolve(KERNELS)) ? built() : carried();
  }

  private Result buildKernels(Duration limit) throws Exception {
    String build = home.resolve("native-build/build").toString();
    // In a hurry for one kind of GPU only, and beside what is used: it shows that they compile.
    String preset = quick ? "cuda-ci" : "cuda";
    Ended missing = programs.run("kernels-missing", limit, List.of(build, preset, "--missing"));
    String lack = missing.text().strip();
    if (missing.code() != 0 || !lack.isEmpty()) {
      return Files.exists(carried().resolve(KERNELS))
          ? Result.notRun(lack + "; the kernels of the bundle are used")
          : Result.failed(lack + "; and the bundle has no kernels in it");
    }
    Ended ended = programs.run("kernels-build", limit, List.of(build, preset));
    return ended.failure(limit).map(Result::failed).orElseGet(() -> Result.passed(Map.of()));
  }

  private Result hostSuite(Duration limit) throws Exception {
    String build = home.resolve("native-build/build").toString();
    Ended missing = programs.run("host-missing", limit, List.of(build, "host", "--missing"));
    if (!missing.text().isBlank()) {
      return Result.notRun(missing.text().strip());
    }
    return suite("kernel-suite-host", limit, "panama", "dev.rais.kernels.HostKernelSuiteTest");
  }

  private Result suite(String name, Duration limit, String binding, String testClass)
      throws Exception {
    List<String> command = java(binding);
    command.add("-Drais.test.require=cuda,host-kernels");
    command.add("dev.rais.gpucheck.Suite");
    command.add(testClass);
    Ended ended = programs.run(name, limit, command);
    Optional<String> failure = ended.failure(limit);
    return failure.isPresent() ? Result.failed(failure.get()) : Result.passed(values(ended.json()));
  }

  /** A JVM with the bundle's classes, kernels, and libraries of a binding. */
  private List<String> java(String binding) {
    List<String> command = new ArrayList<>();
    command.add(home.resolve("java/bin/java").toString());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Drais.kernels.library=" + kernels().resolve(KERNELS),
            "-Drais.cuda.binding=" + binding));
    if (binding.equals("jcuda") && needsForwarding()) {
      command.add("-Drais.jcuda.cublas=" + carried().resolve("libcublas.so.12"));
    }
    command.addAll(List.of("-cp", home.resolve("lib") + "/*"));
    return command;
  }

  private static boolean needsForwarding() {
    try {
      LibrarySearch.ofThisMachine().load("cuBLAS", List.of("libcublas.so.12"), "");
      return false;
    } catch (CudaUnavailableException e) {
      return true;
    }
  }

  private Result kernelBench(Duration limit) throws Exception {
    Path json = out.resolve("kernel-bench.json");
    List<String> command = new ArrayList<>();
    command.add(kernels().resolve("kernel_bench").toString());
    command.addAll(List.of("--json", json.toString()));
    if (quick) {
      command.add("--quick");
    }
    Ended ended = programs.run("kernel-bench", limit, command);
    return ended
        .failure(limit)
        .map(Result::failed)
        .orElseGet(() -> Result.passed(Map.of("file", json.getFileName().toString())));
  }

  private Result sanitizer(String tool, Duration limit) throws Exception {
    Optional<Path> program =
        Programs.find(
            "compute-sanitizer", "/usr/local/cuda/bin", "/usr/local/cuda/compute-sanitizer");
    if (program.isEmpty()) {
      return Result.notRun("compute-sanitizer is not installed");
    }
    List<String> command =
        List.of(
            program.get().toString(),
            "--tool",
            tool,
            "--error-exitcode",
            "9",
            kernels().resolve("kernel_bench").toString(),
            "--check");
    Ended ended = programs.run("sanitizer-" + tool, limit, command);
    return ended.failure(limit).map(Result::failed).orElseGet(() -> Result.passed(Map.of()));
  }

  private static String precision(String model) {
    return model.equals("lenet5") ? "fp32" : "bf16";
  }

  private static String batch(String model) {
    return model.equals("lenet5") ? "128" : "512";
  }

  private Result train(String name, String model, String sampler, Duration limit) throws Exception {
    boolean small = model.equals("lenet5");
    Optional<Path> real =
        SyntheticData.find(data, small ? "train-images-idx3-ubyte" : "data_batch_1.bin");
    Path folder = real.orElse(out.resolve("synthetic").resolve(model));
    if (real.isEmpty() && !Files.exists(folder)) {
      if (small) {
        SyntheticData.mnist(folder);
      } else {
        SyntheticData.cifar(folder);
      }
    }
    List<String> command = java("panama");
    command.addAll(
        List.of(
            "-Xmx8g",
            "dev.rais.cli.Main",
            "train",
            "--backend",
            "cuda",
            "--model",
            model,
            "--sampler",
            sampler,
            "--data",
            folder.toString(),
            "--batch-size",
            batch(model),
            "--precision",
            precision(model),
            "--epochs",
            small ? (quick ? "2" : "20") : (quick ? "1" : "10"),
            "--quiet",
            "--json"));
    if (!small) {
      command.addAll(List.of("--augment", "standard"));
    }
    Ended ended = programs.run(name, limit, command);
    Optional<String> failure = ended.failure(limit);
    if (failure.isPresent()) {
      return Result.failed(failure.get());
    }
    Map<String, Object> values = values(ended.json());
    values.put("precision", precision(model));
    values.put(
        "data",
        real.map(Path::toString)
            .orElse(
                "random: "
                    + (data == null ? "no --data was given" : "no such data set in " + data)));
    return Result.passed(values);
  }

  private Result pytorch(String model, Duration limit) throws Exception {
    Optional<Path> python = Programs.find("python3");
    if (python.isEmpty()) {
      return Result.notRun("there is no python3 on the PATH");
    }
    Ended torch =
        programs.run(
            "pytorch-version",
            Duration.ofSeconds(60),
            List.of(
                python.get().toString(),
                "-c",
                "import sys, torch; torch.cuda.is_available() or sys.exit('it sees no CUDA"
                    + " device')"));
    if (torch.code() != 0) {
      return Result.notRun(
          "%s has no torch for CUDA: %s".formatted(python.get(), torch.lastLine()));
    }
    List<String> command = new ArrayList<>();
    command.add(python.get().toString());
    command.addAll(
        List.of(
            home.resolve("pytorch_side_by_side.py").toString(),
            "--model",
            model,
            "--batch",
            batch(model),
            "--precision",
            precision(model)));
    if (!model.equals("lenet5")) {
      command.add("--augment");
    }
    command.addAll(
        quick
            ? List.of("--seconds", "3", "--warmup", "2", "--repeats", "3")
            : List.of("--max-autotune"));
    Ended ended = programs.run("pytorch-" + model, limit, command);
    Optional<String> failure = ended.failure(limit);
    return failure.isPresent() ? Result.failed(failure.get()) : Result.passed(ways(ended.json()));
  }

  /** Images per second by the way of training; one that failed has its error instead. */
  static Map<String, Object> ways(JsonNode json) throws IOException {
    Map<String, Object> values = new LinkedHashMap<>();
    for (String name : List.of("torch", "device", "precision")) {
      values.put(name, json.path(name).asText());
    }
    json.path("ways")
        .properties()
        .forEach(
            way -> {
              JsonNode rate = way.getValue().path("imagesPerSecond");
              values.put(
                  way.getKey(),
                  rate.isNumber()
                      ? (Object) rate.asDouble()
                      : way.getValue().path("error").asText());
            });
    return values;
  }

  private static Map<String, Object> values(JsonNode json) {
    Map<String, Object> values = new LinkedHashMap<>();
    json.properties()
        .forEach(
            e ->
                values.put(
                    e.getKey(),
                    e.getValue().isNumber()
                        ? (Object) e.getValue().asDouble()
                        : e.getValue().asText()));
    return values;
  }
}
