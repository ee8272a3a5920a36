package dev.rais.backend.cpu;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.backend.Buffer;
import java.lang.foreign.MemorySegment;

/**
 * The passes of {@link JavaBatchNorm} over memory, each over a range of rows of one block. {@link
 * ArrayBatchNormPasses} do any shape, {@link VectorBatchNormPasses} most of them faster.
 */
abstract class BatchNormPasses {
  /** Arrays of {@link #repeated} floats that a thread brings along. */
  static final int ARRAYS = 5;

  /**
   * Added to the arrays' length. Arrays of a power of two would lie at the same place modulo 4096,
   * where a load waits for an earlier store to what the processor takes for the same address.
   */
  static final int STAGGER = 140;

  final Fusion fusion;
  final int channels;
  final BatchNormRows rows;

  /** Values that what is per channel is repeated to: a multiple of the channels. */
  final int repeated;

  /**
   * Per-channel numbers, repeated: y = scale x + offset, and with ω of the row's example dx = scale
   * δ + ω (slope x + shift).
   */
  final float[] mean;

  final float[] scale;
  final float[] offset;
  final float[] slope;
  final float[] shift;

  BatchNormPasses(BatchNormShape shape, BatchNormRows rows, int repeated) {
    fusion = shape.fusion();
    channels = shape.channels();
    this.rows = rows;
    this.repeated = repeated;
    mean = new float[repeated + STAGGER];
    scale = new float[repeated + STAGGER];
    offset = new float[repeated + STAGGER];
    slope = new float[repeated + STAGGER];
    shift = new float[repeated + STAGGER];
  }

  /** The fastest that this JVM has for a shape. */
  static BatchNormPasses of(BatchNormShape shape) {
    if (VectorLoops.areUsed() && VectorBatchNormPasses.takes(shape)) {
      return new VectorBatchNormPasses(shape);
    }
    return new ArrayBatchNormPasses(shape);
  }

  /** Repeats what an array holds for the channels. */
  final void repeat(float[] perChannel) {
    for (int at = channels; at < repeated; at += channels) {
      System.arraycopy(perChannel, 0, perChannel, at, channels);
    }
  }

  /** What a backward pass reads and writes, as it lies in memory; null what it does not. */
  static final class Gradients {
    final MemorySegment x;
    final MemorySegment y;
    final MemorySegment dy;
    final MemorySegment dx;
    final MemorySegment dresidual;

    Gradients(Buffer x, Buffer y, Buffer dy, Buffer dx, Buffer dresidual) {
      this.x = CpuBuffer.segment(x);
      this.y = CpuBuffer.segmentOrNull(y);
      this.dy = CpuBuffer.segment(dy);
      this.dx = CpuBuffer.segmentOrNull(dx);
      this.dresidual = CpuBuffer.segmentOrNull(dresidual);
    }

    /** What the second pass reads: δ, but for a rectifier with nothing added. */
    MemorySegment source() {
      return dresidual == null ? dy : dresidual;
    }
  }

  /**
   * Σ ω (x − mean) and Σ ω (x − mean)² into arrays 0 and 1, whose values are yet to be added up
   * channel by channel.
   */
  abstract void moments(MemorySegment x, double[] weights, int from, int to, float[][] arrays);

  /** y = scale x + offset, plus what is to be added, through the rectifier if there is one. */
  abstract void normalise(
      MemorySegment x, MemorySegment residual, MemorySegment y, int from, int to, float[][] arrays);

  /** Σ δ and Σ δ (x − mean), as for moments; δ to dresidual, if there is one. */
  abstract void reduce(Gradients of, int from, int to, float[][] arrays);

  /** dx = scale δ + ω (slope x + shift), after {@link #reduce}. */
  abstract void differentiate(Gradients of, double[] weights, int from, int to, float[][] arrays);

  /** dx = scale δ, after {@link #reduce}. */
  abstract void scale(Gradients of, int from, int to, float[][] arrays);
}
