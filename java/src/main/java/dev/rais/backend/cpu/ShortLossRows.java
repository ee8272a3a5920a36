package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;

/**
 * Rows of few classes: many of them lie in sequence in one array, so that exponentials and
 * gradients are long loops; maxima, ranks and sums go row by row, without branches.
 *
 * <p>The label's logit stands among the others', at most M, so that e^d comes with the others'
 * exponentials. As it is then at most 1, and S at least, it can be taken off the sum. Where the
 * label is ahead, e^−d is small and every digit of it counts, so it is computed in double.
 */
final class ShortLossRows implements LossLayer.Chunk {
  private static final int ELEMENTS = 2048;

  private final LossLayer layer;
  private final int classes;
  private final int capacity;

  /** [rows, classes]: logits, then t. */
  private final float[] t;

  /** Of each element: M of its row, later the factor that makes a gradient of t. */
  private final float[] ofElements;

  private final float[] product;
  private final short[] powers;

  /** Of each row; −1 where it is done. */
  private final int[] labels;

  private final double[] distances;

  /** How far the least of the others is from the largest. */
  private final double[] lowest;

  private final float[] labelGradients;
  private boolean complete;

  ShortLossRows(LossLayer layer) {
    this.layer = layer;
    classes = layer.classes;
    capacity = ELEMENTS / classes;
    Scratch scratch = layer.workers.scratch();
    t = scratch.array(Scratch.Use.X, ELEMENTS);
    ofElements = scratch.array(Scratch.Use.Y, ELEMENTS);
    product = scratch.array(Scratch.Use.Z, ELEMENTS);
    powers = scratch.shorts(Scratch.Use.X, ELEMENTS);
    labels = new int[capacity];
    distances = new double[capacity];
    lowest = new double[capacity];
    labelGradients = new float[capacity];
  }

  @Override
  public int capacity() {
    return capacity;
  }

  @Override
  public void run(int first, int rows) {
    int count = rows * classes;
    long at = (long) first * classes * Float.BYTES;
    MemorySegment.copy(layer.logits, JAVA_FLOAT, at, t, 0, count);
    complete = true;
    for (int j = 0; j < rows; j++) {
      prepare(first + j, j);
    }
    VectorExp.split(t, ofElements, powers, count);
    VectorExp.join(t, powers, count);
    for (int j = 0; j < rows; j++) {
      if (labels[j] >= 0) {
        finish(first + j, j);
      }
    }
    if (layer.wantsGradients()) {
      multiply(count);
      store(first, rows);
    }
  }

  private void multiply(int count) {
    for (int i = 0; i < count; i++) {
      product[i] = t[i] * ofElements[i];
    }
  }

  private void prepare(int row, int j) {
    int label = layer.label(row);
    int from = j * classes;
    int at = from + label;
    int to = from + classes;
    float z = t[at];
    // NaN is kept by maxima and minima, and by this sum, which infinities make NaN.
    float defect = 0 * z;
    float largest = Float.NEGATIVE_INFINITY;
    float least = Float.POSITIVE_INFINITY;
    int ahead = label;
    for (int i = from; i < at; i++) {
      float other = t[i];
      largest = Math.max(largest, other);
      least = Math.min(least, other);
      ahead -= isNegative(other - z);
    }
    for (int i = at + 1; i < to; i++) {
      float other = t[i];
      largest = Math.max(largest, other);
      least = Math.min(least, other);
      ahead += isNegative(z - other);
    }
    defect += 0 * largest + 0 * least;
    if (defect != 0 || !(largest - least <= VectorExp.RANGE)) {
      layer.careful(row, label);
      labels[j] = -1;
      complete = false;
      return;
    }
    layer.setCorrectness(row, CarefulLossRow.flags(ahead));
    double distance = (double) z - largest;
    lowest[j] = (double) least - largest;
    labels[j] = label;
    distances[j] = distance;
    // Where this is not the logit itself it is not used.
    t[at] = Math.max(Math.min(z, largest), least);
    for (int i = from; i < to; i++) {
      ofElements[i] = largest;
    }
  }

  /** 1 for what is below 0; the sum makes 0 of −0. */
  private static int isNegative(float x) {
    return Float.floatToRawIntBits(x + 0f) >>> 31;
  }

  private void finish(int row, int j) {
    int from = j * classes;
    int to = from + classes;
    int at = from + labels[j];
    double sum = 0;
    double squares = 0;
    for (int i = from; i < to; i++) {
      double e = t[i];
      sum += e;
      squares += e * e;
    }
    double e = t[at];
    sum -= e;
    squares -= e * e;
    double distance = distances[j];
    boolean exact = distance <= 0 && distance >= lowest[j];
    double ofLabel = exact ? e : Math.exp(-Math.abs(distance));
    double factor = layer.finish(row, sum, squares, distance, ofLabel);
    labelGradients[j] = (float) (-factor * sum);
    float rounded = (float) factor;
    for (int i = from; i < to; i++) {
      ofElements[i] = rounded;
    }
  }

  private void store(int first, int rows) {
    for (int j = 0; j < rows; j++) {
      if (labels[j] >= 0) {
        product[j * classes + labels[j]] = labelGradients[j];
      }
    }
    if (complete) {
      layer.setGradients(first, 0, product, 0, rows * classes);
      return;
    }
    for (int j = 0; j < rows; j++) {
      if (labels[j] >= 0) {
        layer.setGradients(first + j, 0, product, j * classes, classes);
      }
    }
  }
}
