package dev.rais.backend.cuda;

import dev.rais.natives.Functions;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The kernels of layers. Bound in the order of {@code kernels/rais_kernels.h}, which documents
 * them.
 */
public final class LayerKernels {
  private final Kernels kernels;
  private final MethodHandle biasRelu;
  private final MethodHandle biasReluWorkspaceBytes;
  private final MethodHandle biasReluBackward;
  private final MethodHandle relu;
  private final MethodHandle reluBackward;
  private final MethodHandle add;
  private final MethodHandle toBfloat16;
  private final MethodHandle toFloat32;
  private final MethodHandle dropout;
  private final MethodHandle maxPool;
  private final MethodHandle maxPoolBackward;
  private final MethodHandle globalAveragePool;
  private final MethodHandle globalAveragePoolBackward;
  private final MethodHandle batchNormWorkspaceBytes;
  private final MethodHandle batchNormForward;
  private final MethodHandle batchNormForwardRunning;
  private final MethodHandle batchNormBackward;
  private final MethodHandle batchNormBackwardRunning;

  LayerKernels(Kernels kernels) {
    this.kernels = kernels;
    biasRelu = kernels.handle("rais_bias_relu");
    biasReluWorkspaceBytes = kernels.handle("rais_bias_relu_workspace_bytes");
    biasReluBackward = kernels.handle("rais_bias_relu_backward");
    relu = kernels.handle("rais_relu");
    reluBackward = kernels.handle("rais_relu_backward");
    add = kernels.handle("rais_add");
    toBfloat16 = kernels.handle("rais_to_bfloat16");
    toFloat32 = kernels.handle("rais_to_float32");
    dropout = kernels.handle("rais_dropout");
    maxPool = kernels.handle("rais_max_pool");
    maxPoolBackward = kernels.handle("rais_max_pool_backward");
    globalAveragePool = kernels.handle("rais_global_average_pool");
    globalAveragePoolBackward = kernels.handle("rais_global_average_pool_backward");
    batchNormWorkspaceBytes = kernels.handle("rais_batch_norm_workspace_bytes");
    batchNormForward = kernels.handle("rais_batch_norm_forward");
    batchNormForwardRunning = kernels.handle("rais_batch_norm_forward_running");
    batchNormBackward = kernels.handle("rais_batch_norm_backward");
    batchNormBackwardRunning = kernels.handle("rais_batch_norm_backward_running");
  }

