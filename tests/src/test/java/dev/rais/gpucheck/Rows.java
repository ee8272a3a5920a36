package dev.rais.gpucheck;

import static dev.rais.gpucheck.Measurements.number;

import dev.rais.gpucheck.Measurements.NotMeasured;
import dev.rais.gpucheck.Row.Value;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What is to be reached on a GPU, and how it follows from what was measured. */
final class Rows {
  private static final String RATE = "imagesPerSecond";
  private static final String BENCH = "kernel-bench";
  private static final String TORCH = "pytorch-kernels";

  /** Logits from which on a loss layer is bound by memory. */
  private static final long MANY_LOGITS = 1L << 24;

  private static final String LARGE_TREE = "n=10000000 m=1024";
  private static final Pattern LOGITS = Pattern.compile("m=(\\d+) K=(\\d+) .*");

  /**
   * Floating-point operations of ResNet-18's convolutions for one image of 32 x 32 x 3, forward and
   * both gradients: twice the multiplications, three times, the first layer's gradient of images
   * left out.
   */
  static final double RESNET18_FLOPS = 6.0 * resnet18Multiplications() - 2.0 * 32 * 32 * 64 * 27;

  /** Dense bf16 peak of cards in FLOP/s, from their data sheets, by a part of the device's name. */
  private static final Map<String, Double> BF16_PEAK =
      Map.of(
          "H100 PCIe", 756e12,
          "H100 NVL", 835e12,
          "H100 80GB HBM3", 989e12,
          "H200", 989e12,
          "A100", 312e12,
          "L40S", 362e12,
          "L4", 121e12,
          "A10", 125e12);

  private Rows() {}

  static final List<Row> ALL =
      List.of(
          Row.passed("kernels: suite on the GPU, also from captured graphs", "kernel-suite"),
          Row.passed("conformance by way of java.lang.foreign", "conformance-panama"),
          Row.passed("conformance by way of JCuda", "conformance-jcuda"),
          Row.passed("kernels: compute-sanitizer memcheck", "sanitizer-memcheck"),
          Row.passed("kernels: compute-sanitizer racecheck", "sanitizer-racecheck"),
          Row.passed("kernels: compute-sanitizer initcheck", "sanitizer-initcheck"),
          Row.passed("kernels: compute-sanitizer synccheck", "sanitizer-synccheck"),
          Row.atLeast(
              "kernels: softmax_xent, m K >= 2^24: share of a copy's bandwidth",
              0.85,
              m -> worst(m, "softmax_xent", Rows::isLarge)),
          Row.atLeast(
              "kernels: softmax_xent, m K >= 2^24: over PyTorch's separate operations",
              3,
              Rows::overSeparate),
          Row.atMost(
              "kernels: sum tree, draw and update of 1,024 in 10^7: microseconds",
              30,
              m -> Value.of(treeMicros(m))),
          Row.atLeast(
              "kernels: sum tree, draw and update of 1,024 in 10^7: over torch.multinomial",
              10,
              m -> Value.of(m.number(TORCH, "multinomialMicros") / treeMicros(m))),
          Row.atLeast(
              "kernels: sgd: share of a copy's bandwidth", 0.85, m -> worst(m, "sgd", row -> 1)),
          Row.atLeast(
              "kernels: batch_norm: share of a copy's bandwidth",
              0.85,
              m -> worst(m, "batch_norm", row -> 1)),
          Row.atLeast(
              "LeNet-5, batch 128: RAIS uniform over PyTorch eager",
              3,
              m -> Value.of(rate(m, "lenet5") / eager(m))),
          Row.atLeast(
              "LeNet-5, batch 128: RAIS uniform over PyTorch with a CUDA graph",
              1.2,
              m -> Value.of(rate(m, "lenet5") / graph(m))),
          Row.atLeast(
              "ResNet-18, batch 512, bf16: RAIS uniform over torch.compile, channels-last",
              1,
              Rows::overCompile),
          Row.atLeast(
              "ResNet-18, batch 512, bf16: share of the card's dense bf16 peak",
              0.25,
              Rows::shareOfPeak),
          Row.atMost(
              "LeNet-5: what RAIS adds to a step, n = 50,000", 0.02, m -> added(m, "lenet5")),
          Row.atMost(
              "ResNet-18: what RAIS adds to a step, n = 50,000", 0.02, m -> added(m, "resnet18")),
          Row.atMost(
              "LeNet-5 on small images: what RAIS adds to a step, n = 10^7",
              0.03,
              m -> added(m, "10-million")),
          Row.atLeast(
              "ResNet-18: share of the time of 1,000 steps in which the device is busy",
              0.98,
              Rows::busy),
          Row.atLeast(
              "LeNet-5, GPU against CPU: share of 1,000 steps before other draws",
              1,
              Rows::sameDraws),
          Row.atMost(
              "LeNet-5, GPU against CPU: largest relative difference of 1,000 losses",
              1e-3,
              Rows::losses),
          speedUp("MNIST, LeNet-5: uniform's epochs over RAIS's to one test error", 2, "mnist"),
          inTime("MNIST, LeNet-5: the same in time", "mnist"),
          addedInRuns("MNIST, LeNet-5: what RAIS adds to a step of whole runs", "mnist"),
          speedUp(
              "CIFAR-10, ResNet-18: uniform's epochs over RAIS's to one test error",
              1.2,
              "cifar10"),
          inTime("CIFAR-10, ResNet-18: the same in time", "cifar10"),
          addedInRuns("CIFAR-10, ResNet-18: what RAIS adds to a step of whole runs", "cifar10"));

