package dev.rais.gpucheck;

import dev.rais.gpucheck.Measurements.NotMeasured;
import java.util.List;
import java.util.Map;

/** The numbers to reach on a GPU, and how they follow from what was measured. */
final class Rows {
  private static final String RATE = "imagesPerSecond";

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
          new Row(
              "LeNet-5, batch 128: RAIS uniform over PyTorch eager",
              3,
              true,
              m -> rate(m, "lenet5") / m.number("pytorch-lenet5", "eager")),
          new Row(
              "LeNet-5, batch 128: RAIS uniform over PyTorch with a CUDA graph",
              1.2,
              true,
              m -> rate(m, "lenet5") / m.number("pytorch-lenet5", "graph")),
          new Row(
              "ResNet-18, batch 512, bf16: RAIS uniform over torch.compile, channels-last",
              1,
              true,
              m -> bf16(m, rate(m, "resnet18") / m.number("pytorch-resnet18", "compile"))),
          new Row(
              "ResNet-18, batch 512, bf16: share of the card's dense bf16 peak",
              0.25,
              true,
              m -> bf16(m, rate(m, "resnet18") * RESNET18_FLOPS / peak(m))),
          new Row(
              "LeNet-5: what RAIS adds to a step of uniform", 0.02, false, m -> added(m, "lenet5")),
          new Row(
              "ResNet-18: what RAIS adds to a step of uniform",
              0.02,
              false,
              m -> added(m, "resnet18")),
          Row.open(
              "what RAIS adds to a step at n = 10^7",
              "gpu-check makes no data set of that size; tests/bench/run sampler measures the"
                  + " sampler's part"),
          Row.open(
              "share of 1,000 steps with the device busy",
              "gpu-check takes no trace; nsys profile ./rais train does"),
          Row.open(
              "GPU against CPU from one checkpoint: same draws, losses within 1e-3",
              "gpu-check has no step for it"));

  private static double rate(Measurements m, String model) {
    return m.number("train-" + model + "-uniform", RATE);
  }

  private static double added(Measurements m, String model) {
    return rate(m, model) / m.number("train-" + model + "-rais", RATE) - 1;
  }

  /** Passes a number on if bf16 is what it was measured in. */
  private static double bf16(Measurements m, double value) {
    String precision = m.text("train-resnet18-uniform", "precision");
    if (!precision.equals("bf16")) {
      throw new NotMeasured("measured in %s, where it is %.3g".formatted(precision, value));
    }
    return value;
  }

  private static double peak(Measurements m) {
    String device = m.text("train-resnet18-uniform", "backend");
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
