package dev.rais.gpucheck;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.gpucheck.Programs.Bad;
import dev.rais.gpucheck.Programs.Ended;
import dev.rais.gpucheck.Programs.Late;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The steps of the check, in their order: what most numbers follow from comes first. */
final class Steps {
  private static final String KERNELS = "librais_kernels.so";
  private static final String BENCH = "kernel_bench";

  /** The benches whose numbers there are rows for. */
  private static final List<String> TIMED =
      List.of("softmax_xent", "sum_tree", "sgd", "batch_norm");

  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path home;
  private final Path out;
  private final Path data;
  private final String device;
  private final boolean quick;
  private final Programs programs;
  private final List<Step> steps = new ArrayList<>();

  /**
   * Steps.
   *
   * @param home the unpacked bundle
   * @param out where what they say goes
   * @param data the user's data sets, or null
   * @param machine what they run on
   * @param quick whether all of it is to take minutes
   */
  Steps(Path home, Path out, Path data, Machine machine, boolean quick) {
    this.home = home;
    this.out = out;
    this.data = data;
    device = machine.device();
    this.quick = quick;
    programs = new Programs(home, out, machine.path());
  }

  /** A folder that steps use and nobody needs afterwards. */
  Path scratch() {
    return out.resolve("scratch");
  }

  List<Step> all() {
    steps.clear();
    cpu("doctor", 120, 20, this::doctor);
    cpu("kernels-build", 400, 150, this::buildKernels);
    suite("kernel-suite", 300, 45, "panama", "dev.rais.kernels.CudaKernelSuiteTest");
    String conformance = "dev.rais.backend.cuda.CudaConformanceTest";
    suite("conformance-panama", 300, 45, "panama", conformance);
    String jcuda = "dev.rais.backend.cuda.JCudaConformanceTest";
    suite("conformance-jcuda", 300, 45, "jcuda", jcuda);
    gpu("kernel-bench", 300, 60, l -> kernelBench("kernel-bench", TIMED, l));
    gpu("pytorch-kernels", 150, 30, this::pytorchKernels);
    times("steps-lenet5", 120, 20, "lenet5", 50_000);
    gpu("pytorch-lenet5", 180, 30, l -> pytorch("lenet5", l));
    times("steps-resnet18", 200, 40, "resnet18", 50_000);
    gpu("pytorch-resnet18", 480, 45, l -> pytorch("resnet18", l));
    gpu("trace", 150, 30, l -> trace("trace", false, l));
    gpu("profile", 120, 30, l -> trace("profile", true, l));
    gpu("against-cpu", 300, 40, this::againstCpu);
    times("steps-10-million", 300, 60, "lenet5-small", 10_000_000);
    for (String tool : List.of("memcheck", "racecheck", "initcheck", "synccheck")) {
      gpu("sanitizer-" + tool, 300, 40, l -> sanitizer(tool, l));
    }
    gpu("compare-mnist", 200, 30, this::compareMnist);
    gpu("compare-cifar10", 570, 45, this::compareCifar10);
    gpu("kernel-bench-rest", 400, 45, l -> kernelBench("kernel-bench-rest", rest(l), l));
    gpu("device-steps", 300, 45, this::deviceSteps);
    cpu("kernel-suite-host", 600, 200, this::hostSuite);
    return List.copyOf(steps);
  }

  private void gpu(String name, int seconds, int quickly, Step.Body body) {
    steps.add(new Step(name, true, Duration.ofSeconds(quick ? quickly : seconds), body));
  }

  private void cpu(String name, int seconds, int quickly, Step.Body body) {
    steps.add(new Step(name, false, Duration.ofSeconds(quick ? quickly : seconds), body));
  }

  private void suite(String name, int seconds, int quickly, String binding, String testClass) {
    gpu(name, seconds, quickly, l -> suite(name, l, binding, testClass));
  }

  private void times(String name, int seconds, int quickly, String model, int examples) {
    gpu(name, seconds, quickly, l -> stepTimes(name, model, examples, l));
  }

  // ---- The machine and the kernels ----

  private Result doctor(Duration limit) throws Exception {
    List<String> command = java("panama");
    command.addAll(List.of("dev.rais.cli.Main", "doctor"));
    programs.run("doctor", limit, command).good();
    return Result.passed(Map.of());
  }

  /** For this kind of GPU only, where that is the one that there is a preset for. */
  private String preset() {
    return device.contains("compute capability 9.0") || device.isEmpty() ? "cuda-ci" : "cuda";
  }