  // ---- Kernels ----

  /** Rows of a kernel's bench that count: a positive number says so. */
  private static List<Map<?, ?>> rows(
      Measurements m, String kernel, ToDoubleFunction<Map<?, ?>> counts) {
    List<Map<?, ?>> rows =
        m.table(BENCH, "rows").stream()
            .filter(row -> String.valueOf(row.get("kernel")).startsWith(kernel))
            .filter(row -> counts.applyAsDouble(row) > 0)
            .toList();
    if (rows.isEmpty()) {
      throw new NotMeasured("%s has no rows of %s that count".formatted(BENCH, kernel));
    }
    return rows;
  }

  private static Value worst(Measurements m, String kernel, ToDoubleFunction<Map<?, ?>> counts) {
    Map<?, ?> worst = null;
    List<Map<?, ?>> rows = rows(m, kernel, counts);
    int enough = 0;
    for (Map<?, ?> row : rows) {
      double share = number(row, "copyShare");
      if (Double.isNaN(share)) {
        throw new NotMeasured("%s of %s was not timed".formatted(row.get("shape"), kernel));
      }
      enough += share >= 0.85 ? 1 : 0;
      worst = worst == null || share < number(worst, "copyShare") ? row : worst;
    }
    String note =
        "the least of %d rows, %d of which reach 0.85: %s %s"
            .formatted(rows.size(), enough, worst.get("kernel"), worst.get("shape"));
    return new Value(number(worst, "copyShare"), note);
  }

  private static double isLarge(Map<?, ?> row) {
    Matcher shape = LOGITS.matcher(String.valueOf(row.get("shape")));
    return shape.matches()
            && Long.parseLong(shape.group(1)) * Long.parseLong(shape.group(2)) >= MANY_LOGITS
        ? 1
        : 0;
  }

  private static Value overSeparate(Measurements m) {
    List<Map<?, ?>> separate = m.table(TORCH, "softmaxXent");
    double least = Double.POSITIVE_INFINITY;
    String at = "";
    for (Map<?, ?> row : rows(m, "softmax_xent", Rows::isLarge)) {
      String shape = String.valueOf(row.get("shape"));
      double others =
          separate.stream()
              .filter(other -> shape.equals(other.get("shape")))
              .mapToDouble(other -> number(other, "micros"))
              .findFirst()
              .orElse(Double.NaN);
      double ratio = others / number(row, "micros");
      if (Double.isNaN(ratio)) {
        throw new NotMeasured("%s was not timed on both sides".formatted(shape));
      }
      if (ratio < least) {
        least = ratio;
        at = shape;
      }
    }
    return new Value(least, "the least: " + at);
  }

  private static double treeMicros(Measurements m) {
    return rows(m, "sum_tree_draw+update", row -> LARGE_TREE.equals(row.get("shape")) ? 1 : 0)
        .stream()
        .mapToDouble(row -> number(row, "micros"))
        .findFirst()
        .orElse(Double.NaN);
  }

  // ---- Training ----

  private static double rate(Measurements m, String model) {
    return m.number("steps-" + model, RATE);
  }

  /** PyTorch in whichever order of an image's values it is faster with. */
  private static double eager(Measurements m) {
    return m.largest("pytorch-lenet5", "eager", "eager-contiguous");
  }

  private static double graph(Measurements m) {
    return m.largest("pytorch-lenet5", "graph", "graph-contiguous");
  }

