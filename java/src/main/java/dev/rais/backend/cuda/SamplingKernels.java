package dev.rais.backend.cuda;

import dev.rais.natives.Functions;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The kernels that draw: sum tree, rounds, minibatches. Bound in the order of {@code
 * kernels/rais_kernels.h}, which documents them.
 */
public final class SamplingKernels {
  private final Kernels kernels;
  private final MethodHandle sumTreeLeaves;
  private final MethodHandle sumTreeSums;
  private final MethodHandle sumTreeRoot;
  private final MethodHandle sumTreeBuild;
  private final MethodHandle sumTreeUpdate;
  private final MethodHandle sumTreeDraw;
  private final MethodHandle roundGenerate;
  private final MethodHandle roundTake;
  private final MethodHandle epochTake;
  private final MethodHandle uniformDraw;
  private final MethodHandle drawWeights;

  SamplingKernels(Kernels kernels) {
    this.kernels = kernels;
    sumTreeLeaves = kernels.handle("rais_sum_tree_leaves");
    sumTreeSums = kernels.handle("rais_sum_tree_sums");
    sumTreeRoot = kernels.handle("rais_sum_tree_root");
    sumTreeBuild = kernels.handle("rais_sum_tree_build");
    sumTreeUpdate = kernels.handle("rais_sum_tree_update");
    sumTreeDraw = kernels.handle("rais_sum_tree_draw");
    roundGenerate = kernels.handle("rais_round_generate");
    roundTake = kernels.handle("rais_round_take");
    epochTake = kernels.handle("rais_epoch_take");
    uniformDraw = kernels.handle("rais_uniform_draw");
    drawWeights = kernels.handle("rais_draw_weights");
  }

  /** Floats that the leaves of a tree take, padding included; 0 for a size that is none. */
  public long sumTreeLeaves(long size) {
    try {
      return (long) sumTreeLeaves.invokeExact(size);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Doubles that the sums of a tree take, padding included; 0 for a size that is none. */
  public long sumTreeSums(long size) {
    try {
      return (long) sumTreeSums.invokeExact(size);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Where among the sums the sum of all leaves is. */
  public long sumTreeRoot(long size) {
    try {
      return (long) sumTreeRoot.invokeExact(size);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Computes all sums from the leaves. */
  public void sumTreeBuild(
      MemorySegment stream,
      long size,
      MemorySegment leaves,
      MemorySegment sums,
      MemorySegment invalidCount) {
    try {
      kernels.check((int) sumTreeBuild.invokeExact(stream, size, leaves, sums, invalidCount));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Sets several leaves and the sums above them. */
  public void sumTreeUpdate(
      MemorySegment stream,
      long size,
      MemorySegment leaves,
      MemorySegment sums,
      int count,
      MemorySegment indices,
      MemorySegment values,
      MemorySegment invalidCount) {
    try {
      kernels.check(
          (int)
              sumTreeUpdate.invokeExact(
                  stream, size, leaves, sums, count, indices, values, invalidCount));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Draws examples independently. */
  public void sumTreeDraw(
      MemorySegment stream,
      long size,
      MemorySegment leaves,
      MemorySegment sums,
      long active,
      long seed,
      int randomStream,
      MemorySegment iteration,
      int count,
      MemorySegment indices,
      MemorySegment weights) {
    try {
      kernels.check(
          (int)
              sumTreeDraw.invokeExact(
                  stream,
                  size,
                  leaves,
                  sums,
                  active,
                  seed,
                  randomStream,
                  iteration,
                  count,
                  indices,
                  weights));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Makes a round: a systematic sample in random order. */
  public void roundGenerate(
      MemorySegment stream,
      long size,
      MemorySegment leaves,
      MemorySegment sums,
      long active,
      long seed,
      int offsetStream,
      int orderStream,
      MemorySegment round,
      int roundSize,
      MemorySegment indices,
      MemorySegment weights) {
    try {
      kernels.check(
          (int)
              roundGenerate.invokeExact(
                  stream,
                  size,
                  leaves,
                  sums,
                  active,
                  seed,
                  offsetStream,
                  orderStream,
                  round,
                  roundSize,
                  indices,
                  weights));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Takes the next slots of a round. */
  public void roundTake(
      MemorySegment stream,
      int roundSize,
      MemorySegment slots,
      long size,
      MemorySegment leaves,
      MemorySegment position,
      int count,
      MemorySegment filled,
      MemorySegment indices) {
    try {
      kernels.check(
          (int)
              roundTake.invokeExact(
                  stream, roundSize, slots, size, leaves, position, count, filled, indices));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Takes the next examples of shuffled epochs. */
  public void epochTake(
      MemorySegment stream,
      long size,
      MemorySegment retired,
      long seed,
      int shuffleStream,
      MemorySegment position,
      int count,
      MemorySegment indices) {
    try {
      kernels.check(
          (int)
              epochTake.invokeExact(
                  stream, size, retired, seed, shuffleStream, position, count, indices));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Draws examples uniformly. */
  public void uniformDraw(
      MemorySegment stream,
      long size,
      MemorySegment retired,
      long seed,
      int randomStream,
      MemorySegment iteration,
      int count,
      MemorySegment indices) {
    try {
      kernels.check(
          (int)
              uniformDraw.invokeExact(
                  stream, size, retired, seed, randomStream, iteration, count, indices));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The weights of a minibatch. */
  public void drawWeights(
      MemorySegment stream,
      long size,
      MemorySegment leaves,
      MemorySegment sums,
      long active,
      MemorySegment objective,
      double weightSum,
      int count,
      MemorySegment indices,
      MemorySegment importance,
      MemorySegment weights,
      MemorySegment shadow) {
    try {
      kernels.check(
          (int)
              drawWeights.invokeExact(
                  stream,
                  size,
                  leaves,
                  sums,
                  active,
                  objective,
                  weightSum,
                  count,
                  indices,
                  importance,
                  weights,
                  shadow));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