  private Path built() {
    return home.resolve("native-build/out").resolve(preset());
  }

  private Path carried() {
    return home.resolve("carried");
  }

  private static boolean complete(Path folder) {
    return Files.exists(folder.resolve(KERNELS)) && Files.exists(folder.resolve(BENCH));
  }

  /** Where the kernels are: those that were built here, or else those that the bundle has. */
  private Path kernels() {
    return complete(built()) ? built() : carried();
  }

  private Result buildKernels(Duration limit) throws Exception {
    String build = home.resolve("native-build/build").toString();
    Ended missing =
        programs.run("kernels-missing", limit, List.of(build, preset(), "--missing")).good();
    String lack = missing.text().strip();
    if (!lack.isEmpty()) {
      return complete(carried())
          ? Result.notRun(lack + "; the kernels of the bundle are used")
          : Result.failed(lack + "; and the bundle has no kernels in it");
    }
    Ended ended = programs.run("kernels-build", limit, List.of(build, preset()));
    if (ended.late() && quick && complete(carried())) {
      return Result.notRun(
          "not done after %d s; the kernels of the bundle are used".formatted(limit.toSeconds()));
    }
    ended.good();
    return Result.passed(Map.of("preset", preset()));
  }

  private Result hostSuite(Duration limit) throws Exception {
    String build = home.resolve("native-build/build").toString();
    Ended missing = programs.run("host-missing", limit, List.of(build, "host", "--missing")).good();
    if (!missing.text().isBlank()) {
      return Result.notRun(missing.text().strip());
    }
    return suite("kernel-suite-host", limit, "panama", "dev.rais.kernels.HostKernelSuiteTest");
  }

  private Result suite(String name, Duration limit, String binding, String testClass)
      throws Exception {
    List<String> command = java(binding);
    command.add("-Drais.test.require=cuda,host-kernels,jcuda-natives");
    command.add("dev.rais.gpucheck.Suite");
    command.add(testClass);
    Map<String, Object> values = values(programs.run(name, limit, command).good().json());
    if (!(values.get("passed") instanceof Number passed) || passed.longValue() < 1) {
      throw new Bad("it does not say that a test has passed");
    }
    if (binding.equals("jcuda")) {
      values.put("cublas", needsForwarding() ? "cublas12-on-13" : "libcublas.so.12");
    }
    return Result.passed(values);
  }

  private Result deviceSteps(Duration limit) throws Exception {
    return suite("device-steps", limit, "panama", "dev.rais.train.CudaDeviceStepsTest");
  }

  /** A JVM with the bundle's classes, kernels, and libraries of a binding. */
  private List<String> java(String binding) {
    List<String> command = new ArrayList<>();
    command.add(home.resolve("java/bin/java").toString());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djava.awt.headless=true",
            "-XX:+UseSerialGC",
            "-XX:MaxRAMPercentage=60",
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

  private Result kernelBench(String name, List<String> benches, Duration limit) throws Exception {
    Path file = out.resolve(name + ".json");
    Files.deleteIfExists(file);
    List<String> command = new ArrayList<>();
    command.add(kernels().resolve(BENCH).toString());
    command.addAll(List.of("--json", file.toString()));
    benches.forEach(bench -> command.addAll(List.of("--kernel", bench)));
    if (quick) {
      command.add("--quick");
    }
    programs.run(name, limit, command).good();
    return Result.passed(benchValues(file));
  }

  /** All benches but those that there are rows for. */
  private List<String> rest(Duration limit) throws Exception {
    String bench = kernels().resolve(BENCH).toString();
    Ended ended = programs.run("kernel-bench-list", limit, List.of(bench, "--list")).good();
    return ended
        .text()
        .lines()
        .filter(l -> l.matches("\\w+"))
        .filter(l -> !TIMED.contains(l))
        .toList();
  }

  /**
   * What kernel_bench has written.
   *
   * @throws Bad if it is missing or damaged
   */
  static Map<String, Object> benchValues(Path file) throws Bad, IOException {
    if (!Files.exists(file)) {
      throw new Bad("kernel_bench has left no " + file.getFileName());
    }
    try {
      Map<String, Object> values = values(JSON.readTree(file.toFile()));
      if (!(values.get("rows") instanceof List<?> rows) || rows.isEmpty()) {
        throw new Bad(file.getFileName() + " has no rows");
      }
      return values;
    } catch (JsonProcessingException e) {
      throw new Bad(file.getFileName() + " is damaged: " + e.getOriginalMessage());
    }
  }

  private Result sanitizer(String tool, Duration limit) throws Exception {
    Optional<Path> program =
        programs.find(
            "compute-sanitizer",
            System.getenv().getOrDefault("CUDA_HOME", "") + "/bin",
            "/usr/local/cuda/bin",
            "/usr/local/cuda/compute-sanitizer");
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
            kernels().resolve(BENCH).toString(),
            "--check");
    Ended ended = programs.run("sanitizer-" + tool, limit, command);
    String summary =
        ended.text().lines().filter(l -> l.contains("SUMMARY")).reduce((a, b) -> b).orElse("");
    if (!ended.late() && ended.code() == 9) {
      throw new Bad(summary.isEmpty() ? ended.lastLine() : summary);
    }
    ended.good();
    if (summary.isEmpty()) {
      throw new Bad("it has no summary; the last line is: " + ended.lastLine());
    }
    return Result.passed(Map.of("summary", summary));
  }

