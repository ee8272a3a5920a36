package dev.rais.train;

import java.util.function.DoublePredicate;

/**
 * How a run's minibatches are trained: by a host that waits for what each one shows ({@link
 * HostSteps}), or on a device, ahead of the host ({@link DeviceSteps}). Counts are in {@link
 * StepCounts}.
 */
interface Steps extends AutoCloseable {
  /**
   * Trains one minibatch, or puts it on its way.
   *
   * @throws DivergedException if the loss of this one, or of one a few steps ago, is not finite
   */
  void step();

  /**
   * Whether t̂, after all steps, meets a condition, which holds from some t̂ on; waits no longer
   * than it takes to know.
   *
   * @throws DivergedException as {@link #step}
   */
  boolean reached(DoublePredicate condition);

  /** t̂, as far as is known without waiting. */
  double effectiveIterations();

  /** r, as far as is known without waiting. */
  double gainRatio();

  /**
   * Waits for all steps: sampler, counts and network are then those of the last one.
   *
   * @throws DivergedException as {@link #step}
   */
  void catchUp();

  /** The sampler and counts were set to another state. */
  void restored();

  /** Waits until nothing is under way on another thread. */
  void settle();

  /** Time spent waiting for input. */
  long inputNanos();

  @Override
  void close();
}
