package dev.rais.backend.cuda;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.StructLayout;

/**
 * What lies where in the memory of {@link StateKernels}: the constants of {@code
 * kernels/rais_kernels.h}, which says more, in its order.
 */
public final class StateLayout {
  /** Features of an example. */
  public static final int FEATURES = 6;

  /** Part of the block: int64 [{@link #TOTALS}]. */
  public static final int STATE_TOTALS = 0;

  /** Part of the block: double [13] c, d̂, h*: what the host has trained. */
  public static final int STATE_SET = 1;

  /** Part of the block: double [1 + K] mean norm, then of each class; NaN: unseen. */
  public static final int STATE_MEANS = 2;

  /** Part of the block: double [2 K] scratch, 0 between calls. */
  public static final int STATE_BATCH = 3;

  /** Part of the block: double [6] mean features at {@link StateKernels#statePrepare}. */
  public static final int STATE_NEXT_FEATURES = 4;

  /** Part of the block: int32 [2 K] active examples by class, those never visited. */
  public static final int STATE_COUNTS = 5;

  /** Part of the block: float [1 + K] means that features are made from. */
  public static final int STATE_FROZEN = 6;

  /** Part of the block: float [8 + 2 K] terms of the robust values in force. */
  public static final int STATE_TERMS = 7;

  /** Part of the block: float [1 + K] those of {@link StateKernels#statePrepare}. */
  public static final int STATE_NEXT_FROZEN = 8;

  /** Part of the block: float [8 + 2 K] those of {@link StateKernels#stateRefresh}. */
  public static final int STATE_NEXT_TERMS = 9;

  /** Part of the block: float [8][records]: six features, norm, weight. */
  public static final int STATE_RING = 10;

  /** Part of the block: int32 [deferrable] visits that wait. */
  public static final int STATE_DEFERRED_INDICES = 11;

  /** Part of the block: float [deferrable]. */
  public static final int STATE_DEFERRED_NORMS = 12;

  /** Entry of the totals: records ever written; record t is in column t % records. */
  public static final int TOTAL_WRITTEN = 0;

  /** Entry of the totals: records in the ring that were no first visits. */
  public static final int TOTAL_REVISITS = 1;

  /** Entry of the totals: active examples that were visited. */
  public static final int TOTAL_SEEN = 2;

  /** Entry of the totals: active examples, as of {@link StateKernels#stateRecount}. */
  public static final int TOTAL_ACTIVE = 3;

  /** Entry of the totals: values that were raised to the floor. */
  public static final int TOTAL_FLOORED = 4;

  /** Entry of the totals: minibatches with a bad value, which taught nothing. */
  public static final int TOTAL_REFUSED = 5;

  /** Entry of the totals: visits that wait; -1 where visits are made at once. */
  public static final int TOTAL_DEFERRED = 6;

  /** Entry of the totals: visits for which there was no room to wait. */
  public static final int TOTAL_LOST = 7;

  /** Entry of the totals: [3][9] limbs of the exact sums of the history's norms. */
  public static final int TOTAL_SUMS = 8;

  /** How many totals there are. */
  public static final int TOTALS = 36;

  /** Entry of the gain: average of E‖g_U1‖². */
  public static final int GAIN_UNIFORM = 0;

  /** Entry of the gain: average of E‖g_R1‖². */
  public static final int GAIN_WEIGHTED = 1;

  /** Entry of the gain: average of E‖g_R‖². */
  public static final int GAIN_BATCH = 2;

  /** Entry of the gain: estimate of r, without bounds. */
  public static final int GAIN_ESTIMATE = 3;

  /** Entry of the gain: sum of all r. */
  public static final int GAIN_EARNED = 4;

  /** Entry of the gain: sum of the r that were at the bound. */
  public static final int GAIN_EARNED_AT_BOUND = 5;

  /** Entry of the gain: how many those were. */
  public static final int GAIN_BOUND_HITS = 6;

  /** Entry of the gain: r of the last minibatch that was accepted. */
  public static final int GAIN_RATIO = 7;

  /** Entry of the gain: effective iterations t̂. */
  public static final int GAIN_ITERATIONS = 8;

  /** Entry of the gain: minibatches that were not. */
  public static final int GAIN_REFUSED = 9;

  /** How many doubles of memory the gain ratio takes. */
  public static final int GAIN_LENGTH = 16;

  /** Flag of a step: a loss is not finite. */
  public static final int STEP_BAD_LOSS = 1;

  /** Flag of a step: a norm is negative or not finite. */
  public static final int STEP_BAD_NORM = 2;

  /** Flag of a step: a weight is not positive or not finite. */
  public static final int STEP_BAD_WEIGHT = 4;

  /** Flag of a step: a squared gradient norm is negative or not finite. */
  public static final int STEP_BAD_GRADIENT = 8;

  /** {@code rais_step_metrics}: what the host may want to know of a step. */
  public static final StructLayout STEP_METRICS =
      MemoryLayout.structLayout(
          JAVA_LONG.withName("step"),
          JAVA_DOUBLE.withName("loss"),
          JAVA_DOUBLE.withName("gainRatio"),
          JAVA_DOUBLE.withName("gainEstimate"),
          JAVA_DOUBLE.withName("effectiveIterations"),
          JAVA_DOUBLE.withName("gradientSquaredNorm"),
          JAVA_LONG.withName("boundHits"),
          JAVA_LONG.withName("refused"),
          JAVA_LONG.withName("floored"),
          JAVA_FLOAT.withName("learningRate"),
          JAVA_INT.withName("flags"));

  private StateLayout() {}
}
