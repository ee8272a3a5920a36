package dev.rais.backend;

import static dev.rais.backend.DType.FLOAT32;

/**
 * A fully connected layer prepared for one {@link LinearShape}: checks its operands, then runs.
 *
 * <p>All buffers have the counts of the shape; x, w, y and the gradients dx, dy are of {@link
 * Backend#activations}, all others FLOAT32. Outputs are overwritten unless said otherwise.
 */
public abstract class Linear implements AutoCloseable {
  private final LinearShape shape;
  private final DType activations;

  /**
   * Remembers what it is for.
   *
   * @param activations {@link Backend#activations}
   */
  protected Linear(LinearShape shape, DType activations) {
    this.shape = shape;
    this.activations = activations;
  }

  /** The shape this operation was prepared for. */
  public final LinearShape shape() {
    return shape;
  }

  /** y = x wᵀ + b. */
  public final void forward(Buffer x, Buffer w, Buffer b, Buffer y) {
    String op = "linear forward";
    Shapes.require(op, "x", x, activations, shape.inputCount());
    Shapes.require(op, "w", w, activations, shape.weightCount());
    Shapes.require(op, "b", b, FLOAT32, shape.outputs());
    Shapes.require(op, "y", y, activations, shape.outputCount());
    doForward(x, w, b, y);
  }

  /** dx = dy w. */
  public final void backwardData(Buffer dy, Buffer w, Buffer dx) {
    String op = "linear backward to data";
    Shapes.require(op, "dy", dy, activations, shape.outputCount());
    Shapes.require(op, "w", w, activations, shape.weightCount());
    Shapes.require(op, "dx", dx, activations, shape.inputCount());
    doBackwardData(dy, w, dx);
  }

  /** dw = dyᵀ x and db = column sums of dy. */
  public final void backwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    String op = "linear backward to weights";
    Shapes.require(op, "x", x, activations, shape.inputCount());
    Shapes.require(op, "dy", dy, activations, shape.outputCount());
    Shapes.require(op, "dw", dw, FLOAT32, shape.weightCount());
    Shapes.require(op, "db", db, FLOAT32, shape.outputs());
    doBackwardWeights(x, dy, dw, db);
  }

  /**
   * Adds to {@code squaredNorms[j]} the squared norm of example j's own gradient of weights and
   * bias: ‖δ_j‖² (‖x_j‖² + 1) (docs/algorithm.md §4, "exact").
   */
  public final void addExampleSquaredNorms(Buffer x, Buffer dy, Buffer squaredNorms) {
    String op = "linear gradient norms";
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
