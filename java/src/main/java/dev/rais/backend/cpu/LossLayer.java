package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.rais.backend.Backend;
import java.lang.foreign.MemorySegment;

/**
 * The fused loss layer (see {@link Backend#lossLayer}) of any range of rows; segments that are not
 * wanted are null. What a row comes to depends on nothing but the row.
 *
 * <p>Everything is taken from the classes other than the label, relative to the largest of their
 * logits M: with t_k = exp(z_k − M), S = Σ t_k, Q = Σ t_k² and d = z_label − M,
 *
 * <pre>
 * s_k = t_k / (S + e^d),  1 − s_label = S / (S + e^d),  norm = sqrt(Q + S²) / (S + e^d),
 * </pre>
 *
 * so nothing near 1 is subtracted, and the norms of well-learned examples, which decide how seldom
 * they are drawn, keep all their digits.
 *
 * <p>{@link ShortLossRows} and {@link LongLossRows} compute S and Q, with {@link VectorExp}. Rows
 * whose logits lie further apart than that reaches, or are not finite, take {@link CarefulLossRow}.
 * Where {@link VectorLoops} are used, rows that are not short take {@link VectorLossRows}, which
 * round differently: a run repeats itself bit by bit only under the same options of the JVM.
 */
final class LossLayer implements Workers.Body {
  /** From this many classes on, cutting a row into parts costs less than it saves. */
  private static final int LONG_ROW = 128;

  /** Below this many classes, what a row costs by itself outweighs its vectors. */
  private static final int LEAST_FOR_VECTORS = 64;

  final Workers workers;
  final int classes;
  final MemorySegment logits;
  private final MemorySegment labels;
  private final MemorySegment weights;
  private final float scale;
  private final MemorySegment losses;
  private final MemorySegment norms;
  final MemorySegment gradients;
  private final MemorySegment correctness;

  LossLayer(
      Workers workers,
      int classes,
      MemorySegment logits,
      MemorySegment labels,
      MemorySegment weights,
      float scale,
      MemorySegment losses,
      MemorySegment norms,
      MemorySegment gradients,
      MemorySegment correctness) {
    this.workers = workers;
    this.classes = classes;
    this.logits = logits;
    this.labels = labels;
    this.weights = weights;
    this.scale = scale;
    this.losses = losses;
    this.norms = norms;
    this.gradients = gradients;
    this.correctness = correctness;
  }

  /** A way to compute a few rows at once, with one thread's arrays. */
  interface Chunk {
    /** How many rows it takes at most. */
    int capacity();

    /** Computes rows. */
    void run(int first, int rows);
  }

  @Override
  public void run(int from, int to) {
    if (usesVectors(classes)) {
      runWithVectors(from, to);
      return;
    }
    Chunk chunk = classes < LONG_ROW ? new ShortLossRows(this) : new LongLossRows(this);
    for (int first = from; first < to; first += chunk.capacity()) {
      chunk.run(first, Math.min(chunk.capacity(), to - first));
    }
  }

  /** Whether rows of so many classes are computed with the Vector API. */
  static boolean usesVectors(int classes) {
    return classes >= LEAST_FOR_VECTORS && VectorLoops.areUsed();
  }

  /** Only where {@link VectorLoops} are used. */
  void runWithVectors(int from, int to) {
    new VectorLossRows(this).run(from, to);
  }

  int label(int row) {
    int label = labels.getAtIndex(JAVA_INT, row);
    if (label < 0 || label >= classes) {
      throw new IndexOutOfBoundsException(
          "loss layer: label "
              + label
              + " of row "
              + row
              + " is not a class from 0 to "
              + (classes - 1));
    }
    return label;
  }

  /**
   * Writes what a row comes to.
   *
   * @param sum S
   * @param squares Q
   * @param distance d
   * @param t e^−|d|
   * @return what makes a gradient of t_k; times −S it is the label's
   */
  double finish(int row, double sum, double squares, double distance, double t) {
    double inverse;
    double loss;
    if (distance > 0) {
      inverse = t / (1 + sum * t);
      loss = log1p(sum * t);
    } else {
      inverse = 1 / (sum + t);
      loss = Math.log(sum + t) - distance;
    }
    losses.setAtIndex(JAVA_FLOAT, row, (float) loss);
    norms.setAtIndex(JAVA_FLOAT, row, (float) (Math.sqrt(squares + sum * sum) * inverse));
    return factor(row) * inverse;
  }

  /** Math.log1p of what is not negative, in half the time: the logarithm has an intrinsic. */
  private static double log1p(double x) {
    double y = 1 + x;
    return Math.log(y) + (x - (y - 1)) / y;
  }

  void setCorrectness(int row, byte flags) {
    correctness.set(JAVA_BYTE, row, flags);
  }

  private double factor(int row) {
    return scale * (double) (weights == null ? 1f : weights.getAtIndex(JAVA_FLOAT, row));
  }

  boolean wantsGradients() {
    return gradients != null;
  }

  /**
   * Writes {@code count} gradients, from a row's class {@code k} on: of several rows at once, too.
   */
  void setGradients(int row, int k, float[] values, int from, int count) {
    long at = ((long) row * classes + k) * Float.BYTES;
    MemorySegment.copy(values, from, gradients, JAVA_FLOAT, at, count);
  }

  /** Does a whole row; its logits may be overwritten by its gradients. */
  void careful(int row, int label) {
    float[] values = workers.scratch().array(Scratch.Use.SUMS, classes);
    long at = (long) row * classes * Float.BYTES;
    MemorySegment.copy(logits, JAVA_FLOAT, at, values, 0, classes);
    var result = CarefulLossRow.of(values, classes, label, factor(row));
    losses.setAtIndex(JAVA_FLOAT, row, result.loss());
    norms.setAtIndex(JAVA_FLOAT, row, result.norm());
    setCorrectness(row, result.flags());
    if (wantsGradients()) {
      setGradients(row, 0, values, 0, classes);
    }
  }
}
