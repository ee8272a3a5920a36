package dev.rais.backend;

import static dev.rais.backend.DType.FLOAT32;
import static dev.rais.backend.DType.INT32;
import static dev.rais.backend.DType.UINT8;

/**
 * Memory and operations of one computing device: the only thing networks and the trainer call.
 *
 * <p>The public methods check types and counts and name the operand that does not fit ({@link
 * IllegalArgumentException}); implementations override the {@code do…} methods and need not check
 * again. A backend is used by one thread at a time, {@link #supportsConcurrentGather} apart.
 * Closing it frees every buffer and operation it made; closing twice is harmless.
 */
public abstract class Backend implements AutoCloseable {
  /** Bit of {@link #lossLayer}'s correctness flags: the label has the largest logit. */
  public static final int TOP_1 = 1;

  /** Bit of {@link #lossLayer}'s correctness flags: the label is among the five largest logits. */
  public static final int TOP_5 = 2;

  /** For use by implementations. */
  protected Backend() {}

  /** Short name for options and reports: {@code cpu} or {@code cuda}. */
  public abstract String name();

  /** What computes, with versions, for people: engine, instruction set, threads. */
  public abstract String description();

  /** Whether this backend has the operation. */
  public abstract boolean supports(Op op);

  /**
   * Allocates a buffer filled with zeros.
   *
   * @param count number of elements, at least 1
   */
  public final Buffer allocate(DType type, long count) {
    Shapes.requirePositive("buffer size", count);
    return doAllocate(type, count);
  }

  /** Prepares a convolution; the caller closes it. */
  public abstract Convolution convolution(ConvolutionShape shape);

  /** Prepares a fully connected layer; the caller closes it. */
  public abstract Linear linear(LinearShape shape);

  /** Prepares a max pooling; the caller closes it. */
  public abstract MaxPool maxPool(PoolShape shape);

  /** y = max(x, 0); x and y may be the same buffer. A NaN in x may become 0. */
  public final void relu(Buffer x, Buffer y) {
    long count = Shapes.count("relu", "x", x);
    Shapes.require("relu", "x", x, FLOAT32, count);
    Shapes.require("relu", "y", y, FLOAT32, count);
    doRelu(x, y);
  }

  /** dx = dy where y > 0, else 0 (either where y is NaN); dy and dx may be the same buffer. */
  public final void reluBackward(Buffer y, Buffer dy, Buffer dx) {
    long count = Shapes.count("relu backward", "y", y);
    Shapes.require("relu backward", "y", y, FLOAT32, count);
    Shapes.require("relu backward", "dy", dy, FLOAT32, count);
    Shapes.require("relu backward", "dx", dx, FLOAT32, count);
    doReluBackward(y, dy, dx);
  }

  /**
   * The fused loss layer: softmax cross-entropy and the norm of its gradient in one pass over the
   * logits (docs/algorithm.md §4).
   *
   * <p>With s_j = softmax(z_j): {@code losses[j]} = −log s_j[label_j], {@code norms[j]} = ‖s_j −
   * onehot(label_j)‖₂ (neither weighted), {@code gradients[j]} = scale · weights[j] · (s_j −
   * onehot(label_j)), {@code correctness[j]} = {@link #TOP_1} | {@link #TOP_5}. Among equal logits
   * the lower class ranks first. A row with a non-finite logit gives a NaN loss and no flag.
   *
   * @param rows examples m
   * @param classes classes K, at least 2
   * @param logits FLOAT32 [m, K]
   * @param labels INT32 [m], each from 0 to K − 1
   * @param weights FLOAT32 [m] importance weights, or null for all 1
   * @param scale factor of every gradient, 1/m for the mean loss
   * @param losses FLOAT32 [m]
   * @param norms FLOAT32 [m]
   * @param gradients FLOAT32 [m, K], or null where no gradient is wanted
   * @param correctness UINT8 [m]
   */
  public final void lossLayer(
      int rows,
      int classes,
      Buffer logits,
      Buffer labels,
      Buffer weights,
      float scale,
      Buffer losses,
      Buffer norms,
      Buffer gradients,
      Buffer correctness) {
    String op = "loss layer";
    Shapes.requirePositive("rows", rows);
    if (classes < 2) {
      throw new IllegalArgumentException(op + ": needs at least 2 classes, not " + classes);
    }
    Shapes.require(op, "logits", logits, FLOAT32, (long) rows * classes);
    Shapes.require(op, "labels", labels, INT32, rows);
    if (weights != null) {
      Shapes.require(op, "weights", weights, FLOAT32, rows);
    }
    Shapes.require(op, "losses", losses, FLOAT32, rows);
    Shapes.require(op, "norms", norms, FLOAT32, rows);
    if (gradients != null) {
      Shapes.require(op, "gradients", gradients, FLOAT32, (long) rows * classes);
    }
    Shapes.require(op, "correctness", correctness, UINT8, rows);
    doLossLayer(
        rows, classes, logits, labels, weights, scale, losses, norms, gradients, correctness);
  }

