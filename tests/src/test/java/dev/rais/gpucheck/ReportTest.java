package dev.rais.gpucheck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.gpucheck.Row.Outcome;
import dev.rais.gpucheck.Row.Verdict;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Verdicts and exit codes of gpu-check, with outcomes of steps as they may come. */
class ReportTest {
  private static final String H100 =
      "NVIDIA H100 80GB HBM3, compute capability 9.0, driver for CUDA 13.0, bf16";

  private static Result passed(String step, Map<String, Object> values) {
    return Result.passed(values).of(step, 1);
  }

  private static Map<String, Object> times(double rate, double added) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("imagesPerSecond", rate);
    values.put("added", added);
    values.put("refreshes", 24);
    values.put("turns", 24);
    values.put("raisMicros", 100.0);
    values.put("backend", H100);
    return values;
  }

  private static Map<String, Object> kernel(
      String name, String shape, double micros, double share) {
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("kernel", name);
    row.put("shape", shape);
    row.put("micros", micros);
    row.put("copyShare", share);
    return row;
  }

  private static Map<String, Object> runs(double epochs) {
    return Map.of(
        "speedUpEpochs", epochs,
        "speedUpTime", 1.8,
        "addedToAStep", 0.015,
        "seeds", 3,
        "raisTestError", 0.009,
        "uniformTestError", 0.0093);
  }

  private static List<Map<String, Object>> kernels() {
    return new ArrayList<>(
        List.of(
            kernel("softmax_xent", "m=2097152 K=10 fp32", 60, 0.9),
            kernel("softmax_xent", "m=512 K=10 fp32", 3, 0.05),
            kernel("sgd", "n=25000000", 200, 0.91),
            kernel("batch_norm_forward", "512 x 1024 x 64", 200, 0.86),
            kernel("batch_norm_backward", "512 x 1024 x 64", 300, 0.88),
            kernel("sum_tree_draw+update", "n=10000000 m=1024", 20, Double.NaN),
            kernel("sum_tree_draw+update", "n=1000000 m=1024", 10, Double.NaN)));
  }

  private static final List<String> PLAIN =
      List.of(
          "kernel-suite",
          "conformance-panama",
          "conformance-jcuda",
          "sanitizer-memcheck",
          "sanitizer-racecheck",
          "sanitizer-initcheck",
          "sanitizer-synccheck",
          "profile");

  /** A check in which all went well, by step. */
  private static Map<String, Result> good() {
    Map<String, Map<String, Object>> values = new LinkedHashMap<>();
    PLAIN.forEach(step -> values.put(step, Map.of("passed", 12)));
    values.put("kernel-bench", Map.of("rows", kernels()));
    values.put(
        "pytorch-kernels",
        Map.of(
            "multinomialMicros",
            400.0,
            "softmaxXent",
            List.of(Map.of("shape", "m=2097152 K=10 fp32", "micros", 300.0))));
    values.put("steps-lenet5", times(3000, 0.01695));
    values.put("steps-resnet18", times(90_000, 0.01));
    values.put("steps-10-million", times(3000, 0.025));
    values.put(
        "pytorch-lenet5", Map.of("eager", 900.0, "eager-contiguous", 1000.0, "graph", 2000.0));
    values.put("pytorch-resnet18", Map.of("compile", 60_000.0, "max-autotune", 75_000.0));
    values.put(
        "trace",
        Map.of(
            "busyShare", 0.99, "steps", 1000, "microsPerStep", 6000.0, "longestGapMicros", 40.0));
    values.put(
        "against-cpu",
        new LinkedHashMap<>(
            Map.of(
                "steps",
                1000,
                "sameDraws",
                1000,
                "sameState",
                true,
                "refreshes",
                4,
                "worstLoss",
                2e-4,
                "worstAt",
                999,
                "medianLoss",
                1e-5,
                "firstLoss",
                1e-7)));
    values.put("compare-mnist", runs(2.4));
    values.put("compare-cifar10", runs(1.3));
    Map<String, Result> results = new LinkedHashMap<>();
    values.forEach((step, v) -> results.put(step, passed(step, v)));
    return results;
  }

  private static Report report(Map<String, Result> results) {
    return Report.of(List.copyOf(results.values()));
  }

  private static Report with(String step, Map<String, Object> values) {
    Map<String, Result> results = good();
    results.put(step, passed(step, values));
    return report(results);
  }

  private static Verdict verdict(Report report, String part) {
    return report.verdicts().stream().filter(v -> v.row().contains(part)).findFirst().orElseThrow();
  }

  private static String text(Report report, String part) {
    return verdict(report, part).text();
  }

  @Test
  void whatIsReachedIsSaidWithItsNumber() {
    Report report = report(good());
    assertEquals(0, report.exitCode(), report.text());
    for (Verdict verdict : report.verdicts()) {
      assertTrue(
          verdict.outcome() == Outcome.REACHED || verdict.outcome() == Outcome.MEASURED,
          verdict.toString());
    }
    assertEquals("reached: 3.000 (at least 3.000)", text(report, "PyTorch eager"));
    assertEquals("reached: 1.500 (at least 1.200)", text(report, "CUDA graph"));
    assertEquals("reached: 1.200 (at least 1.000); max-autotune", text(report, "torch.compile"));
    assertEquals(
        "reached: 0.01695 (at most 0.02000); 24 turns, 24 refreshes, 100.0 us a step with RAIS",
        text(report, "LeNet-5: what RAIS adds"));
    assertTrue(text(report, "bf16 peak").startsWith("reached: 0.3"), report.text());
    assertEquals("reached: passed, 12 tests", text(report, "JCuda"));
    assertEquals(
        "reached: 5.000 (at least 3.000); the least: m=2097152 K=10 fp32",
        text(report, "separate"));
    assertEquals("reached: 20.00 (at most 30.00)", text(report, "microseconds"));
    assertEquals("reached: 20.00 (at least 10.00)", text(report, "multinomial"));
    assertEquals(
        "reached: 0.8600 (at least 0.8500); the least of 2 rows, 2 of which reach 0.85:"
            + " batch_norm_forward 512 x 1024 x 64",
        text(report, "batch_norm"));
    assertTrue(text(report, "the same in time").startsWith("measured: 1.800; 3 seeds"));
  }

  /** Small shapes of the loss layer have no bound; the large ones all have. */
  @Test
  void theWorstOfTheLargeShapesCounts() {
    List<Map<String, Object>> rows = kernels();
    rows.add(kernel("softmax_xent", "m=1024 K=32000 bf16", 90, 0.8));
    Report report = with("kernel-bench", Map.of("rows", rows));
    assertEquals(
        "missed by 0.0500: 0.8000 (at least 0.8500); the least of 2 rows, 1 of which reach 0.85:"
            + " softmax_xent m=1024 K=32000 bf16",
        text(report, "share of a copy's bandwidth"));
    assertEquals(
        "not run: m=1024 K=32000 bf16 was not timed on both sides", text(report, "separate"));
    assertEquals(1, report.exitCode());
  }

  @Test
  void whatIsMissedIsSaidWithByHowMuch() {
    Report report = with("pytorch-lenet5", Map.of("eager", 1500.0, "graph", 2000.0));
    assertEquals("missed by 1.00: 2.000 (at least 3.000)", text(report, "PyTorch eager"));
    assertEquals(1, report.exitCode());
    Report slow = with("steps-10-million", times(3000, 0.045));
    assertTrue(
        text(slow, "10^7: ").startsWith("reached")
            && text(slow, "n = 10^7").startsWith("missed by 0.0150: 0.04500"),
        slow.text());
  }

  @Test
  void whatWasNotRunIsNeitherReachedNorMissed() {
    Map<String, Result> results = good();
    results.put(
        "pytorch-lenet5", Result.notRun("there is no python3 on the PATH").of("pytorch-lenet5", 0));
    results.remove("pytorch-resnet18");
    Report report = report(results);
    assertEquals(
        "not run: pytorch-lenet5: there is no python3 on the PATH", text(report, "PyTorch eager"));
    assertEquals(
        "not run: the step pytorch-resnet18 was not asked for", text(report, "torch.compile"));
    assertEquals(0, report.exitCode());
    assertEquals(0, Report.of(List.of()).exitCode());
    assertTrue(
        Report.of(List.of()).verdicts().stream().allMatch(v -> v.outcome() == Outcome.NOT_RUN));
  }

  /** Every row follows from steps that there are, and without any of its steps it is not run. */
  @Test
  void everyRowHasAStepThatMeasuresIt() {
    Set<String> names = new HashSet<>();
    Machine machine = new Machine(null, H100, "");
    java.nio.file.Path nowhere = java.nio.file.Path.of("/nowhere");
    new Steps(nowhere, nowhere, null, machine, false).all().forEach(step -> names.add(step.name()));
    for (String step : good().keySet()) {
      assertTrue(names.contains(step), step);
      Map<String, Result> results = good();
      results.put(step, Result.notRun("no reason").of(step, 0));
      Report report = report(results);
      assertEquals(0, report.exitCode());
      boolean used = report.verdicts().stream().anyMatch(v -> v.outcome() == Outcome.NOT_RUN);
      assertTrue(used || step.equals("profile"), step + " decides no row");
    }
  }

  @Test
  void aFailedStepFailsTheCheckAndItsNumbersAreNotRun() {
    Map<String, Result> results = good();
    results.put("steps-lenet5", Result.failed("exit status 1: lost").of("steps-lenet5", 2));
    results.put("sanitizer-racecheck", Result.failed("1 hazard").of("sanitizer-racecheck", 2));
    Report report = report(results);
    assertEquals(1, report.exitCode());
    assertTrue(report.text().contains("steps-lenet5: failed: exit status 1: lost (2 s)"));
    assertEquals(
        "not run: steps-lenet5: exit status 1: lost", text(report, "LeNet-5: what RAIS adds"));
    assertEquals("missed: sanitizer-racecheck: 1 hazard", text(report, "racecheck"));
  }

  /** A way of PyTorch's that failed has its error instead of a number. */
  @Test
  void aWayThatFailedIsNoNumber() {
    Report report =
        with("pytorch-resnet18", Map.of("compile", 60_000.0, "max-autotune", "RuntimeError: no"));
    assertEquals(
        "not run: max-autotune was not measured (pytorch-resnet18: max-autotune is RuntimeError:"
            + " no); over torch.compile as it is by default it is 1.50",
        text(report, "torch.compile"));
  }

  @Test
  void torchCompilesDefaultCountsWhereItIsFaster() {
    Report report =
        with("pytorch-resnet18", Map.of("compile", 100_000.0, "max-autotune", 80_000.0));
    assertEquals(
        "missed by 0.100: 0.9000 (at least 1.000); its default was faster than max-autotune",
        text(report, "torch.compile"));
  }

  @Test
  void sameDrawsWithAnotherStateInTheEndAreNotEnough() {
    Map<String, Object> values = new LinkedHashMap<>(good().get("against-cpu").values());
    values.put("sameState", false);
    assertEquals(Outcome.MISSED, verdict(with("against-cpu", values), "other draws").outcome());
    values.put("sameState", true);
    values.put("sameDraws", 17);
    assertTrue(
        text(with("against-cpu", values), "other draws").startsWith("missed by 0.983: 0.017"));
    values.put("worstLoss", "NaN");
    assertEquals(
        "not run: against-cpu: worstLoss is NaN",
        text(with("against-cpu", values), "relative difference"));
  }

  @Test
  void withoutARefreshNothingIsSaidOfWhatRaisAdds() {
    Map<String, Object> values = times(3000, 0);
    values.put("refreshes", 0);
    assertEquals(
        "not run: no set came into force while it was measured",
        text(with("steps-lenet5", values), "LeNet-5: what RAIS adds"));
  }

  @Test
  void aCardWhosePeakIsNotKnownHasNoShareOfIt() {
    Map<String, Object> values = times(3000, 0.01);
    values.put("backend", "NVIDIA B300");
    assertEquals(
        "not run: the peak of NVIDIA B300 is not known",
        text(with("steps-resnet18", values), "bf16 peak"));
  }

  /** 556 million multiplications forward, which is what others count for this network. */
  @Test
  void convolutionsAreCounted() {
    assertEquals(6 * 555.4e6, Rows.RESNET18_FLOPS, 0.01 * 6 * 555.4e6);
  }

  @Test
  void thePageHasWhatTheTextHas() {
    Map<String, Result> results = good();
    results.put("doctor", Result.failed("a < b & c").of("doctor", 1));
    String page = Page.of("a heading", report(results));
    assertTrue(page.contains("a &lt; b &amp; c") && page.contains("class=\"FAILED\""), page);
    assertTrue(page.contains("<th>copyShare</th>") && page.contains("<td>0.86"), page);
    for (Row row : Rows.ALL) {
      assertTrue(page.contains(row.name().replace(">", "&gt;")), row.name());
    }
  }
}
