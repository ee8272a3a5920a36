package dev.rais.gpucheck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Verdicts and exit codes of gpu-check, with outcomes of steps as they may come. */
class ReportTest {
  private static Result passed(String step, Map<String, Object> values) {
    return Result.passed(values).of(step, 1);
  }

  private static Result train(String model, String sampler, double rate, String precision) {
    return passed(
        "train-" + model + "-" + sampler,
        Map.of(
            "imagesPerSecond",
            rate,
            "precision",
            precision,
            "backend",
            "NVIDIA H100 80GB HBM3, compute capability 9.0"));
  }

  private static List<Result> good() {
    return new ArrayList<>(
        List.of(
            train("lenet5", "uniform", 3000, "fp32"),
            train("lenet5", "rais", 2950, "fp32"),
            train("resnet18", "uniform", 90_000, "bf16"),
            train("resnet18", "rais", 88_500, "bf16"),
            passed("pytorch-lenet5", Map.of("eager", 1000.0, "graph", 2000.0)),
            passed("pytorch-resnet18", Map.of("compile", 60_000.0))));
  }

  private static String verdict(List<Result> results, String part) {
    return Report.of(results).verdicts().stream()
        .filter(v -> v.row().contains(part))
        .findFirst()
        .orElseThrow()
        .text();
  }

  @Test
  void whatIsReachedIsSaidWithItsNumber() {
    Report report = Report.of(good());
    assertEquals(0, report.exitCode(), report.text());
    assertEquals("reached: 3.000 (at least 3.000)", verdict(good(), "PyTorch eager"));
    assertEquals("reached: 0.01695 (at most 0.02000)", verdict(good(), "LeNet-5: what RAIS adds"));
    assertTrue(verdict(good(), "bf16 peak").startsWith("reached: 0.3"), report.text());
  }

  @Test
  void whatIsMissedIsSaidWithByHowMuch() {
    List<Result> results = good();
    results.set(4, passed("pytorch-lenet5", Map.of("eager", 1500.0, "graph", 2000.0)));
    assertEquals("missed by 1.00: 2.000 (at least 3.000)", verdict(results, "PyTorch eager"));
    assertEquals(1, Report.of(results).exitCode());
  }

  @Test
  void whatWasNotRunIsNeitherReachedNorMissed() {
    List<Result> results = good();
    results.set(4, Result.notRun("there is no python3 on the PATH").of("pytorch-lenet5", 0));
    assertEquals(
        "not run: pytorch-lenet5: there is no python3 on the PATH",
        verdict(results, "PyTorch eager"));
    assertEquals(0, Report.of(results).exitCode());
    assertEquals(
        "not run: the step pytorch-resnet18 was not asked for",
        verdict(results.subList(0, 5), "torch.compile"));
    assertEquals(0, Report.of(List.of()).exitCode());
  }

  @Test
  void aFailedStepFailsTheCheckAndItsRowsAreNotRun() {
    List<Result> results = good();
    results.set(0, Result.failed("exit status 1: lost").of("train-lenet5-uniform", 2));
    Report report = Report.of(results);
    assertEquals(1, report.exitCode());
    assertTrue(report.text().contains("train-lenet5-uniform: failed: exit status 1: lost (2 s)"));
    assertEquals(
        "not run: train-lenet5-uniform: exit status 1: lost",
        verdict(results, "LeNet-5: what RAIS adds"));
  }

  /** A way of PyTorch's that failed has its error instead of a number. */
  @Test
  void aWayThatFailedIsNoNumber() throws Exception {
    var json =
        new ObjectMapper()
            .readTree(
                """
                {"torch": "2.9", "ways": {"eager": {"imagesPerSecond": 10.5},
                 "compile": {"error": "RuntimeError: no compiler"}}}\
                """);
    Map<String, Object> ways = Steps.ways(json);
    assertEquals(10.5, ways.get("eager"));
    List<Result> results = good();
    results.set(5, passed("pytorch-resnet18", ways));
    assertEquals(
        "not run: pytorch-resnet18 has no number compile", verdict(results, "torch.compile"));
  }

  @Test
  void anotherPrecisionDoesNotCountAsBf16() {
    List<Result> results = good();
    results.set(2, train("resnet18", "uniform", 90_000, "tf32"));
    assertEquals("not run: measured in tf32, where it is 1.50", verdict(results, "torch.compile"));
  }

  @Test
  void stepsNeedTheirDeviceAndSurviveWhatTheyThrow() {
    var gpu = new Step("x", true, Duration.ofSeconds(1), limit -> Result.passed(Map.of()));
    assertEquals(Result.State.NOT_RUN, gpu.run("there is no CUDA driver").state());
    assertEquals("there is no CUDA driver", gpu.run("there is no CUDA driver").reason());
    assertEquals(Result.State.PASSED, gpu.run(null).state());
    var broken =
        new Step(
            "y",
            false,
            Duration.ofSeconds(1),
            limit -> {
              throw new java.io.IOException("disk full");
            });
    assertEquals("java.io.IOException: disk full", broken.run(null).reason());
    assertEquals(Result.State.FAILED, broken.run(null).state());
  }

  /** 556 million multiplications forward, which is what others count for this network. */
  @Test
  void convolutionsAreCounted() {
    assertEquals(6 * 555.4e6, Rows.RESNET18_FLOPS, 0.01 * 6 * 555.4e6);
  }

  @Test
  void aProgramThatTakesTooLongIsEnded(@org.junit.jupiter.api.io.TempDir java.nio.file.Path folder)
      throws Exception {
    Programs programs = new Programs(folder, folder);
    Duration limit = Duration.ofMillis(300);
    var late = programs.run("late", limit, List.of("sh", "-c", "echo begun; sleep 60; echo done"));
    assertEquals("it took longer than 0 s", late.failure(limit).orElseThrow());
    var wrong =
        programs.run("wrong", Duration.ofMinutes(1), List.of("sh", "-c", "echo no; exit 4"));
    assertEquals("exit status 4: no", wrong.failure(limit).orElseThrow());
  }
}