  // ---- Training ----

  private static String precision(String model) {
    return model.equals("resnet18") ? "bf16" : "fp32";
  }

  private static String batch(String model) {
    return model.equals("resnet18") ? "512" : "128";
  }

  private List<String> measure(String what, String model, int examples) {
    List<String> command = java("panama");
    command.addAll(
        List.of(
            "dev.rais.gpucheck.Measure",
            what,
            "--model",
            model,
            "--examples",
            Integer.toString(examples),
            "--batch",
            batch(model),
            "--precision",
            precision(model)));
    return command;
  }

  private Result stepTimes(String name, String model, int examples, Duration limit)
      throws Exception {
    List<String> command = measure("steps", model, examples);
    boolean large = model.equals("resnet18");
    command.addAll(List.of("--turns", quick ? "4" : large ? "12" : "24"));
    command.addAll(List.of("--seconds", quick ? "0.3" : "1"));
    return Result.passed(values(programs.run(name, limit, command).good().json()));
  }

  private Result trace(String name, boolean kernels, Duration limit) throws Exception {
    Path library = carried().resolve("libdevice_trace.so");
    if (!Files.exists(library)) {
      return Result.notRun("the bundle has no " + library.getFileName());
    }
    List<String> command = measure("trace", "resnet18", quick ? 10_000 : 50_000);
    // Kernels one by one make records by the hundred in a step.
    command.addAll(List.of("--steps", kernels || quick ? "100" : "1000"));
    command.addAll(List.of("--library", library.toString()));
    if (kernels) {
      command.add("--kernels");
    }
    return Result.passed(values(programs.run(name, limit, command).good().json()));
  }

  private Result againstCpu(Duration limit) throws Exception {
    List<String> command = java("panama");
    command.addAll(
        List.of(
            "dev.rais.gpucheck.Measure",
            "against-cpu",
            "--examples",
            quick ? "10000" : "60000",
            "--steps",
            quick ? "100" : "1000"));
    Optional<Path> mnist = quick ? Optional.empty() : UserData.mnist(data);
    mnist.ifPresent(folder -> command.addAll(List.of("--data", folder.toString())));
    Map<String, Object> values = values(programs.run("against-cpu", limit, command).good().json());
    values.put("data", mnist.map(Path::toString).orElse("random images"));
    return Result.passed(values);
  }

  private Result compareMnist(Duration limit) throws Exception {
    Optional<Path> folder = UserData.mnist(data);
    if (folder.isEmpty()) {
      return Result.notRun(UserData.missing("MNIST", data));
    }
    List<String> options = List.of("--model", "lenet5", "--epochs", quick ? "2" : "10");
    return compare("compare-mnist", folder.get(), options, quick ? 1 : 5, limit);
  }

  private Result compareCifar10(Duration limit) throws Exception {
    long begun = System.nanoTime();
    Optional<UserData.Cifar10> found = UserData.cifar10(data);
    if (found.isEmpty()) {
      return Result.notRun(UserData.missing("CIFAR-10", data));
    }
    Path folder = found.get().folder();
    List<String> options = new ArrayList<>();
    if (found.get().images()) {
      List<String> command = java("panama");
      String name = "cifar10-images";
      command.addAll(List.of("dev.rais.cli.Main", "data", "import", folder.toString()));
      Path to = scratch().resolve("data");
      command.addAll(List.of("--name", name, "--to", to.toString(), "--quiet", "--force"));
      programs.run("import-cifar10", limit, command).good();
      options.addAll(List.of("--data-dir", to.toString()));
      folder = Path.of(name);
    }
    options.addAll(List.of("--model", "resnet18", "--augment", "standard", "--precision", "bf16"));
    options.addAll(List.of("--epochs", quick ? "0.5" : "30"));
    Duration left = limit.minus(Duration.ofNanos(System.nanoTime() - begun));
    return compare("compare-cifar10", folder, options, quick ? 1 : 3, left);
  }