  /**
   * Normalised batch from a byte data set: {@code batch[j, k] = images[indices[j], k] · scale[c] +
   * shift[c]} with c = k mod channels; the product is rounded to float, then the sum.
   *
   * @param images UINT8 [n, height, width, channels]
   * @param shape of one image
   * @param indices INT32 [m], each from 0 to n − 1
   * @param scale FLOAT32 [channels]
   * @param shift FLOAT32 [channels]
   * @param batch FLOAT32 [m, height, width, channels]
   */
  public final void gather(
      Buffer images, ImageShape shape, Buffer indices, Buffer scale, Buffer shift, Buffer batch) {
    gather(images, shape, indices, scale, shift, null, 0, 0, batch);
  }

  /**
   * {@link #gather(Buffer, ImageShape, Buffer, Buffer, Buffer, Buffer)} with images varied at
   * random, as {@link Augmentation} says, bit for bit.
   *
   * @param augmentation null for none; seed and iteration then do not matter
   * @param seed the run's seed
   * @param iteration t
   */
  public final void gather(
      Buffer images,
      ImageShape shape,
      Buffer indices,
      Buffer scale,
      Buffer shift,
      Augmentation augmentation,
      long seed,
      long iteration,
      Buffer batch) {
    String op = "gather";
    long numBytes = Shapes.count(op, "images", images);
    long rows = Shapes.count(op, "indices", indices);
    if (numBytes % shape.size() != 0) {
      throw new IllegalArgumentException(
          "%s: a data set of %d bytes does not divide into images of %dx%dx%d"
              .formatted(op, numBytes, shape.height(), shape.width(), shape.channels()));
    }
    Shapes.require(op, "images", images, UINT8, numBytes);
    Shapes.require(op, "indices", indices, INT32, rows);
    Shapes.require(op, "scale", scale, FLOAT32, shape.channels());
    Shapes.require(op, "shift", shift, FLOAT32, shape.channels());
    Shapes.require(op, "batch", batch, FLOAT32, rows * shape.size());
    doGather(images, shape, indices, scale, shift, augmentation, seed, iteration, batch);
  }

  /**
   * Whether one other thread may call gather while this backend computes something else: where the
   * host prepares input, that hides its time.
   */
  public boolean supportsConcurrentGather() {
    return false;
  }

  /**
   * One step of momentum SGD with weight decay, in place: u ← momentum · u − learningRate · (g +
   * weightDecay · w), w ← w + u (docs/algorithm.md §5).
   *
   * @param w FLOAT32 parameters
   * @param u FLOAT32 velocities, same count
   * @param g FLOAT32 gradients, same count
   */
  public final void sgd(
      Buffer w, Buffer u, Buffer g, float learningRate, float momentum, float weightDecay) {
    long count = Shapes.count("sgd", "w", w);
    Shapes.require("sgd", "w", w, FLOAT32, count);
    Shapes.require("sgd", "u", u, FLOAT32, count);
    Shapes.require("sgd", "g", g, FLOAT32, count);
    doSgd(w, u, g, learningRate, momentum, weightDecay);
  }

  /** Σ x², summed in an order that depends only on the count. */
  public final double squaredNorm(Buffer x) {
    Shapes.require("squared norm", "x", x, FLOAT32, Shapes.count("squared norm", "x", x));
    return doSquaredNorm(x);
  }

  /** {@code squaredNorms[j] = Σ_k x[j, k]²} for x of {@code squaredNorms.count()} rows. */
  public final void rowSquaredNorms(Buffer x, Buffer squaredNorms) {
    String op = "row squared norms";
    long rows = Shapes.count(op, "squared norms", squaredNorms);
    long columns = Shapes.count(op, "x", x) / rows;
    Shapes.require(op, "squared norms", squaredNorms, FLOAT32, rows);
    Shapes.require(op, "x", x, FLOAT32, Math.max(1, columns) * rows);
    doRowSquaredNorms(x, squaredNorms);
  }

  /** Allocates zeroed memory; the count is checked. */
  protected abstract Buffer doAllocate(DType type, long count);

  /** Operands are checked. */
  protected abstract void doRelu(Buffer x, Buffer y);

  /** Operands are checked. */
  protected abstract void doReluBackward(Buffer y, Buffer dy, Buffer dx);

  /** Operands are checked. */
  protected abstract void doLossLayer(
      int rows,
      int classes,
      Buffer logits,
      Buffer labels,
      Buffer weights,
      float scale,
      Buffer losses,
      Buffer norms,
      Buffer gradients,
      Buffer correctness);

  /** Operands are checked. */
  protected abstract void doGather(
      Buffer images,
      ImageShape shape,
      Buffer indices,
      Buffer scale,
      Buffer shift,
      Augmentation augmentation,
      long seed,
      long iteration,
      Buffer batch);

  /** Operands are checked. */
  protected abstract void doSgd(
      Buffer w, Buffer u, Buffer g, float learningRate, float momentum, float weightDecay);

  /** Operands are checked. */
  protected abstract double doSquaredNorm(Buffer x);

  /** Operands are checked. */
  protected abstract void doRowSquaredNorms(Buffer x, Buffer squaredNorms);

  @Override
  public abstract void close();
}
