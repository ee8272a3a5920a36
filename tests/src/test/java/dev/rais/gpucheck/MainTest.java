package dev.rais.gpucheck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/**
 * Whole checks of a bundle whose programs are scripts that print what the real ones do, or hang, or
 * leave nothing.
 */
class MainTest {
  private static final String NO_DRIVER = "there is no CUDA driver";
  private static final String H100 = "NVIDIA H100 80GB HBM3, compute capability 9.0";

  private static final String JAVA =
      """
      if [ -f "HOME/hang" ]; then case "$*" in *"$(cat "HOME/hang")"*) sleep 60 ;; esac; fi
      if [ -f "HOME/garbage" ]; then case "$*" in *"$(cat "HOME/garbage")"*) echo '{"a'; exit ;; esac; fi
      case "$*" in
        *"cli.Main doctor"*) echo ok ;;
        *"gpucheck.Suite"*) echo '{"executed": 5, "passed": 5, "failed": 0, "skipped": 0}' ;;
        *"Measure steps"*)
          echo "turn 1"
          echo '{"imagesPerSecond": 90000.0, "added": 0.01, "refreshes": 24, "turns": 24,' \\
            '"raisMicros": 100.0, "backend": "NVIDIA H100 80GB HBM3, cc"}' ;;
        *"Measure trace"*) echo '{"steps": 1000, "busyShare": 0.99, "microsPerStep": 9, "longestGapMicros": 4}' ;;
        *"Measure against-cpu"*)
          echo '{"steps": 1000, "sameDraws": 1000, "sameState": true, "refreshes": 4,' \\
            '"worstLoss": 0.0001, "worstAt": 3, "medianLoss": 0.00001, "firstLoss": 0}' ;;
        *"cli.Main data import"*) echo imported ;;
        *"cli.Main compare"*)
          case "$*" in *"--seeds 1") n=1 ;; *"--seeds 2") n='1,2' ;; *) n='1,2,3' ;; esac
          echo '{"data": "d", "model": "m", "seeds": ['$n'], "rows": [' \\
            '{"sampler": "uniform", "imagesPerSecond": {"mean": 101}, "finalTestError": {"mean": 0.01}, "targetEpochs": 6},' \\
            '{"sampler": "rais", "imagesPerSecond": {"mean": 100}, "finalTestError": {"mean": 0.01}, "targetEpochs": 2,' \\
            '"speedUpEpochs": 3.0, "speedUpTime": 2.9}]}' ;;
        *) echo "unexpected: $*"; exit 77 ;;
      esac
      """;

  private static final String BENCH =
      """
      case "$*" in
        *--list*) printf 'sgd\\n  launches rais_sgd\\nnorms\\n  bytes\\n' ;;
        *--check*) echo ok ;;
        *)
          [ -f "HOME/nojson" ] && exit 0
          cat >"$2" <<'JSON'
      {"rows": [
      {"kernel": "softmax_xent", "shape": "m=2097152 K=10 fp32", "micros": 60, "copyShare": 0.9},
      {"kernel": "sgd", "shape": "n=1", "micros": 60, "copyShare": 0.9},
      {"kernel": "batch_norm_forward", "shape": "n", "micros": 60, "copyShare": 0.9},
      {"kernel": "sum_tree_draw+update", "shape": "n=10000000 m=1024", "micros": 20}]}
      JSON
          ;;
      esac
      """;

  private static final String PYTHON =
      """
      case "$*" in
        *"import sys, torch"*) exit 0 ;;
        *pytorch_kernels*) echo '{"multinomialMicros": 400, "softmaxXent": [{"shape": "m=2097152 K=10 fp32", "micros": 300}]}' ;;
        *lenet5*) echo '{"eager": 1000.0}'; echo '{"eager": 1000.0, "graph": 2000.0}' ;;
        *resnet18*)
          echo '{"compile": 60000.0}'
          [ -f "HOME/tuning" ] && sleep 60
          echo '{"compile": 60000.0, "max-autotune": 80000.0}' ;;
      esac
      """;

  @TempDir Path folder;
  private Path home;
  private Path out;