  /**
   * Compares RAIS with uniform sampling, for one seed more as long as there is time. What is
   * trained stays: the same step goes on with it later.
   */
  private Result compare(String name, Path set, List<String> options, int mostSeeds, Duration limit)
      throws Exception {
    long begun = System.nanoTime();
    List<String> command = java("panama");
    command.addAll(List.of("dev.rais.cli.Main", "compare", "--backend", "cuda", "--json"));
    command.addAll(List.of("--quiet", "--samplers", "uniform,rais"));
    command.addAll(List.of("--checkpoint-every", "1m", "--data", set.toString()));
    command.addAll(List.of("--out", out.resolve(name).toString()));
    command.addAll(options);
    JsonNode table = null;
    long longest = 0;
    for (int seeds = 1; seeds <= mostSeeds; seeds++) {
      long passed = System.nanoTime() - begun;
      Duration left = limit.minus(Duration.ofNanos(passed));
      if (table != null && left.toNanos() < longest * 3 / 2) {
        break;
      }
      List<String> now = new ArrayList<>(command);
      now.addAll(List.of("--seeds", Integer.toString(seeds)));
      Ended ended = programs.run(name, left, now);
      longest = Math.max(longest, System.nanoTime() - begun - passed);
      if (table != null && ended.late()) {
        break;
      }
      table = ended.good().json();
    }
    return Result.passed(Comparisons.values(table));
  }

  // ---- PyTorch ----

  private Result pytorchKernels(Duration limit) throws Exception {
    List<String> arguments = new ArrayList<>(List.of("pytorch_kernels.py"));
    if (quick) {
      arguments.addAll(List.of("--seconds", "0.1"));
    }
    return python("pytorch-kernels", arguments, limit);
  }

  private Result pytorch(String model, Duration limit) throws Exception {
    boolean small = model.equals("lenet5");
    List<String> arguments = new ArrayList<>(List.of("pytorch_side_by_side.py"));
    arguments.addAll(List.of("--model", model, "--batch", batch(model)));
    arguments.addAll(List.of("--precision", precision(model)));
    // What rows want comes first, as far as it is quick: the rest may not fit into the time.
    String ways =
        small
            ? "eager,graph,eager-contiguous,graph-contiguous"
            : quick ? "eager,compile" : "compile,max-autotune,eager,graph";
    arguments.addAll(List.of("--ways", ways));
    if (!small) {
      arguments.add("--augment");
    }
    if (quick) {
      arguments.addAll(List.of("--seconds", "2", "--warmup", "1", "--repeats", "3"));
    }
    return python("pytorch-" + model, arguments, limit);
  }

  /** Runs a script of the bundle; one that had to be ended has measured what it had printed. */
  private Result python(String name, List<String> arguments, Duration limit) throws Exception {
    long begun = System.nanoTime();
    Optional<Path> python = programs.find("python3");
    if (python.isEmpty()) {
      return Result.notRun("there is no python3 on the PATH");
    }
    String test =
        "import sys, torch; torch.cuda.is_available() or sys.exit('it sees no CUDA device')";
    Ended torch =
        programs.run("pytorch-found", limit, List.of(python.get().toString(), "-c", test));
    if (torch.late()) {
      throw new Late(limit);
    }
    if (torch.code() != 0) {
      return Result.notRun(
          "%s has no torch for CUDA: %s".formatted(python.get(), torch.lastLine()));
    }
    List<String> command = new ArrayList<>(List.of(python.get().toString()));
    command.add(home.resolve(arguments.getFirst()).toString());
    command.addAll(arguments.subList(1, arguments.size()));
    Duration left = limit.minus(Duration.ofNanos(System.nanoTime() - begun));
    Ended ended = programs.run(name, left, command);
    if (!ended.late()) {
      return Result.passed(values(ended.good().json()));
    }
    try {
      Map<String, Object> values = values(ended.json());
      values.put(Step.ENDED, "after %d s, before all was measured".formatted(limit.toSeconds()));
      return Result.passed(values);
    } catch (Bad e) {
      throw new Late(limit);
    }
  }

  private static Map<String, Object> values(JsonNode json) {
    return JSON.convertValue(json, new TypeReference<LinkedHashMap<String, Object>>() {});
  }
}
