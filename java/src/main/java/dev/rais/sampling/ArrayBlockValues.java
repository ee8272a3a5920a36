package dev.rais.sampling;

import static dev.rais.sampling.ExampleHistory.AVERAGE_AT;
import static dev.rais.sampling.ExampleHistory.BLOCK;
import static dev.rais.sampling.ExampleHistory.LAST_AT;
import static dev.rais.sampling.ExampleHistory.PREVIOUS_AT;
import static dev.rais.sampling.ExampleHistory.VISITS_AT;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;

/**
 * A loop a step, on arrays from index 0: C2 turns each into vector instructions, but for the
 * gather. Copying to such arrays first is faster than reading where the values lie.
 */
final class ArrayBlockValues implements BlockValues {
  private final RobustValues.Terms terms;
  private final ExampleHistory history;
  private final int[] labels;
  private final float[] column = new float[BLOCK];
  private final int[] ints = new int[BLOCK];
  private final int[] classes = new int[BLOCK];
  private final float[] v = new float[BLOCK];
  private final MemorySegment bits = MemorySegment.ofArray(v);

  ArrayBlockValues(RobustValues.Terms terms, ExampleHistory history, int[] labels) {
    this.terms = terms;
    this.history = history;
    this.labels = labels;
  }

  @Override
  public int fill(int first, int length, float[] values, int to) {
    MemorySegment block = history.block(first);
    System.arraycopy(labels, first, classes, 0, length);
    if (history.allVisited()) {
      selectVisitedBases(classes, ints, length);
    } else {
      MemorySegment.copy(block, JAVA_INT, VISITS_AT, ints, 0, length);
      selectBases(classes, ints, length);
    }
    gather(terms.bases(), ints, v, length);
    addColumn(block, LAST_AT, terms.last(), length);
    addColumn(block, PREVIOUS_AT, terms.previous(), length);
    addColumn(block, AVERAGE_AT, terms.average(), length);
    // Bits of floats that are not negative have their order, and C2 counts many ints at a time.
    MemorySegment.copy(bits, JAVA_INT, 0, ints, 0, length);
    int raised = countBelow(Float.floatToRawIntBits(terms.floor()), ints, length);
    if (raised > 0) {
      raise(v, terms.floor(), length);
    }
    System.arraycopy(v, 0, values, to, length);
    return raised;
  }

  /** A column whose factor is 0, as many are, is not even read. */
  private void addColumn(MemorySegment block, int at, float factor, int length) {
    if (factor != 0) {
      MemorySegment.copy(block, JAVA_FLOAT, at, column, 0, length);
      weigh(column, factor, v, length);
    }
  }

  /** From numbers of visits to indices of bases. */
  private static void selectBases(int[] classes, int[] ints, int length) {
    for (int i = 0; i < length; i++) {
      ints[i] = 2 * classes[i] + RobustValues.neverVisited(ints[i]);
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
}