  @BeforeEach
  void aBundle() throws IOException {
    home = folder.resolve("home");
    out = folder.resolve("out");
    script("java/bin/java", JAVA);
    script("native-build/build", "exit 0");
    script("carried/kernel_bench", BENCH);
    Files.writeString(home.resolve("carried/librais_kernels.so"), "");
    Files.writeString(home.resolve("carried/libdevice_trace.so"), "");
    script("bin/python3", PYTHON);
    script("bin/compute-sanitizer", "echo '========= ERROR SUMMARY: 0 errors'");
  }

  private void script(String name, String text) throws IOException {
    Path file = home.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, "#!/bin/sh\n" + text.replace("HOME", home.toString()));
    assertTrue(file.toFile().setExecutable(true));
  }

  /** Files of two data sets, as gpu-check looks for them. */
  private Path data() throws IOException {
    Path data = folder.resolve("data");
    for (String set : List.of("mnist", "fashion-mnist")) {
      Files.createDirectories(data.resolve(set));
      Files.writeString(data.resolve(set).resolve("train-images-idx3-ubyte.gz"), "");
    }
    Files.createDirectories(data.resolve("cifar/train/airplane"));
    return data;
  }

  /** What a check came to. */
  private record Checked(int code, String out, String err) {}

  private Checked check(Machine machine, String... options) {
    return check(System.nanoTime(), machine, options);
  }

  private Checked check(long begun, Machine machine, String... options) {
    StringWriter stdout = new StringWriter();
    StringWriter stderr = new StringWriter();
    CommandLine line =
        new CommandLine(new Main(machine, begun))
            .setOut(new PrintWriter(stdout))
            .setErr(new PrintWriter(stderr));
    List<String> arguments =
        new ArrayList<>(List.of("--home", home.toString(), "--out", out.toString()));
    arguments.addAll(Arrays.asList(options));
    int code = line.execute(arguments.toArray(String[]::new));
    return new Checked(code, stdout.toString(), stderr.toString());
  }

  private Machine gpu() {
    return new Machine(null, H100, home.resolve("bin").toString());
  }

  private Machine none() {
    return new Machine(NO_DRIVER, "", "/nowhere");
  }

  private JsonNode results() throws IOException {
    return new ObjectMapper().readTree(out.resolve("results.json").toFile());
  }

  private static String line(Checked checked, String begin) {
    return checked.out().lines().filter(l -> l.startsWith(begin)).findFirst().orElseThrow();
  }

  @Test
  void allOfItOnAGpu() throws IOException {
    Checked checked = check(gpu(), "--data", data().toString());
    assertEquals(0, checked.code(), checked.out() + checked.err());
    assertFalse(checked.out().contains("not run"), checked.out());
    assertTrue(
        line(checked, "MNIST, LeNet-5: uniform's")
            .contains(": reached: 3.000 (at least 2.000); 3 seeds"),
        checked.out());
    assertEquals(
        checked.out().strip(),
        (Files.readString(out.resolve("results.txt"))
                    .lines()
                    .skip(1)
                    .reduce("", (a, b) -> a + b + "\n")
                + "results: "
                + out)
            .strip());
    assertEquals(Rows.ALL.size(), results().get("rows").size());
    assertEquals(H100, results().get("device").asText());
    assertFalse(results().get("quick").asBoolean());
    assertTrue(Files.readString(out.resolve("results.html")).contains("CIFAR-10"));
    assertFalse(Files.exists(out.resolve("steps/scratch")));
  }

  @Test
  void withoutAGpuAllIsSaidInWords() throws IOException {
    Checked checked = check(none(), "--quick");
    assertEquals(0, checked.code(), checked.out() + checked.err());
    assertTrue(
        line(checked, "kernel-suite: ").equals("kernel-suite: not run: " + NO_DRIVER + " (0 s)"));
    for (Row row : Rows.ALL) {
      assertTrue(line(checked, row.name()).contains("not run: "), checked.out());
    }
    assertTrue(results().get("quick").asBoolean());
  }

  /** What a step has found stays, and counts, when others run later. */
  @Test
  void stepsCanBeRunInParts() throws IOException {
    Checked first = check(gpu(), "--steps", "steps-lenet5,pytorch-lenet5");
    assertEquals(0, first.code(), first.out() + first.err());
    assertTrue(
        line(first, "LeNet-5, batch 128: RAIS uniform over PyTorch eager")
            .contains(": reached: 90"));
    assertTrue(
        line(first, "kernels: sgd").endsWith("not run: the step kernel-bench was not asked for"));
    Checked second = check(gpu(), "--steps", "kernel-bench");
    assertTrue(line(second, "kernels: sgd").contains("reached: 0.9"), second.out());
    assertTrue(
        line(second, "LeNet-5, batch 128: RAIS uniform over PyTorch eager")
            .contains(": reached: 90"));
    assertFalse(second.err().contains("steps-lenet5"), second.err());
    Checked third = check(gpu(), "--resume", "--steps", "kernel-bench,trace");
    assertFalse(third.err().contains("kernel-bench"), third.err());
    assertTrue(third.err().contains("trace: passed"), third.err());
  }

  @Test
  void aStepThatHangsIsEndedWhenTheTimeIsOver() throws IOException {
    Files.writeString(home.resolve("hang"), "Measure steps");
    long begun = System.nanoTime();
    Checked checked =
        check(gpu(), "--within", "7", "--steps", "doctor,kernel-bench,steps-lenet5,trace");
    assertTrue(System.nanoTime() - begun < 25e9);
    assertEquals(0, checked.code(), checked.out());
    assertTrue(
        line(checked, "steps-lenet5").contains("not run: it was ended after the "), checked.out());
    assertTrue(line(checked, "trace: ").startsWith("trace: not run: no time was left"));
    assertTrue(line(checked, "kernels: sgd").contains("reached"), checked.out());
    // What was found stays when the same step finds no time later.
    check(gpu(), "--within", "1", "--steps", "kernel-bench");
    assertTrue(results().get("rows").toString().contains("0.9000 (at least 0.8500)"));
    Files.delete(home.resolve("hang"));
    Checked resumed = check(gpu(), "--resume", "--steps", "doctor,kernel-bench,steps-lenet5,trace");
    assertFalse(resumed.err().contains("kernel-bench"), resumed.err());
    assertTrue(line(resumed, "trace: ").startsWith("trace: passed"));
  }

  /** Asking the driver takes time of the check, too. */
  @Test
  void timeCountsFromTheBeginningOfTheProgram() {
    long minuteAgo = System.nanoTime() - 60_000_000_000L;
    Checked late = check(minuteAgo, gpu(), "--within", "60", "--steps", "trace");
    assertTrue(line(late, "trace: ").startsWith("trace: not run: no time was left"), late.out());
    Checked inTime = check(minuteAgo, gpu(), "--within", "120", "--steps", "trace");
    assertTrue(line(inTime, "trace: ").startsWith("trace: passed"), inTime.out());
  }

  @Test
  void whatLeavesNoResultsHasFailed() throws IOException {
    Files.writeString(home.resolve("garbage"), "Measure steps");
    Files.writeString(home.resolve("nojson"), "");
    Checked checked = check(gpu(), "--steps", "steps-lenet5,kernel-bench,trace");
    assertEquals(1, checked.code());
    assertTrue(
        line(checked, "steps-lenet5: ")
            .startsWith("steps-lenet5: failed: it printed no results; the last line is: {\"a"),
        checked.out());
    assertTrue(
        line(checked, "kernel-bench: ")
            .startsWith("kernel-bench: failed: kernel_bench has left no kernel-bench.json"),
        checked.out());
    assertTrue(line(checked, "trace: ").startsWith("trace: passed"));
  }

  /** Results of a suite in which nothing was executed are none. */
  @Test
  void aSuiteThatRanNothingHasNotPassed() throws IOException {
    script("java/bin/java", "echo '{\"executed\": 0, \"passed\": 0}'");
    Checked checked = check(gpu(), "--steps", "kernel-suite");
    assertEquals(1, checked.code());
    assertTrue(line(checked, "kernel-suite: ").contains("it does not say that a test has passed"));
  }

  @Test
  void whatPyTorchHadMeasuredBeforeItWasEndedCounts() throws IOException {
    Files.writeString(home.resolve("tuning"), "");
    Checked checked = check(gpu(), "--steps", "steps-resnet18,pytorch-resnet18", "--within", "9");
    assertTrue(
        line(checked, "pytorch-resnet18: ").startsWith("pytorch-resnet18: passed"), checked.out());
    assertTrue(
        line(checked, "ResNet-18, batch 512, bf16: RAIS")
            .endsWith("over torch.compile as it is by default it is 1.50"),
        checked.out());
    // It was the check's time that was over: with more of it the step is done to its end.
    Files.delete(home.resolve("tuning"));
    Checked resumed = check(gpu(), "--steps", "steps-resnet18,pytorch-resnet18", "--resume");
    assertFalse(resumed.err().contains("steps-resnet18"), resumed.err());
    assertTrue(
        line(resumed, "ResNet-18, batch 512, bf16: RAIS").endsWith("; max-autotune"),
        resumed.out());
    Checked done = check(gpu(), "--steps", "pytorch-resnet18", "--resume");
    assertFalse(done.err().contains("pytorch-resnet18"), done.err());
  }

  @Test
  void whatTheSanitizerFindsIsQuoted() throws IOException {
    script("bin/compute-sanitizer", "echo '========= ERROR SUMMARY: 3 errors'; exit 9");
    Checked checked = check(gpu(), "--steps", "sanitizer-memcheck");
    assertEquals(1, checked.code());
    assertTrue(
        line(checked, "kernels: compute-sanitizer memcheck")
            .endsWith("missed: sanitizer-memcheck: ========= ERROR SUMMARY: 3 errors"));
    // One that does not start the program says nothing of it.
    script("bin/compute-sanitizer", "echo 'Device not supported'");
    Checked silent = check(gpu(), "--steps", "sanitizer-memcheck");
    assertTrue(
        line(silent, "sanitizer-memcheck: ").contains("failed: it has no summary"), silent.out());
  }

  @Test
  void kernelsThatCannotBeBuiltAreThoseOfTheBundle() throws IOException {
    script("native-build/build", "[ \"$2\" = --missing ] && echo 'nvcc is needed'");
    Checked checked = check(gpu(), "--steps", "kernels-build");
    assertEquals(0, checked.code(), checked.out());
    assertTrue(
        line(checked, "kernels-build")
            .contains("nvcc is needed; the kernels of the bundle are used"));
    // A machine that takes too long for a quick check is as good as one without a compiler.
    script("native-build/build", "[ \"$2\" = --missing ] || sleep 60");
    out = folder.resolve("quick");
    Checked slow = check(gpu(), "--steps", "kernels-build", "--quick", "--within", "6");
    assertEquals(0, slow.code(), slow.out());
    assertTrue(line(slow, "kernels-build").contains(" s; the kernels of the bundle are used"));
    Files.delete(home.resolve("carried/kernel_bench"));
    script("native-build/build", "[ \"$2\" = --missing ] && echo 'nvcc is needed'");
    assertEquals(1, check(gpu(), "--steps", "kernels-build", "--quick").code());
  }

  @Test
  void resultsThatDoNotBelongTogetherAreRefused() throws IOException {
    check(gpu(), "--steps", "trace");
    Checked quick = check(gpu(), "--steps", "trace", "--quick");
    assertEquals(2, quick.code());
    assertTrue(
        quick.err().contains("holds results without --quick; choose another folder"), quick.err());
    Machine other = new Machine(null, "NVIDIA H200", "");
    Checked elsewhere = check(other, "--steps", "trace");
    assertEquals(2, elsewhere.code());
    assertTrue(elsewhere.err().contains("holds results of " + H100 + ", and this is NVIDIA H200"));
    // A folder of a check without a GPU can be gone on with where there is one.
    out = folder.resolve("another");
    check(none(), "--steps", "doctor,trace");
    assertEquals(0, check(gpu(), "--steps", "trace").code());
  }

  @Test
  void damagedResultsOfAStepAreLeftOut() throws IOException {
    check(gpu(), "--steps", "trace,doctor");
    Files.writeString(out.resolve("steps/trace.result.json"), "{\"result\"");
    Files.writeString(out.resolve("steps/doctor.result.json"), "{\"result\": null}");
    Checked checked = check(gpu(), "--steps", "sanitizer-memcheck");
    assertEquals(0, checked.code(), checked.out());
    assertTrue(
        checked.err().contains("trace.result.json is left out, its step counts as not run"),
        checked.err());
    assertTrue(checked.err().contains("doctor.result.json is left out"), checked.err());
    assertTrue(
        line(checked, "ResNet-18: share of the time")
            .endsWith("not run: the step trace was not asked for"));
  }

  @Test
  void wrongUsageIsExplained() {
    Checked unknown = check(gpu(), "--steps", "doctor,nonesuch");
    assertEquals(2, unknown.code());
    assertTrue(
        unknown.err().startsWith("there is no step 'nonesuch'; steps: doctor, "), unknown.err());
    assertEquals(2, check(gpu(), "--within", "0").code());
    assertFalse(Files.exists(out));
    Checked list = check(gpu(), "--list", "--quick");
    assertEquals(0, list.code());
    assertTrue(list.out().contains("against-cpu (40 s)\n"), list.out());
    StringWriter err = new StringWriter();
    int code =
        new CommandLine(new Main(gpu(), System.nanoTime()))
            .setErr(new PrintWriter(err))
            .execute("--home", home.toString(), "--resume");
    assertEquals(2, code);
    assertTrue(err.toString().startsWith("--resume needs --out"), err.toString());
  }

  @Test
  void aDriverThatHangsIsNotWaitedFor() {
    var part = new dev.rais.backend.Backends.Part("driver", true, H100);
    Duration minute = Duration.ofMinutes(1);
    assertEquals(new Machine(null, H100, "p"), Machine.asked(() -> part, minute, "p"));
    var missing = new dev.rais.backend.Backends.Part("driver", false, NO_DRIVER);
    assertEquals(new Machine(NO_DRIVER, "", "p"), Machine.asked(() -> missing, minute, "p"));
    Machine hanging =
        Machine.asked(
            () -> {
              LockSupport.parkNanos(60_000_000_000L);
              return part;
            },
            Duration.ofMillis(100),
            "p");
    assertEquals("the CUDA driver has not answered for 0 s", hanging.noGpu());
    Machine failing =
        Machine.asked(
            () -> {
              throw new IllegalStateException("oops");
            },
            minute,
            "p");
    assertEquals("the CUDA driver: java.lang.IllegalStateException: oops", failing.noGpu());
  }

  @Test
  void dataSetsAreFoundByTheirFiles() throws IOException {
    Path data = data();
    assertEquals(data.resolve("mnist"), UserData.mnist(data).orElseThrow());
    assertEquals(data.resolve("mnist"), UserData.mnist(data.resolve("mnist")).orElseThrow());
    assertEquals(
        new UserData.Cifar10(data.resolve("cifar"), true), UserData.cifar10(data).orElseThrow());
    Path binary = Files.createDirectories(data.resolve("c/cifar-10-batches-bin"));
    Files.writeString(binary.resolve("data_batch_1.bin"), "");
    assertEquals(new UserData.Cifar10(binary, false), UserData.cifar10(data).orElseThrow());
    assertTrue(UserData.mnist(binary).isEmpty() && UserData.mnist(null).isEmpty());
    assertEquals("there is no MNIST in " + binary, UserData.missing("MNIST", binary));
  }

  /** A run in which RAIS never comes to uniform's error has missed, not nothing. */
  @Test
  void noSpeedUpIsASpeedUpOfNothing() throws Exception {
    JsonNode table =
        new ObjectMapper()
            .readTree(
                "{\"rows\": [{\"sampler\": \"uniform\"}, {\"sampler\": \"rais\", \"targetEpochs\":"
                    + " \"NaN\", \"speedUpEpochs\": \"NaN\"}]}");
    assertEquals(0.0, Comparisons.values(table).get("speedUpEpochs"));
  }
}