  private static Value overCompile(Measurements m) {
    double mine = rate(m, "resnet18");
    double tuned;
    try {
      tuned = m.number("pytorch-resnet18", "max-autotune");
    } catch (NotMeasured e) {
      throw new NotMeasured(
          "max-autotune was not measured (%s); over torch.compile as it is by default it is %.3g"
              .formatted(e.getMessage(), mine / m.number("pytorch-resnet18", "compile")));
    }
    double best = m.largest("pytorch-resnet18", "max-autotune", "compile");
    return new Value(
        mine / best, best > tuned ? "its default was faster than max-autotune" : "max-autotune");
  }

  private static Value shareOfPeak(Measurements m) {
    double share = rate(m, "resnet18") * RESNET18_FLOPS / peak(m);
    boolean profiled =
        m.result("profile").filter(r -> r.state() == Result.State.PASSED).isPresent();
    return new Value(
        share,
        "of convolutions' operations alone; "
            + (profiled ? "the step profile has the kernels" : "there is no profile beside it"));
  }

  private static Value added(Measurements m, String what) {
    String step = "steps-" + what;
    double refreshes = m.number(step, "refreshes");
    if (refreshes < 1) {
      throw new NotMeasured("no set came into force while it was measured");
    }
    return new Value(
        m.number(step, "added"),
        "%.0f turns, %.0f refreshes, %.1f us a step with RAIS"
            .formatted(m.number(step, "turns"), refreshes, m.number(step, "raisMicros")));
  }

  private static Value busy(Measurements m) {
    return new Value(
        m.number("trace", "busyShare"),
        "%.0f steps of %.0f us, longest gap %.0f us"
            .formatted(
                m.number("trace", "steps"),
                m.number("trace", "microsPerStep"),
                m.number("trace", "longestGapMicros")));
  }

  private static Value sameDraws(Measurements m) {
    double steps = m.number("against-cpu", "steps");
    boolean sameState = Boolean.parseBoolean(m.text("against-cpu", "sameState"));
    double refreshes = m.number("against-cpu", "refreshes");
    // Were all draws the same and the state not, something else would be wrong.
    double share = m.number("against-cpu", "sameDraws") / steps;
    String note =
        "%.0f steps, %.0f refreshes, the sampler's state in the end is %s"
            .formatted(steps, refreshes, sameState ? "the same" : "another");
    return new Value(sameState ? share : Math.min(share, 1 - 1 / steps), note);
  }

  private static Value losses(Measurements m) {
    return new Value(
        m.number("against-cpu", "worstLoss"),
        "%.0f steps, largest at step %.0f, median %.2g, first %.2g"
            .formatted(
                m.number("against-cpu", "steps"),
                m.number("against-cpu", "worstAt"),
                m.number("against-cpu", "medianLoss"),
                m.number("against-cpu", "firstLoss")));
  }

  private static Row speedUp(String name, double bound, String set) {
    return Row.atLeast(name, bound, m -> ofRuns(m, set, "speedUpEpochs"));
  }

  private static Row inTime(String name, String set) {
    return Row.measured(name, m -> ofRuns(m, set, "speedUpTime"));
  }

  private static Row addedInRuns(String name, String set) {
    return Row.measured(name, m -> ofRuns(m, set, "addedToAStep"));
  }

  private static Value ofRuns(Measurements m, String set, String what) {
    String step = "compare-" + set;
    return new Value(
        m.number(step, what),
        "%.0f seeds, test error %.2f %% with RAIS and %.2f %% uniform"
            .formatted(
                m.number(step, "seeds"),
                100 * m.number(step, "raisTestError"),
                100 * m.number(step, "uniformTestError")));
  }

  private static double peak(Measurements m) {
    String device = m.text("steps-resnet18", "backend");
    return BF16_PEAK.entrySet().stream()
        .filter(e -> device.contains(e.getKey()))
        // The longest name: "L4" is also the beginning of "L40S".
        .max((a, b) -> Integer.compare(a.getKey().length(), b.getKey().length()))
        .orElseThrow(() -> new NotMeasured("the peak of " + device + " is not known"))
        .getValue();
  }

  private static long resnet18Multiplications() {
    long sum = 32L * 32 * 64 * 27;
    int inputs = 64;
    int size = 32;
    for (int outputs : new int[] {64, 128, 256, 512}) {
      boolean first = outputs == 64;
      size = first ? size : size / 2;
      long positions = (long) size * size;
      sum += positions * outputs * 9 * (inputs + 3L * outputs);
      sum += first ? 0 : positions * outputs * inputs;
      inputs = outputs;
    }
    return sum;
  }
}
