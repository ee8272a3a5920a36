package dev.rais.sampling;

import static dev.rais.sampling.ExampleHistory.BLOCK;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.LongAdder;

/**
 * The robust values v_i = max(floor, ⟨c + e d̂, s_i⟩) as of one refresh (docs/algorithm.md §2, §3),
 * evaluated straight from the history.
 *
 * <p>While class means, c, d̂ and e are frozen, all that is common to the examples of a class is
 * one number: v_i = base + a_last · last + a_previous · previous + a_average · average, with one
 * base for the class's visited examples and one for those never visited, whose norms are kept as 0.
 * So an example costs three multiplications and no branch. No term is negative, so that floats lose
 * nothing but last bits. One example or all of them give the same bits.
 */
final class RobustValues {
  private final ExampleHistory history;
  private final int[] labels;
  private final Population population;

  /** [2 classes] base of a class's visited examples, then of those never visited. */
  private final float[] bases;

  private final float aLast;
  private final float aPrevious;
  private final float aAverage;
  private final float floor;

  /**
   * Values under a set and frozen means.
   *
   * @param labels [n] class of each example
   * @param means what features are made from
   * @param errorScale e, from {@link UncertaintySet#errorScale}
   * @param floor smaller values are raised to this; at least 0
   */
  RobustValues(
      ExampleHistory history,
      int[] labels,
      Population population,
      FrozenMeans means,
      UncertaintySet set,
      double errorScale,
      float floor) {
    this.history = history;
    this.labels = labels;
    this.population = population;
    this.floor = floor;
    float[] ofClass = means.ofClass();
    double[] a = set.c();
    double[] dHat = set.dHat();
    for (int k = 0; k < a.length; k++) {
      a[k] += errorScale * dHat[k];
    }
    aLast = (float) a[ExampleHistory.LAST];
    aPrevious = (float) a[ExampleHistory.PREVIOUS];
    aAverage = (float) a[ExampleHistory.AVERAGE];
    double filledIn =
        a[ExampleHistory.LAST]
            + a[ExampleHistory.PREVIOUS]
            + a[ExampleHistory.AVERAGE]
            + a[ExampleHistory.NEVER_SEEN];
    bases = new float[2 * ofClass.length];
    for (int k = 0; k < ofClass.length; k++) {
      double visited =
          a[ExampleHistory.MEAN] * means.mean() + a[ExampleHistory.CLASS_MEAN] * ofClass[k];
      bases[2 * k] = (float) visited;
      bases[2 * k + 1] = (float) (visited + filledIn * ofClass[k]);
    }
  }

  /**
   * Gives every active example its leaf u_i v_i.
   *
   * @return how many values were raised to the floor
   */
  long build(Distribution distribution) {
    LongAdder raised = new LongAdder();
    distribution.build(() -> new Filler(raised));
    return raised.sum();
  }

  /** Fills ranges of values, on one thread. */
  private final class Filler implements SumTree.LeafBlock {
    private final boolean allVisited = history.allVisited();
    private final float[] column = new float[BLOCK];
    private final int[] ints = new int[BLOCK];
    private final int[] classes = new int[BLOCK];
    private final float[] v = new float[BLOCK];
    private final MemorySegment bits = MemorySegment.ofArray(v);
    private final LongAdder raised;

    Filler(LongAdder raised) {
      this.raised = raised;
    }

    @Override
    public void fill(long from, int count, float[] values) {
      int below = 0;
      for (int done = 0; done < count; done += BLOCK) {
        int first = (int) from + done;
        int length = Math.min(BLOCK, count - done);
        System.arraycopy(labels, first, classes, 0, length);
        if (allVisited) {
          selectVisitedBases(classes, ints, length);
        } else {
          history.copyVisits(first, ints);
          selectBases(classes, ints, length);
        }
        gather(bases, ints, v, length);
        // A column whose factor is 0, as many are, is not even read.
        if (aLast != 0) {
          history.copyLast(first, column);
          weigh(column, aLast, v, length);
        }
        if (aPrevious != 0) {
          history.copyPrevious(first, column);
          weigh(column, aPrevious, v, length);
        }
        if (aAverage != 0) {
          history.copyAverage(first, column);
          weigh(column, aAverage, v, length);
        }
        // Bits of floats that are not negative have their order, and C2 counts many ints at a time.
        MemorySegment.copy(bits, ValueLayout.JAVA_INT, 0, ints, 0, length);
        int low = countBelow(Float.floatToRawIntBits(floor), ints, length);
        if (low > 0) {
          below += low;
          raise(v, floor, length);
        }
        below -= leaveOut(first, length);
        if (population.isWeighted()) {
          for (int i = 0; i < length; i++) {
            v[i] *= population.weight(first + i);
          }
        }
        System.arraycopy(v, 0, values, done, length);
      }
      raised.add(below);
    }

    /** Makes retired examples' values 0; returns how many of them had been raised. */
    private int leaveOut(int first, int length) {
      int raisedOnes = 0;
      for (int i = population.nextRetired(first);
          i >= 0 && i < first + length;
          i = population.nextRetired(i + 1)) {
        raisedOnes += v[i - first] == floor ? 1 : 0;
        v[i - first] = 0;
      }
      return raisedOnes;
    }
  }

  // A loop a method, on arrays from index 0: C2 turns each into vector instructions, but for the
  // gather. Copying to such arrays first is faster than reading where the values lie.

  /** From numbers of visits to indices of bases. */
  private static void selectBases(int[] classes, int[] ints, int length) {
    for (int i = 0; i < length; i++) {
      ints[i] = 2 * classes[i] + neverVisited(ints[i]);
    }
  }

  private static void selectVisitedBases(int[] classes, int[] ints, int length) {
    for (int i = 0; i < length; i++) {
      ints[i] = 2 * classes[i];
    }
  }

  private static void gather(float[] bases, int[] indices, float[] v, int length) {
    for (int i = 0; i < length; i++) {
      v[i] = bases[indices[i]];
    }
  }

  private static void weigh(float[] column, float factor, float[] v, int length) {
    for (int i = 0; i < length; i++) {
      v[i] += factor * column[i];
    }
  }

  private static int countBelow(int bound, int[] ints, int length) {
    int count = 0;
    for (int i = 0; i < length; i++) {
      count += (ints[i] - bound) >>> 31;
    }
    return count;
  }

  private static void raise(float[] v, float floor, int length) {
    for (int i = 0; i < length; i++) {
      v[i] = Math.max(v[i], floor);
    }
  }

  /** 1 for 0 visits, else 0. A branch would often be mispredicted. */
  private static int neverVisited(int visits) {
    return (visits - 1) >>> 31;
  }

  /**
   * The leaves u_i v_i of a few examples, 0 for the retired.
   *
   * @param indices [at least count] which
   * @param values [at least count] receives their leaves
   * @return how many were raised to the floor
   */
  int at(int[] indices, int count, float[] values) {
    int raised = 0;
    for (int j = 0; j < count; j++) {
      int i = indices[j];
      float v =
          bases[2 * labels[i] + neverVisited(history.visits(i))]
              + aLast * history.last(i)
              + aPrevious * history.previous(i)
              + aAverage * history.average(i);
      if (!population.isActive(i)) {
        values[j] = 0;
        continue;
      }
      if (v < floor) {
        v = floor;
        raised++;
      }
      values[j] = population.weight(i) * v;
    }
    return raised;
  }
}
