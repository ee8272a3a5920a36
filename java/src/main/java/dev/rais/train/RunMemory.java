package dev.rais.train;

import dev.rais.backend.DType;
import dev.rais.nn.MemoryPlan;
import dev.rais.nn.Mode;
import dev.rais.nn.Model;
import dev.rais.nn.TensorSpec;
import java.util.Locale;

/**
 * What a training run keeps in a backend's memory beside its images, as planned before anything of
 * it is allocated. What operations need for themselves comes on top; it is small beside
 * activations.
 *
 * @param activations bytes of activations and their gradients, which share memory
 * @param parameters bytes of parameters, gradients, velocities, the last good values and state
 */
public record RunMemory(long activations, long parameters) {
  /** Values, gradients, velocities, last good values. */
  private static final int COPIES = 4;

  /** Values rounded to the type of activations, and gradients as they are summed up in it. */
  private static final int ROUNDED_COPIES = 2;

  /**
   * Plans a run.
   *
   * @param batch examples m
   * @param activations their type
   */
  public static RunMemory of(Model model, int batch, DType activations) {
    long parameters = Float.BYTES * COPIES * model.parameterCount();
    if (activations != DType.FLOAT32) {
      parameters += ROUNDED_COPIES * activations.numBytes() * model.parameterCount();
    }
    long state = 2 * Float.BYTES * model.state().stream().mapToLong(TensorSpec::count).sum();
    return new RunMemory(
        MemoryPlan.of(model, batch, Mode.TRAINING).numBytes(activations), parameters + state);
  }

  /** All of it. */
  public long total() {
    return activations + parameters;
  }

  /**
   * Refuses a run that does not fit.
   *
   * @param available bytes that can be taken
   * @throws IllegalArgumentException with the figures and the largest batch size that fits
   */
  static void require(long available, Model model, int batch, DType activations) {
    RunMemory memory = of(model, batch, activations);
    if (memory.total() <= available) {
      return;
    }
    long left = available - memory.parameters;
    int fits =
        MemoryPlan.within(left / activations.numBytes(), model, batch, Mode.TRAINING).batch();
    boolean none = of(model, fits, activations).total() > available;
    throw new IllegalArgumentException(
        "batch-size %d needs %s (activations %s, parameters %s), but only %s are available; %s"
            .formatted(
                batch,
                gigabytes(memory.total()),
                gigabytes(memory.activations),
                gigabytes(memory.parameters),
                gigabytes(available),
                none
                    ? "not even a batch size of 1 fits: choose a smaller model"
                    : "the largest batch size that fits is " + fits));
  }

  private static String gigabytes(long bytes) {
    return String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
  }
}
