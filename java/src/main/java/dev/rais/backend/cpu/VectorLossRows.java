package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Rows one by one, straight from and to memory: whoever copies rows into arrays first has vectors
 * lie across cache lines, wherever the heap put the array. t waits in the gradients' place. Touch
 * this class through {@link VectorLoops} alone: without the incubator module it cannot be linked.
 *
 * <p>Masks are avoided: the vector that the label lies in, and what is left behind the last whole
 * vector, are copied elsewhere. There, in the label's place and where nothing is, stands the least
 * float: no maximum, ranked before nothing, and with an exponential of 0.
 *
 * <p>Each load and store costs C2 some 700 nodes, and it stops inlining at 18,000: where that is
 * amid a loop, the rest of the loop makes objects of vectors. So the long loops, and what calls
 * several, are methods of more bytecodes than C2 inlines ({@code FreqInlineSize}, 325): each is
 * compiled by itself. A test holds them to it.
 */
final class VectorLossRows {
  /** Floats of a vector. */
  static final int LANES = VectorMemory.LANES;

  /** No class outside of the five that rank first matters. */
  private static final int TOP = 5;

  private static final long ODD = 2L * LANES * Float.BYTES;

  static final float NOTHING = -Float.MAX_VALUE;

  /** Elements whose sums are floats, lane by lane; further on they are doubles. */
  private static final int BLOCK = 64 * LANES;

  private static final float LOG2_E = (float) (1 / Math.log(2));

  /** Added and taken off again, it rounds to a whole number. */
  private static final float ROUNDING = 0x1.8p23f;

  /**
   * 2 to the power of less would be no normal number; 0 is as good, and some processors multiply it
   * a hundred times faster.
   */
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

  // Addresses and elements of the parts of a row: before the label's vector, behind it, and what
  // was set aside.
  private static final int PARTS = 3;
  private static final int ODD_PART = 0;
  private final long[] from = new long[PARTS];
  private final long[] to = new long[PARTS];
  private final int[] lengths = new int[PARTS];

  // Of the row in hand.
  private long start;
  private int label;

  /** First class of the label's vector, and the one behind it. */
  private int labelled;

  private int after;

  /** Class of the first element that was set aside. */
  private int first;

  /** Classes behind the whole vectors, if the label is not among them. */
  private int rest;

  /** What makes a gradient of t_k. */
  private double factor;

  VectorLossRows(LossLayer layer) {
    MemorySegment memory = layer.workers.scratch().memory(2 * ODD);
    this.odd = memory.asSlice(0, ODD);
    this.oddT = memory.asSlice(ODD, ODD);
    this.layer = layer;
    this.logits = layer.logits;
    this.gradients = layer.gradients;
    this.classes = layer.classes;
    from[ODD_PART] = odd.address();
    to[ODD_PART] = oddT.address();
    lengths[ODD_PART] = 2 * LANES;
  }

  void run(int from, int to) {
    for (int row = from; row < to; row++) {
      if (measured(row, row + 1 < to) && gradients != null) {
        scale(this.to[ODD_PART], lengths[ODD_PART], (float) factor);
        restore();
        gradients.set(JAVA_FLOAT, at(label), (float) (-factor * sums.sum));
        for (int i = 1; i < PARTS; i++) {
          scale(this.to[i], lengths[i], (float) factor);
        }
      }
    }
  }

  /** Does all but scale the gradients; false where even that was done. */
  private boolean measured(int row, boolean another) {
    start = (long) row * classes * Float.BYTES;
    label = layer.label(row);
    labelled = label / LANES * LANES;
    after = Math.min(labelled + LANES, classes);
    rest = (classes - after) % LANES;
    float z = logits.get(JAVA_FLOAT, at(label));
    setAside();

    float largest = NOTHING;
    for (int i = 0; i < PARTS; i++) {
      largest = Math.max(largest, largest(from[i], lengths[i]));
    }
    if (!(largest > NOTHING && z > NOTHING && z < Float.POSITIVE_INFINITY)) {
      layer.careful(row, label);
      return false;
    }
    layer.setCorrectness(row, CarefulLossRow.flags(z > largest ? 0 : ahead(z)));

    sums.clear();
    for (int i = 0; i < PARTS; i++) {
      long ahead = another && i > ODD_PART ? bytes(classes) : 0;
      sums.exponentials(from[i], to[i], lengths[i], largest, ahead);
    }
    sums.flush();
    double distance = (double) z - largest;
    factor = layer.finish(row, sums.sum, sums.square, distance, Math.exp(-Math.abs(distance)));
    return true;
  }

