package dev.rais.backend;

import static dev.rais.backend.DType.FLOAT32;

/**
 * A convolution prepared for one {@link ConvolutionShape}: checks its operands, then runs.
 *
 * <p>All buffers have the counts of the shape; x, w, y and the gradients dx, dy are of {@link
 * Backend#activations}, all others FLOAT32. Outputs are overwritten unless said otherwise.
 */
public abstract class Convolution implements AutoCloseable {
  private final ConvolutionShape shape;
  private final DType activations;

  /**
   * Remembers what it is for.
   *
   * @param activations {@link Backend#activations}
   */
  protected Convolution(ConvolutionShape shape, DType activations) {
    this.shape = shape;
    this.activations = activations;
  }

  /** The shape this operation was prepared for. */
  public final ConvolutionShape shape() {
    return shape;
  }

  /** y = x * w + b; b is null where the shape has no bias. */
  public final void forward(Buffer x, Buffer w, Buffer b, Buffer y) {
    String op = "convolution forward";
    Shapes.require(op, "x", x, activations, shape.inputCount());
    Shapes.require(op, "w", w, activations, shape.weightCount());
    Shapes.requireIf(shape.bias(), op, "b", b, FLOAT32, shape.outputChannels());
    Shapes.require(op, "y", y, activations, shape.outputCount());
    doForward(x, w, b, y);
  }

  /** dx = dL/dx from dy = dL/dy. */
  public final void backwardData(Buffer dy, Buffer w, Buffer dx) {
    String op = "convolution backward to data";
    Shapes.require(op, "dy", dy, activations, shape.outputCount());
    Shapes.require(op, "w", w, activations, shape.weightCount());
    Shapes.require(op, "dx", dx, activations, shape.inputCount());
    doBackwardData(dy, w, dx);
  }

  /** dw = dL/dw and db = dL/db, summed over the batch; db is null where the shape has no bias. */
  public final void backwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    String op = "convolution backward to weights";
    Shapes.require(op, "x", x, activations, shape.inputCount());
    Shapes.require(op, "dy", dy, activations, shape.outputCount());
    Shapes.require(op, "dw", dw, FLOAT32, shape.weightCount());
    Shapes.requireIf(shape.bias(), op, "db", db, FLOAT32, shape.outputChannels());
    doBackwardWeights(x, dy, dw, db);
  }

  /**
   * Adds to {@code squaredNorms[j]} the squared norm of example j's own gradient of weights and
   * bias: ‖Σ_s patch_s ⊗ δ_s‖² + ‖Σ_s δ_s‖² over positions s (docs/algorithm.md §4, "exact"); only
   * the first term where the shape has no bias.
   */
  public final void addExampleSquaredNorms(Buffer x, Buffer dy, Buffer squaredNorms) {
    String op = "convolution gradient norms";
    Shapes.require(op, "x", x, activations, shape.inputCount());
    Shapes.require(op, "dy", dy, activations, shape.outputCount());
    Shapes.require(op, "squared norms", squaredNorms, FLOAT32, shape.batch());
    doAddExampleSquaredNorms(x, dy, squaredNorms);
  }

  /** Operands are checked. */
  protected abstract void doForward(Buffer x, Buffer w, Buffer b, Buffer y);

  /** Operands are checked. */
  protected abstract void doBackwardData(Buffer dy, Buffer w, Buffer dx);

  /** Operands are checked. */
  protected abstract void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db);

  /** Operands are checked. */
  protected abstract void doAddExampleSquaredNorms(Buffer x, Buffer dy, Buffer squaredNorms);

  @Override
  public abstract void close();
}
