package dev.rais.bench.kernels;

import java.util.List;

/** The kernels that are measured. */
final class KernelNames {
  /** Loss layers by their number of classes, then the others. */
  static final List<String> ALL =
      List.of(
          "lossLayer10",
          "lossLayer100",
          "lossLayer1000",
          "lossLayer32768",
          "sgd",
          "gather",
          "relu",
          "rowNorms",
          "sumTree");

  /** The one whose numbers stand for all loss layers: the classes of ImageNet. */
  static final String HEADLINE = "lossLayer1000";

  private static final String LOSS_LAYER = "lossLayer";

  private KernelNames() {}

  /** Classes of a loss layer. */
  static int classes(String name) {
    if (!name.startsWith(LOSS_LAYER)) {
      throw new IllegalArgumentException("there is no kernel '" + name + "'");
    }
    return Integer.parseInt(name.substring(LOSS_LAYER.length()));
  }
}