  /** Copies the gradients of what was set aside, but the label's, to where they belong. */
  private void restore() {
    if (after - labelled == LANES) {
      store(load(oddT.address(), 0), at(gradients, 0), labelled);
    } else {
      copyBack(0, labelled, after - labelled);
    }
    if (rest > 0) {
      copyBack(LANES, classes - rest, rest);
    }
  }

  /** The last elements of a vector that was set aside, to where the row ends. */
  private void copyBack(int vector, int k, int count) {
    MemorySegment.copy(oddT, bytes(vector + LANES - count), gradients, at(k), bytes(count));
  }

  /**
   * Copies the label's vector and what is left of the row to {@link #odd}: where less than a vector
   * is left, the row's last whole vector with nothing for what is done elsewhere. Nothing is
   * written there that is read in other pieces: such a load waits for all stores before it.
   */
  private void setAside() {
    first = Math.min(labelled, classes - LANES);
    FloatVector lane = broadcast(0).addIndex(1);
    FloatVector own = load(at(logits, 0), first);
    own = own.blend(NOTHING, lane.compare(VectorOperators.LT, labelled - first));
    own = own.blend(NOTHING, lane.compare(VectorOperators.EQ, label - first));
    store(own, odd.address(), 0);
    FloatVector last = load(at(logits, 0), classes - LANES);
    last = last.blend(NOTHING, lane.compare(VectorOperators.LT, LANES - rest));
    store(last, odd.address(), LANES);
    setPart(1, 0, labelled);
    setPart(2, after, classes - rest);
  }

  private void setPart(int i, int k, int end) {
    from[i] = at(logits, k);
    to[i] = at(gradients, k);
    lengths[i] = end - k;
  }

  private static long bytes(int count) {
    return (long) count * Float.BYTES;
  }

  private long at(int k) {
    return start + bytes(k);
  }

  /** The address of a row's element, or 0. */
  private long at(MemorySegment values, int k) {
    return values == null ? 0 : values.address() + at(k);
  }

  /** NaN where not all of {@code count} are finite. */
  static float largest(long logits, int count) {
    // Four of each, as neither a maximum nor a sum can begin before the one before it has ended.
    FloatVector largest0 = broadcast(NOTHING);
    FloatVector largest1 = largest0;
    FloatVector largest2 = largest0;
    FloatVector largest3 = largest0;
    FloatVector defects0 = broadcast(0);
    FloatVector defects1 = defects0;
    FloatVector defects2 = defects0;
    FloatVector defects3 = defects0;
    int k = 0;
    for (; k <= count - 4 * LANES; k += 4 * LANES) {
      FloatVector x0 = load(logits, k);
      FloatVector x1 = load(logits, k + LANES);
      FloatVector x2 = load(logits, k + 2 * LANES);
      FloatVector x3 = load(logits, k + 3 * LANES);
      largest0 = largest0.blend(x0, x0.compare(VectorOperators.GT, largest0));
      largest1 = largest1.blend(x1, x1.compare(VectorOperators.GT, largest1));
      largest2 = largest2.blend(x2, x2.compare(VectorOperators.GT, largest2));
      largest3 = largest3.blend(x3, x3.compare(VectorOperators.GT, largest3));
      defects0 = x0.fma(broadcast(0), defects0);
      defects1 = x1.fma(broadcast(0), defects1);
      defects2 = x2.fma(broadcast(0), defects2);
      defects3 = x3.fma(broadcast(0), defects3);
    }
    for (; k < count; k += LANES) {
      FloatVector x = load(logits, k);
      largest0 = largest0.blend(x, x.compare(VectorOperators.GT, largest0));
      defects0 = x.fma(broadcast(0), defects0);
    }
    largest0 = largest0.blend(largest1, largest1.compare(VectorOperators.GT, largest0));
    largest2 = largest2.blend(largest3, largest3.compare(VectorOperators.GT, largest2));
    largest0 = largest0.blend(largest2, largest2.compare(VectorOperators.GT, largest0));
    return largest0.reduceLanes(VectorOperators.MAX)
        + defects0.add(defects1).add(defects2.add(defects3)).reduceLanes(VectorOperators.ADD);
  }

