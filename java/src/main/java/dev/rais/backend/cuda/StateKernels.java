package dev.rais.backend.cuda;

import dev.rais.natives.Functions;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The kernels of the sampler's state and of the gain ratio (docs/sampler-on-device.md). Bound in
 * the order of {@code kernels/rais_kernels.h}, which documents them.
 */
public final class StateKernels {
  private final Kernels kernels;
  private final MethodHandle stateBytes;
  private final MethodHandle stateOffset;
  private final MethodHandle stateHistoryBytes;
  private final MethodHandle stateInit;
  private final MethodHandle stateRecount;
  private final MethodHandle stateFreeze;
  private final MethodHandle stateFeatures;
  private final MethodHandle stateObserve;
  private final MethodHandle stateVisit;
  private final MethodHandle stateValues;
  private final MethodHandle statePrepare;
  private final MethodHandle stateRefresh;
  private final MethodHandle stateLeaves;
  private final MethodHandle stateApply;
  private final MethodHandle gainInit;
  private final MethodHandle gain;

  StateKernels(Kernels kernels) {
    this.kernels = kernels;
    stateBytes = kernels.handle("rais_state_bytes");
    stateOffset = kernels.handle("rais_state_offset");
    stateHistoryBytes = kernels.handle("rais_state_history_bytes");
    stateInit = kernels.handle("rais_state_init");
    stateRecount = kernels.handle("rais_state_recount");
    stateFreeze = kernels.handle("rais_state_freeze");
    stateFeatures = kernels.handle("rais_state_features");
    stateObserve = kernels.handle("rais_state_observe");
    stateVisit = kernels.handle("rais_state_visit");
    stateValues = kernels.handle("rais_state_values");
    statePrepare = kernels.handle("rais_state_prepare");
    stateRefresh = kernels.handle("rais_state_refresh");
    stateLeaves = kernels.handle("rais_state_leaves");
    stateApply = kernels.handle("rais_state_apply");
    gainInit = kernels.handle("rais_gain_init");
    gain = kernels.handle("rais_gain");
  }

