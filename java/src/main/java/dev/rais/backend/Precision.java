package dev.rais.backend;

import java.util.Locale;
import java.util.Optional;

/**
 * What a backend computes in. Whatever it is, parameters, velocities, the parameters' gradients,
 * statistics, losses and norms are floats, and so are the sums of products.
 */
public enum Precision {
  /** All in float. */
  FP32(DType.FLOAT32),
  /** Floats, but products of layers may round their operands to 10 bits. */
  TF32(DType.FLOAT32),
  /**
   * Activations, their gradients, and a copy of the parameters that layers multiply by are
   * bfloat16: 8 bits, with the range of floats, so that losses need no scaling.
   */
  BF16(DType.BFLOAT16);

  private final DType activations;

  Precision(DType activations) {
    this.activations = activations;
  }

  /** Type of activations, of their gradients, and of what they are multiplied by. */
  public DType activations() {
    return activations;
  }

  /** The name in options and files. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The precision of that name, whatever its case. */
  public static Optional<Precision> of(String id) {
    for (Precision precision : values()) {
      if (precision.id().equalsIgnoreCase(id)) {
        return Optional.of(precision);
      }
    }
    return Optional.empty();
  }
}