  /**
   * How many classes rank before the label, of those before it also its equals; five is as good as
   * more.
   */
  private int ahead(float z) {
    int ahead = 0;
    float below = Math.nextDown(z);
    for (int k = 0; k < labelled && ahead < TOP; k += LANES) {
      ahead += above(at(logits, 0), k, below);
    }
    for (int k = after; k < classes - rest && ahead < TOP; k += LANES) {
      ahead += above(at(logits, 0), k, z);
    }
    for (int i = 0; i < 2 * LANES && ahead < TOP; i++) {
      float x = odd.getAtIndex(JAVA_FLOAT, i);
      if (x > z || (x == z && i < label - first)) {
        ahead++;
      }
    }
    return ahead;
  }

  private static int above(long logits, int k, float threshold) {
    return load(logits, k).compare(VectorOperators.GT, threshold).trueCount();
  }

  private static FloatVector broadcast(float x) {
    return FloatVector.broadcast(VectorMemory.FLOATS, x);
  }

  private static FloatVector load(long address, int k) {
    return VectorMemory.load(address + bytes(k));
  }

  private static void store(FloatVector vector, long address, int k) {
    VectorMemory.store(vector, address + bytes(k));
  }

  static void scale(long values, int count, float factor) {
    for (int k = 0; k < count; k += LANES) {
      store(load(values, k).mul(factor), values, k);
    }
  }

  /** Σ t and Σ t² of vectors, in double from block to block. */
  static final class Sums {
    double sum;
    double square;

    /** Of a block, lane by lane: the order in which reduceLanes adds is unspecified. */
    private final float[] lanes = new float[LANES];

    private final float[] squareLanes = new float[LANES];

    /** Elements in them. */
    private int gathered;

    /** Makes what was only touched a result. */
    private int touched;

    void clear() {
      sum = 0;
      square = 0;
      gathered = 0;
      Arrays.fill(lanes, 0f);
      Arrays.fill(squareLanes, 0f);
    }

    /**
     * Adds t = e^(x − reference).
     *
     * @param x address of {@code count} elements
     * @param t where they go; may be 0 for nowhere, or x itself
     * @param ahead bytes from x to what is read ahead of its time, so that it will be in the cache:
     *     the processor itself stops fetching where a page ends
     */
    void exponentials(long x, long t, int count, float reference, long ahead) {
      int k = 0;
      while (k < count) {
        int begin = k;
        int end = Math.min(begin + BLOCK - gathered, count);
        FloatVector sum = FloatVector.fromArray(VectorMemory.FLOATS, lanes, 0);
        FloatVector square = FloatVector.fromArray(VectorMemory.FLOATS, squareLanes, 0);
        for (; k < end; k += LANES) {
          touched += VectorMemory.touch(x + ahead + bytes(k));
          FloatVector y = load(x, k).sub(reference).mul(LOG2_E);
          // The whole number lies in the last bits of this.
          FloatVector shifted = y.add(ROUNDING);
          FloatVector r = y.sub(shifted.sub(ROUNDING));
          FloatVector e =
              r.fma(broadcast(C6), broadcast(C5))
                  .fma(r, broadcast(C4))
                  .fma(r, broadcast(C3))
                  .fma(r, broadcast(C2))
                  .fma(r, broadcast(C1))
                  .fma(r, broadcast(1))
                  .reinterpretAsInts()
                  .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                  .reinterpretAsFloats();
          e = e.blend(0f, y.compare(VectorOperators.LT, LEAST_POWER));
          if (t != 0) {
            store(e, t, k);
          }
          sum = sum.add(e);
          square = e.fma(e, square);
        }
        sum.intoArray(lanes, 0);
        square.intoArray(squareLanes, 0);
        gathered += k - begin;
        if (gathered == BLOCK) {
          flush();
        }
      }
    }

    private void add(int length) {
      gathered += length;
      if (gathered == BLOCK) {
        flush();
      }
    }

    /** Has both sums complete. */
    void flush() {
      sum += total(lanes);
      square += total(squareLanes);
      gathered = 0;
      Arrays.fill(lanes, 0f);
      Arrays.fill(squareLanes, 0f);
    }

    /** Adds the squares of {@code count} elements. */
    void squares(long x, int count) {
      int k = 0;
      while (k < count) {
        int length = Math.min(BLOCK - gathered, count - k);
        squares(x + bytes(k), length, squareLanes);
        k += length;
        add(length);
      }
    }

    private static void squares(long x, int count, float[] lanes) {
      FloatVector square = FloatVector.fromArray(VectorMemory.FLOATS, lanes, 0);
      for (int k = 0; k < count; k += LANES) {
        FloatVector values = load(x, k);
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