  /** Adds a bias to each channel, rectified or not. */
  public void biasRelu(
      MemorySegment stream,
      int rows,
      int channels,
      int dtype,
      MemorySegment x,
      MemorySegment bias,
      int rectified,
      MemorySegment y) {
    try {
      kernels.check(
          (int) biasRelu.invokeExact(stream, rows, channels, dtype, x, bias, rectified, y));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Bytes of workspace that {@link #biasReluBackward} needs; 0 for sizes that are none. */
  public long biasReluWorkspaceBytes(int rows, int channels, int dtype) {
    try {
      return (long) biasReluWorkspaceBytes.invokeExact(rows, channels, dtype);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The gradients of {@link #biasRelu}. */
  public void biasReluBackward(
      MemorySegment stream,
      int rows,
      int channels,
      int dtype,
      MemorySegment y,
      MemorySegment dy,
      MemorySegment dx,
      MemorySegment dbias,
      MemorySegment workspace) {
    try {
      kernels.check(
          (int)
              biasReluBackward.invokeExact(
                  stream, rows, channels, dtype, y, dy, dx, dbias, workspace));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The rectifier. */
  public void relu(MemorySegment stream, long count, int dtype, MemorySegment x, MemorySegment y) {
    try {
      kernels.check((int) relu.invokeExact(stream, count, dtype, x, y));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The gradient of {@link #relu}. */
  public void reluBackward(
      MemorySegment stream,
      long count,
      int dtype,
      MemorySegment y,
      MemorySegment dy,
      MemorySegment dx) {
    try {
      kernels.check((int) reluBackward.invokeExact(stream, count, dtype, y, dy, dx));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** A sum of two. */
  public void add(
      MemorySegment stream,
      long count,
      int dtype,
      MemorySegment a,
      MemorySegment b,
      MemorySegment y) {
    try {
      kernels.check((int) add.invokeExact(stream, count, dtype, a, b, y));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Rounds floats. */
  public void toBfloat16(MemorySegment stream, long count, MemorySegment x, MemorySegment y) {
    try {
      kernels.check((int) toBfloat16.invokeExact(stream, count, x, y));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Widens bfloat16s. */
  public void toFloat32(MemorySegment stream, long count, MemorySegment x, MemorySegment y) {
    try {
      kernels.check((int) toFloat32.invokeExact(stream, count, x, y));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Dropout, forward and backward. */
  public void dropout(
      MemorySegment stream,
      long count,
      int dtype,
      MemorySegment x,
      float rate,
      long seed,
      int randomStream,
      MemorySegment iteration,
      MemorySegment y) {
    try {
      kernels.check(
          (int)
              dropout.invokeExact(stream, count, dtype, x, rate, seed, randomStream, iteration, y));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Max pooling and where the maxima are. */
  public void maxPool(
      MemorySegment stream,
      int batch,
      int height,
      int width,
      int channels,
      int kernel,
      int stride,
      int dtype,
      MemorySegment x,
      MemorySegment y,
      MemorySegment winners) {
    try {
      kernels.check(
          (int)
              maxPool.invokeExact(
                  stream, batch, height, width, channels, kernel, stride, dtype, x, y, winners));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The gradient of {@link #maxPool}. */
  public void maxPoolBackward(
      MemorySegment stream,
      int batch,
      int height,
      int width,
      int channels,
      int kernel,
      int stride,
      int dtype,
      MemorySegment dy,
      MemorySegment winners,
      MemorySegment dx) {
    try {
      kernels.check(
          (int)
              maxPoolBackward.invokeExact(
                  stream, batch, height, width, channels, kernel, stride, dtype, dy, winners, dx));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The mean of each channel. */
  public void globalAveragePool(
      MemorySegment stream,
      int batch,
      int positions,
      int channels,
      int dtype,
      MemorySegment x,
      MemorySegment y) {
    try {
      kernels.check(
          (int) globalAveragePool.invokeExact(stream, batch, positions, channels, dtype, x, y));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The gradient of {@link #globalAveragePool}. */
  public void globalAveragePoolBackward(
      MemorySegment stream,
      int batch,
      int positions,
      int channels,
      int dtype,
      MemorySegment dy,
      MemorySegment dx) {
    try {
      kernels.check(
          (int)
              globalAveragePoolBackward.invokeExact(
                  stream, batch, positions, channels, dtype, dy, dx));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Bytes of workspace that batch normalisation needs; 0 for sizes that are none. */
  public long batchNormWorkspaceBytes(int batch, int positions, int channels, int dtype) {
    try {
      return (long) batchNormWorkspaceBytes.invokeExact(batch, positions, channels, dtype);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Batch normalisation with weighted statistics. */
  public void batchNormForward(
      MemorySegment stream,
      int batch,
      int positions,
      int channels,
      int dtype,
      int fusion,
      float epsilon,
      MemorySegment x,
      MemorySegment exampleWeights,
      MemorySegment gamma,
      MemorySegment beta,
      MemorySegment residual,
      MemorySegment y,
      MemorySegment mean,
      MemorySegment inverseDeviation,
      MemorySegment runningMean,
      MemorySegment runningVariance,
      float momentum,
      MemorySegment workspace) {
    try {
      kernels.check(
          (int)
              batchNormForward.invokeExact(
                  stream,
                  batch,
                  positions,
                  channels,
                  dtype,
                  fusion,
                  epsilon,
                  x,
                  exampleWeights,
                  gamma,
                  beta,
                  residual,
                  y,
                  mean,
                  inverseDeviation,
                  runningMean,
                  runningVariance,
                  momentum,
                  workspace));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Batch normalisation with running statistics. */
  public void batchNormForwardRunning(
      MemorySegment stream,
      int batch,
      int positions,
      int channels,
      int dtype,
      int fusion,
      float epsilon,
      MemorySegment x,
      MemorySegment gamma,
      MemorySegment beta,
      MemorySegment runningMean,
      MemorySegment runningVariance,
      MemorySegment residual,
      MemorySegment y) {
    try {
      kernels.check(
          (int)
              batchNormForwardRunning.invokeExact(
                  stream,
                  batch,
                  positions,
                  channels,
                  dtype,
                  fusion,
                  epsilon,
                  x,
                  gamma,
                  beta,
                  runningMean,
                  runningVariance,
                  residual,
                  y));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The gradients of {@link #batchNormForward}. */
  public void batchNormBackward(
      MemorySegment stream,
      int batch,
      int positions,
      int channels,
      int dtype,
      int fusion,
      MemorySegment x,
      MemorySegment y,
      MemorySegment dy,
      MemorySegment exampleWeights,
      MemorySegment gamma,
      MemorySegment beta,
      MemorySegment mean,
      MemorySegment inverseDeviation,
      MemorySegment dx,
      MemorySegment dgamma,
      MemorySegment dbeta,
      MemorySegment dresidual,
      MemorySegment workspace) {
    try {
      kernels.check(
          (int)
              batchNormBackward.invokeExact(
                  stream,
                  batch,
                  positions,
                  channels,
                  dtype,
                  fusion,
                  x,
                  y,
                  dy,
                  exampleWeights,
                  gamma,
                  beta,
                  mean,
                  inverseDeviation,
                  dx,
                  dgamma,
                  dbeta,
                  dresidual,
                  workspace));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The gradients of {@link #batchNormForwardRunning}, and their norms. */
  public void batchNormBackwardRunning(
      MemorySegment stream,
      int batch,
      int positions,
      int channels,
      int dtype,
      int fusion,
      float epsilon,
      MemorySegment x,
      MemorySegment y,
      MemorySegment dy,
      MemorySegment gamma,
      MemorySegment beta,
      MemorySegment runningMean,
      MemorySegment runningVariance,
      MemorySegment dx,
      MemorySegment dresidual,
      MemorySegment squaredNorms) {
    try {
      kernels.check(
          (int)
              batchNormBackwardRunning.invokeExact(
                  stream,
                  batch,
                  positions,
                  channels,
                  dtype,
                  fusion,
                  epsilon,
                  x,
                  y,
                  dy,
                  gamma,
                  beta,
                  runningMean,
                  runningVariance,
                  dx,
                  dresidual,
                  squaredNorms));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
