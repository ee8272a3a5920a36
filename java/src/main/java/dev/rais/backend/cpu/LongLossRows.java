package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Rows of many classes. A row is cut into parts of equal length, and each part of all rows lies in
 * an array of its own: sums over the parts are then loops over arrays from index 0, which C2
 * vectorises, and what is left to add up one by one is a fraction of the row.
 *
 * <p>Where the last part is shorter, and in the label's place, the arrays hold the row's least
 * logit, and its share is taken off the sums: it is no larger than that of any class that belongs
 * there.
 */
final class LongLossRows implements LossLayer.Chunk {
  /** Elements of a part's array: with its sums it fits into the first-level cache. */
  private static final int LANES = 1536;

  private static final int PARTS = 8;

  /** No class outside of the five that rank first matters. */
  private static final int TOP = 5;

  private static final int LARGEST_FINITE = key(Float.floatToRawIntBits(Float.MAX_VALUE));
  private static final int LEAST_FINITE = key(Float.floatToRawIntBits(-Float.MAX_VALUE));

  private final LossLayer layer;
  private final MemorySegment logits;
  private final int classes;

  /** Lanes of a row: the length of its parts. */
  private final int lanes;

  private final int parts;
  private final int capacity;

  /** [rows, classes]: the logits as they came; null where there is one row at a time. */
  private final float[] raw;

  /** [parts][lanes of all rows]: logits, then t. */
  private final float[][] t;

  /** Of each lane: M of its row, later the factor that makes a gradient of t. */
  private final float[] ofLanes;

  private final float[] sums;
  private final float[] squares;
  private final short[] powers;

  private final float[] largestOthers;
  private final float[] least;

  /** Which part has the label; −1 for a row that is done. */
  private final int[] labelPart;

  private final int[] labelLane;
  private final float[] labelLogit;
  private final float[] labelGradient;

  LongLossRows(LossLayer layer) {
    this.layer = layer;
    logits = layer.logits;
    classes = layer.classes;
    lanes = Math.ceilDiv(classes, Math.max(PARTS, Math.ceilDiv(classes, LANES)));
    parts = Math.ceilDiv(classes, lanes);
    capacity = Math.max(1, LANES / lanes);
    Scratch scratch = layer.workers.scratch();
    raw = capacity == 1 ? null : scratch.array(Scratch.Use.LEFT, capacity * classes);
    t = scratch.rows(Scratch.Use.RESULT, parts, capacity * lanes);
    ofLanes = scratch.array(Scratch.Use.X, capacity * lanes);
    sums = scratch.array(Scratch.Use.Y, capacity * lanes);
    squares = scratch.array(Scratch.Use.Z, capacity * lanes);
    powers = scratch.shorts(Scratch.Use.X, capacity * lanes);
    largestOthers = new float[capacity];
    least = new float[capacity];
    labelPart = new int[capacity];
    labelLane = new int[capacity];
    labelLogit = new float[capacity];
    labelGradient = new float[capacity];
  }

  @Override
  public int capacity() {
    return capacity;
  }

  @Override
  public void run(int first, int rows) {
    if (raw != null) {
      long at = (long) first * classes * Float.BYTES;
      MemorySegment.copy(logits, JAVA_FLOAT, at, raw, 0, rows * classes);
    }
    for (int j = 0; j < rows; j++) {
      prepare(first + j, j);
    }
    int count = rows * lanes;
    Arrays.fill(sums, 0, count, 0f);
    Arrays.fill(squares, 0, count, 0f);
    for (int part = 0; part < parts; part++) {
      load(first, rows, part);
      VectorExp.split(t[part], ofLanes, powers, count);
      VectorExp.join(t[part], powers, sums, squares, count);
    }
    for (int j = 0; j < rows; j++) {
      if (labelPart[j] >= 0) {
        finish(first + j, j);
      }
    }
    if (layer.wantsGradients()) {
      for (int part = 0; part < parts; part++) {
        multiply(t[part], ofLanes, sums, count);
        store(first, rows, part);
      }
    }
  }

  private static void multiply(float[] x, float[] y, float[] product, int count) {
    for (int i = 0; i < count; i++) {
      product[i] = x[i] * y[i];
    }
  }

  /** The bits of a float as an integer of the same order (−0 before 0); its own inverse. */
  private static int key(int bits) {
    return bits ^ ((bits >> 31) >>> 1);
  }

  private static float value(int key) {
    return Float.intBitsToFloat(key(key));
  }

