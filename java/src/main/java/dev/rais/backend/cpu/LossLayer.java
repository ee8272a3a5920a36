package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.rais.backend.Backend;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

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
 * <p>A long row is cut into parts of equal length, and each part of all rows of a chunk lies in an
 * array of its own: sums over the parts are then loops over arrays from index 0, which C2
 * vectorises, and what is left to add up one by one is a fraction of the row. Where the last part
 * is shorter, and in the label's place, the arrays hold the row's least logit, and its share is
 * taken off the sums: it is no larger than that of any class that belongs there.
 *
 * <p>Rows whose logits lie further apart than {@link VectorExp} reaches, or are not finite, take
 * {@link CarefulLossRow}.
 */
final class LossLayer implements Workers.Body {
  /** Elements of a part's array: with its sums it fits into the first-level cache. */
  private static final int LANES = 1536;

  /** From this many classes on, cutting a row into parts costs less than it saves. */
  private static final int LONG_ROW = 256;

  private static final int LEAST_PARTS = 8;

  /** No class outside of the five that rank first matters. */
  private static final int TOP = 5;

  private static final int LARGEST_FINITE = key(Float.floatToRawIntBits(Float.MAX_VALUE));
  private static final int LEAST_FINITE = key(Float.floatToRawIntBits(-Float.MAX_VALUE));

  private final Workers workers;
  private final int classes;
  private final MemorySegment logits;
  private final MemorySegment labels;
  private final MemorySegment weights;
  private final float scale;
  private final MemorySegment losses;
  private final MemorySegment norms;
  private final MemorySegment gradients;
  private final MemorySegment correctness;

  /** Lanes of a row: the length of its parts. */
  private final int lanes;

