package dev.rais.backend;

import static dev.rais.backend.DType.BFLOAT16;
import static dev.rais.backend.DType.FLOAT32;
import static dev.rais.backend.DType.INT32;
import static dev.rais.backend.DType.UINT8;

import java.util.Optional;
import java.util.function.Consumer;

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

  /** Numbers of dropout layers: what is left of a random stream's 31 bits. */
  private static final int MAX_DROPOUT_LAYER = (1 << 23) - 1;

  /** Random blocks, of four words each, are numbered by 31 bits. */
  private static final long MAX_DROPOUT_COUNT = 1L << 33;

  /** For use by implementations. */
  protected Backend() {}

  /** Short name for options and reports: {@code cpu} or {@code cuda}. */
  public abstract String name();

  /** What computes, with versions, for people: engine, instruction set, threads. */
  public abstract String description();

  /** What this backend computes in. */
  public Precision precision() {
    return Precision.FP32;
  }

  /**
   * Type of activations, of their gradients, and of the weights that {@link Convolution} and {@link
   * Linear} multiply by.
   */
  public final DType activations() {
    return precision().activations();
  }

  /** Whether this backend has the operation. */
  public abstract boolean supports(Op op);

  /**
   * Allocates a buffer filled with zeros.
   *
   * @param type BFLOAT16 where the backend {@linkplain #supports supports} {@link Op#ROUND}
   * @param count number of elements, at least 1
   */
  public final Buffer allocate(DType type, long count) {
    Shapes.requirePositive("buffer size", count);
    return doAllocate(type, count);
  }

  /** Bytes that could still be allocated, as far as that can be told. */
  public long availableMemory() {
    return Long.MAX_VALUE;
  }

  /**
   * Remembers what is open, for whoever makes several things and may fail half-way.
   *
   * @return closes everything that was made since; told the failure, to which what fails at that is
   *     added
   */
  public abstract Consumer<Throwable> savepoint();

  /** A sampler in this backend's memory, for steps without the host; empty where there is none. */
  public Optional<ResidentSampler> residentSampler(ResidentSampler.Setting setting) {
    return Optional.empty();
  }

  /** Bytes of this backend's memory that {@link #residentSampler} takes; 0 where there is none. */
  public long residentSamplerBytes(ResidentSampler.Setting setting) {
    return 0;
  }

  /**
   * Where bytes are to lie that are only read: in this backend's memory where they fit into it,
   * else in the host's, unless an option says otherwise.
   *
   * @param numBytes how many
   * @param beside bytes of this backend's memory that other things are going to need
   */
  public Placement placement(long numBytes, long beside) {
    return Placement.DEVICE;
  }

  /** {@link #wrap(byte[], Placement)} in this backend's memory. */
  public final Buffer wrap(byte[] bytes) {
    return wrap(bytes, Placement.DEVICE);
  }

  /**
   * A buffer of bytes that are only read, UINT8: the array itself where the backend's memory is the
   * host's, whatever the placement, so that a data set does not lie in memory twice; else a copy.
   * In the host's memory, {@link #gather} alone can read it. The array must not be changed, nor the
   * buffer be written to.
   */
  public Buffer wrap(byte[] bytes, Placement placement) {
    Buffer buffer = allocate(UINT8, bytes.length);
    buffer.upload(bytes, 0);
    return buffer;
  }

  /** Prepares a convolution; the caller closes it. */
  public abstract Convolution convolution(ConvolutionShape shape);

  /** Prepares a fully connected layer; the caller closes it. */
  public abstract Linear linear(LinearShape shape);

  /**
   * Prepares a max pooling; the caller closes it.
   *
   * @throws IllegalArgumentException if windows are larger than 16 × 16, where the backend does not
   *     have those
   */
  public abstract MaxPool maxPool(PoolShape shape);

  /** Prepares a batch norm; the caller closes it. */
  public abstract BatchNorm batchNorm(BatchNormShape shape);

  /**
   * {@code y[j, c]} = the mean of {@code x[j, s, c]} over positions s.
   *
   * @param x {@link #activations} [batch, positions, channels]
   * @param y the same [batch, channels]
   */
  public final void globalAveragePool(int batch, int positions, int channels, Buffer x, Buffer y) {
    String op = "global average pool";
    long outputs = Shapes.product(op, batch, channels);
    Shapes.require(op, "x", x, activations(), Shapes.product(op, outputs, positions));
    Shapes.require(op, "y", y, activations(), outputs);
    doGlobalAveragePool(batch, positions, channels, x, y);
  }

  /**
   * {@code dx[j, s, c] = dy[j, c] / positions}.
   *
   * @param dy {@link #activations} [batch, channels]
   * @param dx the same [batch, positions, channels]
   */
  public final void globalAveragePoolBackward(
      int batch, int positions, int channels, Buffer dy, Buffer dx) {
    String op = "global average pool backward";
    long outputs = Shapes.product(op, batch, channels);
    Shapes.require(op, "dy", dy, activations(), outputs);
    Shapes.require(op, "dx", dx, activations(), Shapes.product(op, outputs, positions));
    doGlobalAveragePoolBackward(batch, positions, channels, dy, dx);
  }

  /**
   * y = max(x, 0) of {@link #activations}; x and y may be the same buffer. A NaN in x may become 0.
   */
  public final void relu(Buffer x, Buffer y) {
    long count = Shapes.count("relu", "x", x);
    Shapes.require("relu", "x", x, activations(), count);
    Shapes.require("relu", "y", y, activations(), count);
    doRelu(x, y);
  }

  /**
   * dx = dy where y > 0, else 0 (either where y is NaN), of {@link #activations}; dy and dx may be
   * the same buffer.
   */
  public final void reluBackward(Buffer y, Buffer dy, Buffer dx) {
    long count = Shapes.count("relu backward", "y", y);
    Shapes.require("relu backward", "y", y, activations(), count);
    Shapes.require("relu backward", "dy", dy, activations(), count);
    Shapes.require("relu backward", "dx", dx, activations(), count);
    doReluBackward(y, dy, dx);
  }

  /** y = a + b of {@link #activations}; y may be the same buffer as a or b. */
  public final void add(Buffer a, Buffer b, Buffer y) {
    long count = Shapes.count("add", "a", a);
    Shapes.require("add", "a", a, activations(), count);
    Shapes.require("add", "b", b, activations(), count);
    Shapes.require("add", "y", y, activations(), count);
    doAdd(a, b, y);
  }

  /**
   * Dropout of {@link #activations}: each element of x is kept, times 1 / (1 − rate), or becomes 0.
   * The same call with dy for x gives dx; x and y may be the same buffer.
   *
   * <p>Which elements are kept is the same on every backend: element i is if word i mod 4 of the
   * Philox block ({@link dev.rais.random.Philox}) at (iteration, i / 4) of stream {@link
   * dev.rais.random.Streams#DROPOUT} | layer · 2^8 is, without a sign, at least min(round(rate ·
   * 2^32), 2^32 − 1). The factor 1 / (1 − rate) and the product are rounded to float.
   *
   * @param rate share of elements that become 0, in [0, 1)
   * @param seed the run's seed
   * @param layer number of the dropout layer in its network, 0 to 2^23 − 1
   * @param iteration t
   */
  public final void dropout(Buffer x, float rate, long seed, int layer, long iteration, Buffer y) {
    long count = Shapes.count("dropout", "x", x);
    Shapes.require("dropout", "x", x, activations(), count);
    Shapes.require("dropout", "y", y, activations(), count);
    if (!(rate >= 0 && rate < 1)) {
      throw new IllegalArgumentException("dropout: the rate must be in [0, 1), not " + rate);
    }
    if (layer < 0 || layer > MAX_DROPOUT_LAYER) {
      throw new IllegalArgumentException(
          "dropout: the layer must be from 0 to " + MAX_DROPOUT_LAYER + ", not " + layer);
    }
    if (count > MAX_DROPOUT_COUNT) {
      throw new IllegalArgumentException(
          "dropout: " + count + " elements are more than " + MAX_DROPOUT_COUNT);
    }
    doDropout(x, rate, seed, layer, iteration, y);
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
   * @param logits {@link #activations} [m, K]
   * @param labels INT32 [m], each from 0 to K − 1
   * @param weights FLOAT32 [m] importance weights, or null for all 1
   * @param scale factor of every gradient, 1/m for the mean loss
   * @param losses FLOAT32 [m]
   * @param norms FLOAT32 [m]
   * @param gradients {@link #activations} [m, K], or null where no gradient is wanted
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
    Shapes.require(op, "logits", logits, activations(), (long) rows * classes);
    Shapes.require(op, "labels", labels, INT32, rows);
    if (weights != null) {
      Shapes.require(op, "weights", weights, FLOAT32, rows);
    }
    Shapes.require(op, "losses", losses, FLOAT32, rows);
    Shapes.require(op, "norms", norms, FLOAT32, rows);
    if (gradients != null) {
      Shapes.require(op, "gradients", gradients, activations(), (long) rows * classes);
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
   * @param batch {@link #activations} [m, height, width, channels], to which values are rounded
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
    Shapes.require(op, "batch", batch, activations(), rows * shape.size());
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
   * {@link #sgd(Buffer, Buffer, Buffer, Buffer, float, float, float)} of which nothing is rounded.
   */
  public final void sgd(
      Buffer w, Buffer u, Buffer g, float learningRate, float momentum, float weightDecay) {
    sgd(w, u, g, null, learningRate, momentum, weightDecay);
  }

  /**
   * One step of momentum SGD with weight decay, in place: u ← momentum · u − learningRate · (g +
   * weightDecay · w), w ← w + u (docs/algorithm.md §5).
   *
   * @param w FLOAT32 parameters
   * @param u FLOAT32 velocities, same count
   * @param g FLOAT32 gradients, same count
   * @param rounded BFLOAT16, same count: gets the new w, rounded; null where nothing reads that
   */
  public final void sgd(
      Buffer w,
      Buffer u,
      Buffer g,
      Buffer rounded,
      float learningRate,
      float momentum,
      float weightDecay) {
    long count = Shapes.count("sgd", "w", w);
    Shapes.require("sgd", "w", w, FLOAT32, count);
    Shapes.require("sgd", "u", u, FLOAT32, count);
    Shapes.require("sgd", "g", g, FLOAT32, count);
    Shapes.requireOrNull("sgd", "rounded", rounded, BFLOAT16, count);
    doSgd(w, u, g, rounded, learningRate, momentum, weightDecay);
  }

  /** y = x rounded to nearest, ties to even: from FLOAT32 to BFLOAT16. */
  public final void round(Buffer x, Buffer y) {
    long count = Shapes.count("round", "x", x);
    Shapes.require("round", "x", x, FLOAT32, count);
    Shapes.require("round", "y", y, BFLOAT16, count);
    doRound(x, y);
  }

  /** Σ x², summed in an order that depends only on the count. */
  public final double squaredNorm(Buffer x) {
    Shapes.require("squared norm", "x", x, FLOAT32, Shapes.count("squared norm", "x", x));
    return doSquaredNorm(x);
  }

  /**
   * {@code squaredNorms[j] = Σ_k x[j, k]²} for x of {@link #activations} with {@code
   * squaredNorms.count()} rows.
   */
  public final void rowSquaredNorms(Buffer x, Buffer squaredNorms) {
    String op = "row squared norms";
    long rows = Shapes.count(op, "squared norms", squaredNorms);
    long columns = Shapes.count(op, "x", x) / rows;
    Shapes.require(op, "squared norms", squaredNorms, FLOAT32, rows);
    Shapes.require(op, "x", x, activations(), Math.max(1, columns) * rows);
    doRowSquaredNorms(x, squaredNorms);
  }

  /** Allocates zeroed memory; the count is checked. */
  protected abstract Buffer doAllocate(DType type, long count);

  /** Operands are checked. */
  protected abstract void doRelu(Buffer x, Buffer y);

  /** Operands are checked. */
  protected abstract void doReluBackward(Buffer y, Buffer dy, Buffer dx);

  /** Operands are checked. */
  protected abstract void doAdd(Buffer a, Buffer b, Buffer y);

  /** Operands are checked. */
  protected abstract void doDropout(
      Buffer x, float rate, long seed, int layer, long iteration, Buffer y);

  /** Operands are checked. */
  protected abstract void doGlobalAveragePool(
      int batch, int positions, int channels, Buffer x, Buffer y);

  /** Operands are checked. */
  protected abstract void doGlobalAveragePoolBackward(
      int batch, int positions, int channels, Buffer dy, Buffer dx);

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
      Buffer w,
      Buffer u,
      Buffer g,
      Buffer rounded,
      float learningRate,
      float momentum,
      float weightDecay);

  /** Operands are checked. */
  protected abstract void doRound(Buffer x, Buffer y);

  /** Operands are checked. */
  protected abstract double doSquaredNorm(Buffer x);

  /** Operands are checked. */
  protected abstract void doRowSquaredNorms(Buffer x, Buffer squaredNorms);

  @Override
  public abstract void close();
}
