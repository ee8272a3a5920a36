package dev.rais.backend.cuda;

import dev.rais.natives.Functions;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The kernels around a network: input, loss, update, evaluation, gradient norms. Bound in the order
 * of {@code kernels/rais_kernels.h}, which documents them.
 */
public final class TrainingKernels {
  private final Kernels kernels;
  private final MethodHandle softmaxXent;
  private final MethodHandle sgdWorkspaceBytes;
  private final MethodHandle sgd;
  private final MethodHandle gatherAugment;
  private final MethodHandle fetchImages;
  private final MethodHandle evaluationCounts;
  private final MethodHandle rowSquaredNorms;
  private final MethodHandle squaredNormWorkspaceBytes;
  private final MethodHandle squaredNorm;
  private final MethodHandle linearGradientNorms;
  private final MethodHandle convolutionGradientNorms;

  TrainingKernels(Kernels kernels) {
    this.kernels = kernels;
    softmaxXent = kernels.handle("rais_softmax_xent");
    sgdWorkspaceBytes = kernels.handle("rais_sgd_workspace_bytes");
    sgd = kernels.handle("rais_sgd");
    gatherAugment = kernels.handle("rais_gather_augment");
    fetchImages = kernels.handle("rais_fetch_images");
    evaluationCounts = kernels.handle("rais_evaluation_counts");
    rowSquaredNorms = kernels.handle("rais_row_squared_norms");
    squaredNormWorkspaceBytes = kernels.handle("rais_squared_norm_workspace_bytes");
    squaredNorm = kernels.handle("rais_squared_norm");
    linearGradientNorms = kernels.handle("rais_linear_gradient_norms");
    convolutionGradientNorms = kernels.handle("rais_convolution_gradient_norms");
  }

  /** The fused loss layer: losses, norms of the loss layer, weighted gradients, correctness. */
  public void softmaxXent(
      MemorySegment stream,
      int rows,
      int classes,
      int dtype,
      MemorySegment logits,
      MemorySegment labels,
      int ignoredLabel,
      MemorySegment weights,
      MemorySegment hiddenSquaredNorms,
      float scale,
      float labelSmoothing,
      MemorySegment losses,
      MemorySegment norms,
      MemorySegment gradients,
      MemorySegment correctness) {
    try {
      kernels.check(
          (int)
              softmaxXent.invokeExact(
                  stream,
                  rows,
                  classes,
                  dtype,
                  logits,
                  labels,
                  ignoredLabel,
                  weights,
                  hiddenSquaredNorms,
                  scale,
                  labelSmoothing,
                  losses,
                  norms,
                  gradients,
                  correctness));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Bytes of workspace that {@link #sgd} needs. */
  public long sgdWorkspaceBytes(long count) {
    try {
      return (long) sgdWorkspaceBytes.invokeExact(count);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** A step of momentum SGD for all parameters. */
  public void sgd(
      MemorySegment stream,
      long count,
      MemorySegment w,
      MemorySegment u,
      int gradientDtype,
      MemorySegment g,
      MemorySegment learningRate,
      float momentum,
      float weightDecay,
      MemorySegment wBfloat16,
      MemorySegment gradientSquaredNorm,
      MemorySegment notFinite,
      MemorySegment workspace) {
    try {
      kernels.check(
          (int)
              sgd.invokeExact(
                  stream,
                  count,
                  w,
                  u,
                  gradientDtype,
                  g,
                  learningRate,
                  momentum,
                  weightDecay,
                  wBfloat16,
                  gradientSquaredNorm,
                  notFinite,
                  workspace));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** A normalised batch of images out of bytes, varied at random. */
  public void gatherAugment(
      MemorySegment stream,
      long count,
      int height,
      int width,
      int channels,
      MemorySegment images,
      MemorySegment labels,
      int rows,
      MemorySegment indices,
      MemorySegment scale,
      MemorySegment shift,
      int padding,
      int flip,
      int cutout,
      long seed,
      int randomStream,
      MemorySegment iteration,
      int dtype,
      MemorySegment batch,
      MemorySegment batchLabels) {
    try {
      kernels.check(
          (int)
              gatherAugment.invokeExact(
                  stream,
                  count,
                  height,
                  width,
                  channels,
                  images,
                  labels,
                  rows,
                  indices,
                  scale,
                  shift,
                  padding,
                  flip,
                  cutout,
                  seed,
                  randomStream,
                  iteration,
                  dtype,
                  batch,
                  batchLabels));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Images out of bytes side by side, as they are. */
  public void fetchImages(
      MemorySegment stream,
      long count,
      int imageBytes,
      MemorySegment images,
      MemorySegment labels,
      int rows,
      MemorySegment indices,
      MemorySegment fetched,
      MemorySegment slots,
      MemorySegment batchLabels) {
    try {
      kernels.check(
          (int)
              fetchImages.invokeExact(
                  stream,
                  count,
                  imageBytes,
                  images,
                  labels,
                  rows,
                  indices,
                  fetched,
                  slots,
                  batchLabels));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Adds what an evaluation counts to sums. */
  public void evaluationCounts(
      MemorySegment stream,
      int rows,
      int classes,
      MemorySegment losses,
      MemorySegment correctness,
      MemorySegment labels,
      int ignoredLabel,
      MemorySegment lossSum,
      MemorySegment counts,
      MemorySegment classCounts) {
    try {
      kernels.check(
          (int)
              evaluationCounts.invokeExact(
                  stream,
                  rows,
                  classes,
                  losses,
                  correctness,
                  labels,
                  ignoredLabel,
                  lossSum,
                  counts,
                  classCounts));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The squared norm of each row. */
  public void rowSquaredNorms(
      MemorySegment stream,
      int rows,
      int columns,
      int dtype,
      MemorySegment x,
      MemorySegment squaredNorms) {
    try {
      kernels.check(
          (int) rowSquaredNorms.invokeExact(stream, rows, columns, dtype, x, squaredNorms));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Bytes of workspace of {@link #squaredNorm}; 0 for no count. */
  public long squaredNormWorkspaceBytes(long count) {
    try {
      return (long) squaredNormWorkspaceBytes.invokeExact(count);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The squared norm of a vector, in double. */
  public void squaredNorm(
      MemorySegment stream,
      long count,
      MemorySegment x,
      MemorySegment result,
      MemorySegment workspace) {
    try {
      kernels.check((int) squaredNorm.invokeExact(stream, count, x, result, workspace));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Adds exact squared norms of each example's gradient of a linear layer. */
  public void linearGradientNorms(
      MemorySegment stream,
      int rows,
      int inputs,
      int outputs,
      int bias,
      int dtype,
      MemorySegment x,
      MemorySegment deltas,
      MemorySegment squaredNorms) {
    try {
      kernels.check(
          (int)
              linearGradientNorms.invokeExact(
                  stream, rows, inputs, outputs, bias, dtype, x, deltas, squaredNorms));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** Adds exact squared norms of each example's gradient of a convolution. */
  public void convolutionGradientNorms(
      MemorySegment stream,
      int batch,
      int height,
      int width,
      int channels,
      int outputs,
      int kernel,
      int stride,
      int padding,
      int bias,
      int dtype,
      MemorySegment x,
      MemorySegment deltas,
      MemorySegment squaredNorms) {
    try {
      kernels.check(
          (int)
              convolutionGradientNorms.invokeExact(
                  stream,
                  batch,
                  height,
                  width,
                  channels,
                  outputs,
                  kernel,
                  stride,
                  padding,
                  bias,
                  dtype,
                  x,
                  deltas,
                  squaredNorms));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
