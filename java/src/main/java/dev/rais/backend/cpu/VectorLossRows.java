package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.nio.ByteOrder.nativeOrder;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Rows one by one, straight from and to memory: whoever copies rows into arrays first has vectors
 * lie across cache lines, wherever the heap put the array. t waits in the gradients' place. Touch
 * this class through {@link VectorLoops} alone: without the incubator module it cannot be linked.
 *
 * <p>Masks are avoided: the vector that the label lies in, and what is left behind the last whole
 * vector, are copied elsewhere. There, in the label's place and where nothing is, stands the least
 * float: no maximum, ranked before nothing, and with an exponential too small to count.
 */
final class VectorLossRows {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

  /** Floats of a vector. */
  static final int LANES = FLOATS.length();

  /** No class outside of the five that rank first matters. */
  private static final int TOP = 5;

  private static final long ODD = 2L * LANES * Float.BYTES;
  private static final long ALIGNMENT = 64;

  static final float NOTHING = -Float.MAX_VALUE;

  /** Elements whose sums are floats, lane by lane; further on they are doubles. */
  private static final int BLOCK = 64 * LANES;

  private static final float LOG2_E = (float) (1 / Math.log(2));

  /** Added and taken off again, it rounds to a whole number. */
  private static final float ROUNDING = 0x1.8p23f;

  /** 2 to the power of less would be no normal number. */
  private static final float LEAST_POWER = -126;

  // 2^x on [−½, ½], as in VectorExp.
  private static final float C1 = 0x1.62e430p-1f;
  private static final float C2 = 0x1.ebfbdcp-3f;
  private static final float C3 = 0x1.c6aee8p-5f;
  private static final float C4 = 0x1.3b2d4cp-7f;
  private static final float C5 = 0x1.5f3e54p-10f;
  private static final float C6 = 0x1.41fbbcp-13f;

  private final LossLayer layer;
  private final MemorySegment logits;
  private final MemorySegment gradients;
  private final int classes;

  /** The vector with the label, then what is left behind the whole ones: logits, and their t. */
  private final MemorySegment odd;

  private final MemorySegment oddT;

  private final Sums sums = new Sums();

  // Of the row in hand.
  private long start;
  private int label;

  /** First class of the label's vector, and the one behind it. */
  private int labelled;

  private int after;

  /** Classes behind the whole vectors, if the label is not among them. */
  private int rest;

  VectorLossRows(LossLayer layer, Arena arena) {
    this.odd = arena.allocate(ODD, ALIGNMENT);
    this.oddT = arena.allocate(ODD, ALIGNMENT);
    this.layer = layer;
    this.logits = layer.logits;
    this.gradients = layer.gradients;
    this.classes = layer.classes;
  }

  void run(int from, int to) {
    for (int row = from; row < to; row++) {
      run(row);
    }
  }

  private void run(int row) {
    start = (long) row * classes * Float.BYTES;
    label = layer.label(row);
    labelled = label / LANES * LANES;
    after = Math.min(labelled + LANES, classes);
    rest = (classes - after) % LANES;
    for (int i = 0; i < 2 * LANES; i++) {
      odd.setAtIndex(JAVA_FLOAT, i, NOTHING);
    }
    MemorySegment.copy(logits, at(labelled), odd, 0, bytes(after - labelled));
    MemorySegment.copy(logits, at(classes - rest), odd, bytes(LANES), bytes(rest));
    float z = odd.getAtIndex(JAVA_FLOAT, label - labelled);
    odd.setAtIndex(JAVA_FLOAT, label - labelled, NOTHING);

    float largest = largest(odd, 0, 2 * LANES);
    largest = Math.max(largest, largest(logits, at(0), labelled));
    largest = Math.max(largest, largest(logits, at(after), classes - rest - after));
    if (!(largest > NOTHING && z > NOTHING && z < Float.POSITIVE_INFINITY)) {
      layer.careful(row, label);
      return;
    }
    layer.setCorrectness(row, CarefulLossRow.flags(z > largest ? 0 : ahead(z)));

    sums.clear();
    sums.exponentials(odd, oddT, 0, 2 * LANES, largest);
    sums.exponentials(logits, gradients, at(0), labelled, largest);
    sums.exponentials(logits, gradients, at(after), classes - rest - after, largest);
    double distance = (double) z - largest;
    double factor =
        layer.finish(row, sums.sum, sums.square, distance, Math.exp(-Math.abs(distance)));
    if (gradients != null) {
      scale(gradients, at(0), labelled, (float) factor);
      scale(gradients, at(after), classes - rest - after, (float) factor);
      scale(oddT, 0, 2 * LANES, (float) factor);
      oddT.setAtIndex(JAVA_FLOAT, label - labelled, (float) (-factor * sums.sum));
      MemorySegment.copy(oddT, 0, gradients, at(labelled), bytes(after - labelled));
      MemorySegment.copy(oddT, bytes(LANES), gradients, at(classes - rest), bytes(rest));
    }
  }

  private static long bytes(int count) {
    return (long) count * Float.BYTES;
  }