  private final int parts;
  private final int rowsPerChunk;

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
    int wanted = classes < LONG_ROW ? 1 : Math.max(LEAST_PARTS, Math.ceilDiv(classes, LANES));
    this.lanes = Math.ceilDiv(classes, wanted);
    this.parts = Math.ceilDiv(classes, lanes);
    this.rowsPerChunk = Math.max(1, LANES / lanes);
  }

  @Override
  public void run(int from, int to) {
    Chunk chunk = new Chunk();
    for (int first = from; first < to; first += rowsPerChunk) {
      chunk.run(first, Math.min(rowsPerChunk, to - first));
    }
  }

  /** The bits of a float as an integer of the same order (−0 before 0); its own inverse. */
  private static int key(int bits) {
    return bits ^ ((bits >> 31) >>> 1);
  }

  private static float value(int key) {
    return Float.intBitsToFloat(key(key));
  }

  private float logit(long row, int k) {
    return logits.getAtIndex(JAVA_FLOAT, row * classes + k);
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

  /** Some rows at once, and one thread's arrays for them. */
  private final class Chunk {
    private final Scratch scratch = workers.scratch();

    /** [parts][lanes of all rows]: logits, then t. */
    private final float[][] t = scratch.rows(Scratch.Use.RESULT, parts, rowsPerChunk * lanes);

    /** Of each lane: M of its row, later the factor that makes a gradient of t. */
    private final float[] ofLanes = scratch.array(Scratch.Use.X, rowsPerChunk * lanes);

    private final float[] sums = scratch.array(Scratch.Use.Y, rowsPerChunk * lanes);
    private final float[] squares = scratch.array(Scratch.Use.Z, rowsPerChunk * lanes);
    private final float[] product = scratch.array(Scratch.Use.TRANSFER, rowsPerChunk * lanes);
    private final short[] powers = scratch.shorts(Scratch.Use.X, rowsPerChunk * lanes);

    private final float[] largestOthers = new float[rowsPerChunk];
    private final float[] least = new float[rowsPerChunk];

    /** Which part has the label; −1 for a row that is done. */
    private final int[] labelPart = new int[rowsPerChunk];

    private final int[] labelLane = new int[rowsPerChunk];
    private final float[] labelLogit = new float[rowsPerChunk];
    private final float[] labelGradient = new float[rowsPerChunk];
    private boolean complete;

    void run(int first, int rows) {
      complete = true;
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
      if (gradients != null) {
        for (int part = 0; part < parts; part++) {
          multiply(t[part], ofLanes, product, count);
          store(first, rows, part);
        }
      }
    }

    private static void multiply(float[] x, float[] y, float[] product, int count) {
      for (int i = 0; i < count; i++) {
        product[i] = x[i] * y[i];
      }
    }

    /** Looks for M, ranks the label, and does the whole row where it is not an ordinary one. */
    private void prepare(int row, int j) {
      int label = label(row);
      float z = logit(row, label);
      long from = (long) row * classes;
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
      boolean finite =
          Float.isFinite(z) && largestKey <= LARGEST_FINITE && leastKey >= LEAST_FINITE;
      float largest = value(largestKey);
      if (!finite || !(largest - value(leastKey) <= VectorExp.RANGE)) {
        careful(row, label);
        labelPart[j] = -1;
        complete = false;
        return;
      }
      largestOthers[j] = largest;
      least[j] = value(leastKey);
      labelLogit[j] = z;
      labelPart[j] = label / lanes;
      labelLane[j] = j * lanes + label % lanes;
      Arrays.fill(ofLanes, j * lanes, (j + 1) * lanes, largest);
      int ahead = first ? 0 : ahead(row, label, z);
      correctness.set(JAVA_BYTE, row, CarefulLossRow.flags(ahead));
    }

    private int label(int row) {
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

    /** How many classes rank before the label, as far as it matters. */
    private int ahead(int row, int label, float z) {
      int ahead = 0;
      for (int k = 0; k < classes && ahead < TOP; k++) {
        float other = logit(row, k);
        if (other > z || (other == z && k < label)) {
          ahead++;
        }
      }
      return ahead;
    }

    private void careful(int row, int label) {
      float[] values = scratch.array(Scratch.Use.SUMS, classes);
      long at = (long) row * classes * Float.BYTES;
      MemorySegment.copy(logits, JAVA_FLOAT, at, values, 0, classes);
      var result = CarefulLossRow.of(values, classes, label, factor(row));
      losses.setAtIndex(JAVA_FLOAT, row, result.loss());
      norms.setAtIndex(JAVA_FLOAT, row, result.norm());
      correctness.set(JAVA_BYTE, row, result.flags());
      if (gradients != null) {
        MemorySegment.copy(values, 0, gradients, JAVA_FLOAT, at, classes);
      }
    }

    private double factor(int row) {
      return scale * (double) (weights == null ? 1f : weights.getAtIndex(JAVA_FLOAT, row));
    }

    private void load(int first, int rows, int part) {
      float[] to = t[part];
      if (parts == 1) {
        long at = (long) first * classes * Float.BYTES;
        MemorySegment.copy(logits, JAVA_FLOAT, at, to, 0, rows * classes);
      } else {
        int length = length(part);
        for (int j = 0; j < rows; j++) {
          MemorySegment.copy(logits, JAVA_FLOAT, offset(first + j, part), to, j * lanes, length);
          Arrays.fill(to, j * lanes + length, (j + 1) * lanes, least[j]);
        }
      }
      for (int j = 0; j < rows; j++) {
        if (labelPart[j] == part) {
          to[labelLane[j]] = least[j];
        }
      }
    }

    private int length(int part) {
      return Math.min(lanes, classes - part * lanes);
    }

    private long offset(long row, int part) {
      return (row * classes + (long) part * lanes) * Float.BYTES;
    }

    private void finish(int row, int j) {
      int holes = parts * lanes - classes + 1;
      double hole = t[labelPart[j]][labelLane[j]];
      double sum = total(sums, j * lanes, (j + 1) * lanes) - holes * hole;
      double square = total(squares, j * lanes, (j + 1) * lanes) - holes * hole * hole;
      double ahead = (double) labelLogit[j] - largestOthers[j];
      double e = Math.exp(-Math.abs(ahead));
      double inverse;
      double loss;
      if (ahead > 0) {
        inverse = e / (1 + sum * e);
        loss = Math.log1p(sum * e);
      } else {
        inverse = 1 / (sum + e);
        loss = Math.log(sum + e) - ahead;
      }
      losses.setAtIndex(JAVA_FLOAT, row, (float) loss);
      norms.setAtIndex(JAVA_FLOAT, row, (float) (Math.sqrt(square + sum * sum) * inverse));
      if (gradients != null) {
        double factor = factor(row) * inverse;
        Arrays.fill(ofLanes, j * lanes, (j + 1) * lanes, (float) factor);
        labelGradient[j] = (float) (-factor * sum);
      }
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

    private void store(int first, int rows, int part) {
      for (int j = 0; j < rows; j++) {
        if (labelPart[j] == part) {
          product[labelLane[j]] = labelGradient[j];
        }
      }
      if (parts == 1 && complete) {
        long at = (long) first * classes * Float.BYTES;
        MemorySegment.copy(product, 0, gradients, JAVA_FLOAT, at, rows * classes);
        return;
      }
      int length = length(part);
      for (int j = 0; j < rows; j++) {
        if (labelPart[j] >= 0) {
          long at = offset(first + j, part);
          MemorySegment.copy(product, j * lanes, gradients, JAVA_FLOAT, at, length);
        }
      }
    }
  }
}
