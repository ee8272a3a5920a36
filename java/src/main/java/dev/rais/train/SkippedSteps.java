package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.nn.Network;

/**
 * Leaves out minibatches whose loss or gradient is not finite, where a run is to do so: its forward
 * pass has changed running statistics, which become again what they were.
 */
final class SkippedSteps implements AutoCloseable {
  /** More in a row are no accident: then the parameters themselves are to blame. */
  static final int MOST_IN_A_ROW = 10;

  private final Backend backend;
  private final Network network;

  /** Running statistics before the step; null where nothing is left out. */
  private final Buffer before;

  private final StepCounts counts;

  SkippedSteps(Backend backend, Network network, OnDivergence policy, StepCounts counts) {
    this.backend = backend;
    this.network = network;
    this.counts = counts;
    before =
        policy == OnDivergence.SKIP
            ? backend.allocate(DType.FLOAT32, network.stateValues().count())
            : null;
  }

  /** Before the forward pass. */
  void begin() {
    if (before != null) {
      before.copyFrom(network.stateValues());
    }
  }

  /** Whether a step whose loss is not finite is left out; if so, its traces are gone. */
  boolean skip() {
    if (before == null || counts.skippedInARow == MOST_IN_A_ROW) {
      return false;
    }
    network.stateValues().copyFrom(before);
    counts.skipped++;
    counts.skippedInARow++;
    return true;
  }

  /** After the backward pass: whether its gradient must not be used. */
  boolean isGradientBad() {
    return before != null && !Double.isFinite(backend.squaredNorm(network.gradients()));
  }

  /** After a step that was not left out. */
  void trained() {
    counts.skippedInARow = 0;
  }

  @Override
  public void close() {
    if (before != null) {
      before.close();
    }
  }
}