  /** Bytes of a state's block; 0 for sizes that are none. */
  public long stateBytes(int classes, int records, int deferrable) {
    try {
      return (long) stateBytes.invokeExact(classes, records, deferrable);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Where in its block a part of the state begins; -1 for one that there is not. */
  public long stateOffset(int classes, int records, int deferrable, int part) {
    try {
      return (long) stateOffset.invokeExact(classes, records, deferrable, part);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Bytes of a history; 0 for a size that is none. */
  public long stateHistoryBytes(long size) {
    try {
      return (long) stateHistoryBytes.invokeExact(size);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Makes a block that of a new sampler. */
  public void stateInit(
      MemorySegment stream, int classes, int records, int deferrable, MemorySegment state) {
    try {
      kernels.check((int) stateInit.invokeExact(stream, classes, records, deferrable, state));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Counts what follows from the examples and their history. */
  public void stateRecount(
      MemorySegment stream,
      long size,
      MemorySegment history,
      MemorySegment labels,
      MemorySegment retired,
      int classes,
      int records,
      int deferrable,
      MemorySegment state) {
    try {
      kernels.check(
          (int)
              stateRecount.invokeExact(
                  stream, size, history, labels, retired, classes, records, deferrable, state));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Freezes the means that features are made from. */
  public void stateFreeze(
      MemorySegment stream, int classes, int records, int deferrable, MemorySegment state) {
    try {
      kernels.check((int) stateFreeze.invokeExact(stream, classes, records, deferrable, state));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The features of a minibatch. */
  public void stateFeatures(
      MemorySegment stream,
      long size,
      MemorySegment history,
      MemorySegment labels,
      int classes,
      int records,
      int deferrable,
      MemorySegment state,
      int count,
      MemorySegment indices,
      MemorySegment features) {
    try {
      kernels.check(
          (int)
              stateFeatures.invokeExact(
                  stream,
                  size,
                  history,
                  labels,
                  classes,
                  records,
                  deferrable,
                  state,
                  count,
                  indices,
                  features));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Learns from a minibatch's norms. */
  public void stateObserve(
      MemorySegment stream,
      long size,
      MemorySegment history,
      MemorySegment labels,
      MemorySegment retired,
      int classes,
      int records,
      int deferrable,
      MemorySegment state,
      int count,
      MemorySegment indices,
      MemorySegment importance,
      MemorySegment norms,
      MemorySegment features,
      MemorySegment accepted) {
    try {
      kernels.check(
          (int)
              stateObserve.invokeExact(
                  stream,
                  size,
                  history,
                  labels,
                  retired,
                  classes,
                  records,
                  deferrable,
                  state,
                  count,
                  indices,
                  importance,
                  norms,
                  features,
                  accepted));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Makes the visits that wait. */
  public void stateVisit(
      MemorySegment stream,
      long size,
      MemorySegment history,
      MemorySegment labels,
      MemorySegment retired,
      int classes,
      int records,
      int deferrable,
      MemorySegment state) {
    try {
      kernels.check(
          (int)
              stateVisit.invokeExact(
                  stream, size, history, labels, retired, classes, records, deferrable, state));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The leaves of a few examples. */
  public void stateValues(
      MemorySegment stream,
      long size,
      MemorySegment history,
      MemorySegment labels,
      MemorySegment retired,
      MemorySegment objective,
      int classes,
      int records,
      int deferrable,
      MemorySegment state,
      int count,
      MemorySegment indices,
      MemorySegment values) {
    try {
      kernels.check(
          (int)
              stateValues.invokeExact(
                  stream,
                  size,
                  history,
                  labels,
                  retired,
                  objective,
                  classes,
                  records,
                  deferrable,
                  state,
                  count,
                  indices,
                  values));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** What a refresh starts from. */
  public void statePrepare(
      MemorySegment stream,
      int classes,
      int records,
      int deferrable,
      MemorySegment state,
      int defer) {
    try {
      kernels.check(
          (int) statePrepare.invokeExact(stream, classes, records, deferrable, state, defer));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The terms of the robust values that follow from a trained set. */
  public void stateRefresh(
      MemorySegment stream, int classes, int records, int deferrable, MemorySegment state) {
    try {
      kernels.check((int) stateRefresh.invokeExact(stream, classes, records, deferrable, state));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The leaves of all examples. */
  public void stateLeaves(
      MemorySegment stream,
      long size,
      MemorySegment history,
      MemorySegment labels,
      MemorySegment retired,
      MemorySegment objective,
      int classes,
      int records,
      int deferrable,
      MemorySegment state,
      MemorySegment leaves) {
    try {
      kernels.check(
          (int)
              stateLeaves.invokeExact(
                  stream,
                  size,
                  history,
                  labels,
                  retired,
                  objective,
                  classes,
                  records,
                  deferrable,
                  state,
                  leaves));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Puts the next means and terms in force. */
  public void stateApply(
      MemorySegment stream, int classes, int records, int deferrable, MemorySegment state) {
    try {
      kernels.check((int) stateApply.invokeExact(stream, classes, records, deferrable, state));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** No minibatch seen. */
  public void gainInit(MemorySegment stream, MemorySegment gain) {
    try {
      kernels.check((int) gainInit.invokeExact(stream, gain));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Gain ratio, effective iterations and learning rate of a minibatch. */
  public void gain(
      MemorySegment stream,
      int count,
      MemorySegment weights,
      MemorySegment importance,
      MemorySegment shadow,
      MemorySegment norms,
      MemorySegment hiddenSquaredNorms,
      MemorySegment losses,
      MemorySegment gradientSquaredNorm,
      double gainMax,
      MemorySegment schedule,
      int pieces,
      MemorySegment floored,
      MemorySegment iteration,
      MemorySegment gain,
      MemorySegment learningRate,
      MemorySegment accepted,
      MemorySegment metrics,
      int metricsSlots) {
    try {
      kernels.check(
          (int)
              this.gain.invokeExact(
                  stream,
                  count,
                  weights,
                  importance,
                  shadow,
                  norms,
                  hiddenSquaredNorms,
                  losses,
                  gradientSquaredNorm,
                  gainMax,
                  schedule,
                  pieces,
                  floored,
                  iteration,
                  gain,
                  learningRate,
                  accepted,
                  metrics,
                  metricsSlots));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
