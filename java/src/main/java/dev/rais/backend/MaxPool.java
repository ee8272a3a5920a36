package dev.rais.backend;

/**
 * Max pooling prepared for one {@link PoolShape}; all buffers are of {@link Backend#activations}.
 *
 * <p>{@link #forward} remembers which input won each window and {@link #backward} sends the
 * gradient there, so the two are called in turn on the same object. Among equal inputs the first in
 * row-major order wins.
 */
public abstract class MaxPool implements AutoCloseable {
  private final PoolShape shape;
  private final DType activations;

  /**
   * Remembers what it is for.
   *
   * @param activations {@link Backend#activations}
   */
  protected MaxPool(PoolShape shape, DType activations) {
    this.shape = shape;
    this.activations = activations;
  }

  /** The shape this operation was prepared for. */
  public final PoolShape shape() {
    return shape;
  }

  /** y = the maximum of each window of x. */
  public final void forward(Buffer x, Buffer y) {
    String op = "max-pool forward";
    Shapes.require(op, "x", x, activations, shape.inputCount());
    Shapes.require(op, "y", y, activations, shape.outputCount());
    doForward(x, y);
  }

  /** dx = dL/dx, zero where no window was won. */
  public final void backward(Buffer dy, Buffer dx) {
    String op = "max-pool backward";
    Shapes.require(op, "dy", dy, activations, shape.outputCount());
    Shapes.require(op, "dx", dx, activations, shape.inputCount());
    doBackward(dy, dx);
  }

  /** Operands are checked. */
  protected abstract void doForward(Buffer x, Buffer y);

  /** Operands are checked. */
  protected abstract void doBackward(Buffer dy, Buffer dx);

  @Override
  public abstract void close();
}