  private long at(int k) {
    return start + bytes(k);
  }

  /** NaN where not all of {@code count} are finite. */
  static float largest(MemorySegment logits, long at, int count) {
    FloatVector largest = broadcast(NOTHING);
    FloatVector defects = broadcast(0);
    for (int k = 0; k < count; k += LANES) {
      FloatVector x = load(logits, at, k);
      largest = largest.blend(x, x.compare(VectorOperators.GT, largest));
      defects = x.fma(broadcast(0), defects);
    }
    return largest.reduceLanes(VectorOperators.MAX) + defects.reduceLanes(VectorOperators.ADD);
  }

  /**
   * How many classes rank before the label, of those before it also its equals; five is as good as
   * more.
   */
  private int ahead(float z) {
    int ahead = 0;
    for (int i = 0; i < 2 * LANES && ahead < TOP; i++) {
      float x = odd.getAtIndex(JAVA_FLOAT, i);
      if (x > z || (x == z && i < label - labelled)) {
        ahead++;
      }
    }
    float below = Math.nextDown(z);
    for (int k = 0; k < labelled && ahead < TOP; k += LANES) {
      ahead += above(logits, start, k, below);
    }
    for (int k = after; k < classes - rest && ahead < TOP; k += LANES) {
      ahead += above(logits, start, k, z);
    }
    return ahead;
  }

  private static int above(MemorySegment logits, long start, int k, float threshold) {
    return load(logits, start, k).compare(VectorOperators.GT, threshold).trueCount();
  }

  private static FloatVector exponential(FloatVector x, float reference) {
    FloatVector y = x.sub(reference).mul(LOG2_E);
    y = y.blend(LEAST_POWER, y.compare(VectorOperators.LT, LEAST_POWER));
    // The whole number lies in the last bits of this.
    FloatVector shifted = y.add(ROUNDING);
    FloatVector r = y.sub(shifted.sub(ROUNDING));
    FloatVector power =
        r.fma(broadcast(C6), broadcast(C5))
            .fma(r, broadcast(C4))
            .fma(r, broadcast(C3))
            .fma(r, broadcast(C2))
            .fma(r, broadcast(C1))
            .fma(r, broadcast(1));
    return power
        .reinterpretAsInts()
        .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
        .reinterpretAsFloats();
  }

  private static FloatVector broadcast(float x) {
    return FloatVector.broadcast(FLOATS, x);
  }

  private static FloatVector load(MemorySegment values, long at, int k) {
    return FloatVector.fromMemorySegment(FLOATS, values, at + bytes(k), nativeOrder());
  }

  static void scale(MemorySegment values, long at, int count, float factor) {
    for (int k = 0; k < count; k += LANES) {
      load(values, at, k).mul(factor).intoMemorySegment(values, at + bytes(k), nativeOrder());
    }
  }

  /** Σ t and Σ t² of vectors, in double from block to block. */
  static final class Sums {
    double sum;
    double square;

    /** Of a block, lane by lane: the order in which reduceLanes adds is unspecified. */
    private final float[] lanes = new float[LANES];

    private final float[] squareLanes = new float[LANES];

    void clear() {
      sum = 0;
      square = 0;
    }

    /** Adds t = e^(x − reference) of {@code count} elements; t may be null or x itself. */
    void exponentials(MemorySegment x, MemorySegment t, long at, int count, float reference) {
      for (int k = 0; k < count; k += BLOCK) {
        int length = Math.min(BLOCK, count - k);
        exponentials(x, t, at + bytes(k), length, reference, lanes, squareLanes);
        sum += total(lanes);
        square += total(squareLanes);
      }
    }

    private static void exponentials(
        MemorySegment x,
        MemorySegment t,
        long at,
        int count,
        float reference,
        float[] lanes,
        float[] squareLanes) {
      FloatVector sum = broadcast(0);
      FloatVector square = broadcast(0);
      for (int k = 0; k < count; k += LANES) {
        FloatVector e = exponential(load(x, at, k), reference);
        if (t != null) {
          e.intoMemorySegment(t, at + bytes(k), nativeOrder());
        }
        sum = sum.add(e);
        square = e.fma(e, square);
      }
      sum.intoArray(lanes, 0);
      square.intoArray(squareLanes, 0);
    }

    /** Adds the squares of {@code count} elements. */
    void squares(MemorySegment x, long at, int count) {
      for (int k = 0; k < count; k += BLOCK) {
        squares(x, at + bytes(k), Math.min(BLOCK, count - k), squareLanes);
        square += total(squareLanes);
      }
    }

    private static void squares(MemorySegment x, long at, int count, float[] lanes) {
      FloatVector square = broadcast(0);
      for (int k = 0; k < count; k += LANES) {
        FloatVector values = load(x, at, k);
        square = values.fma(values, square);
      }
      square.intoArray(lanes, 0);
    }

    private static double total(float[] lanes) {
      double even = 0;
      double odd = 0;
      for (int i = 0; i < LANES; i += 2) {
        even += lanes[i];
        odd += lanes[i + 1];
      }
      return even + odd;
    }
  }
}