  /**
   * The keys of the largest logit (upper half) and of the least one of {@code count} in sequence.
   * C2 vectorises these reductions for integers, also where they lie in a segment.
   */
  private static long extremes(MemorySegment logits, long from, int count) {
    int largest = Integer.MIN_VALUE;
    int least = Integer.MAX_VALUE;
    for (int i = 0; i < count; i++) {
      int key = key(logits.getAtIndex(JAVA_INT, from + i));
      largest = Math.max(largest, key);
      least = Math.min(least, key);
    }
    return (long) largest << 32 | Integer.toUnsignedLong(least);
  }

  /** Looks for M, ranks the label, and does the whole row where it is not an ordinary one. */
  private void prepare(int row, int j) {
    int label = layer.label(row);
    long from = (long) row * classes;
    float z = logits.getAtIndex(JAVA_FLOAT, from + label);
    long all = extremes(logits, from, classes);
    int largestKey = (int) (all >> 32);
    int leastKey = (int) all;
    boolean first = false;
    if (value(largestKey) <= z || value(leastKey) >= z) {
      // The label is at one end, which tells nothing of the others.
      long lower = extremes(logits, from, label);
      long higher = extremes(logits, from + label + 1, classes - label - 1);
      first =
          (label == 0 || value((int) (lower >> 32)) < z)
              && (label == classes - 1 || value((int) (higher >> 32)) <= z);
      largestKey = Math.max((int) (lower >> 32), (int) (higher >> 32));
      leastKey = Math.min((int) lower, (int) higher);
    }
    boolean finite = Float.isFinite(z) && largestKey <= LARGEST_FINITE && leastKey >= LEAST_FINITE;
    float largest = value(largestKey);
    if (!finite || !(largest - value(leastKey) <= VectorExp.RANGE)) {
      layer.careful(row, label);
      labelPart[j] = -1;
      return;
    }
    largestOthers[j] = largest;
    least[j] = value(leastKey);
    labelLogit[j] = z;
    labelPart[j] = label / lanes;
    labelLane[j] = j * lanes + label % lanes;
    Arrays.fill(ofLanes, j * lanes, (j + 1) * lanes, largest);
    int ahead = first ? 0 : ahead(from, label, z);
    layer.setCorrectness(row, CarefulLossRow.flags(ahead));
  }

  /** How many classes rank before the label, as far as it matters. */
  private int ahead(long from, int label, float z) {
    int ahead = 0;
    for (int k = 0; k < classes && ahead < TOP; k++) {
      float other = logits.getAtIndex(JAVA_FLOAT, from + k);
      if (other > z || (other == z && k < label)) {
        ahead++;
      }
    }
    return ahead;
  }

  private int length(int part) {
    return Math.min(lanes, classes - part * lanes);
  }

  private void load(int first, int rows, int part) {
    float[] to = t[part];
    int length = length(part);
    if (raw == null) {
      long at = ((long) first * classes + (long) part * lanes) * Float.BYTES;
      MemorySegment.copy(logits, JAVA_FLOAT, at, to, 0, length);
    } else {
      for (int j = 0; j < rows; j++) {
        System.arraycopy(raw, j * classes + part * lanes, to, j * lanes, length);
      }
    }
    for (int j = 0; j < rows; j++) {
      if (length < lanes) {
        Arrays.fill(to, j * lanes + length, (j + 1) * lanes, least[j]);
      }
      if (labelPart[j] == part) {
        to[labelLane[j]] = least[j];
      }
    }
  }

  private void finish(int row, int j) {
    int holes = parts * lanes - classes + 1;
    double hole = t[labelPart[j]][labelLane[j]];
    double sum = total(sums, j * lanes, (j + 1) * lanes) - holes * hole;
    double square = total(squares, j * lanes, (j + 1) * lanes) - holes * hole * hole;
    double distance = (double) labelLogit[j] - largestOthers[j];
    double factor = layer.finish(row, sum, square, distance, Math.exp(-Math.abs(distance)));
    Arrays.fill(ofLanes, j * lanes, (j + 1) * lanes, (float) factor);
    labelGradient[j] = (float) (-factor * sum);
  }

  /** In double: a row may have very many lanes. */
  private static double total(float[] values, int from, int to) {
    double a = 0;
    double b = 0;
    double c = 0;
    double d = 0;
    int i = from;
    for (; i + 3 < to; i += 4) {
      a += values[i];
      b += values[i + 1];
      c += values[i + 2];
      d += values[i + 3];
    }
    for (; i < to; i++) {
      a += values[i];
    }
    return (a + b) + (c + d);
  }

  /** The sums are no longer needed, so their array holds the part's gradients. */
  private void store(int first, int rows, int part) {
    int length = length(part);
    for (int j = 0; j < rows; j++) {
      if (labelPart[j] >= 0) {
        if (labelPart[j] == part) {
          sums[labelLane[j]] = labelGradient[j];
        }
        layer.setGradients(first + j, part * lanes, sums, j * lanes, length);
      }
    }
  }
}
