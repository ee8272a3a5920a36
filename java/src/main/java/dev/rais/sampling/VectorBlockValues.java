package dev.rais.sampling;

import static dev.rais.sampling.ExampleHistory.AVERAGE_AT;
import static dev.rais.sampling.ExampleHistory.BLOCK;
import static dev.rais.sampling.ExampleHistory.LAST_AT;
import static dev.rais.sampling.ExampleHistory.PREVIOUS_AT;
import static dev.rais.sampling.ExampleHistory.VISITS_AT;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The columns read where they lie, all in one loop, so that the processor waits for one while it
 * computes with another: at 10^8 examples little slower than only reading them. Touch this class
 * through {@link VectorApi} alone: without the incubator module it cannot be linked.
 */
final class VectorBlockValues implements BlockValues {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
  private static final ByteOrder NATIVE = ByteOrder.nativeOrder();

  static final int LANES = FLOATS.length();

  private final RobustValues.Terms terms;
  private final ExampleHistory history;
  private final int[] labels;

  /** [LANES] bits of the bases of each class's visited examples; null if classes are more. */
  private final int[] visitedBases;

  /** [LANES] the same of those never visited. */
  private final int[] unvisitedBases;

  private final int[] indices = new int[LANES];

  VectorBlockValues(RobustValues.Terms terms, ExampleHistory history, int[] labels) {
    this.terms = terms;
    this.history = history;
    this.labels = labels;
    int classes = terms.bases().length / 2;
    visitedBases = classes <= LANES ? new int[LANES] : null;
    unvisitedBases = classes <= LANES ? new int[LANES] : null;
    for (int k = 0; k < classes && classes <= LANES; k++) {
      visitedBases[k] = Float.floatToRawIntBits(terms.bases()[2 * k]);
      unvisitedBases[k] = Float.floatToRawIntBits(terms.bases()[2 * k + 1]);
    }
  }

  @Override
  public int fill(int first, int length, float[] values, int to) {
    if (length < BLOCK) {
      return new ArrayBlockValues(terms, history, labels).fill(first, length, values, to);
    }
    MemorySegment block = history.block(first);
    if (visitedBases != null) {
      lookUp(block, first, values, to);
    } else {
      gather(block, first, values, to);
    }
    return addColumns(block, values, to);
  }

  /** Bases of so few classes that they lie in a register. */
  private void lookUp(MemorySegment block, int first, float[] values, int to) {
    boolean allVisited = history.allVisited();
    IntVector ofVisited = IntVector.fromArray(INTS, visitedBases, 0);
    IntVector ofUnvisited = IntVector.fromArray(INTS, unvisitedBases, 0);
    for (int i = 0; i < BLOCK; i += LANES) {
      IntVector classes = IntVector.fromArray(INTS, labels, first + i);
      IntVector base = classes.selectFrom(ofVisited);
      if (!allVisited) {
        base = base.blend(classes.selectFrom(ofUnvisited), neverVisited(block, i));
      }
      base.reinterpretAsFloats().intoArray(values, to + i);
    }
  }

  private void gather(MemorySegment block, int first, float[] values, int to) {
    boolean allVisited = history.allVisited();
    float[] bases = terms.bases();
    for (int i = 0; i < BLOCK; i += LANES) {
      IntVector index = IntVector.fromArray(INTS, labels, first + i).mul(2);
      if (!allVisited) {
        index = index.add(1, neverVisited(block, i));
      }
      index.intoArray(indices, 0);
      FloatVector.fromArray(FLOATS, bases, 0, indices, 0).intoArray(values, to + i);
    }
  }

  private static VectorMask<Integer> neverVisited(MemorySegment block, int i) {
    return IntVector.fromMemorySegment(INTS, block, VISITS_AT + 4L * i, NATIVE)
        .compare(VectorOperators.EQ, 0);
  }

  /** From bases to values; a column whose factor is 0 is not read. */
  private int addColumns(MemorySegment block, float[] values, int to) {
    float last = terms.last();
    float previous = terms.previous();
    float average = terms.average();
    FloatVector floor = FloatVector.broadcast(FLOATS, terms.floor());
    int raised = 0;
    for (int i = 0; i < BLOCK; i += LANES) {
      FloatVector v = FloatVector.fromArray(FLOATS, values, to + i);
      if (last != 0) {
        v = v.add(column(block, LAST_AT, i).mul(last));
      }
      if (previous != 0) {
        v = v.add(column(block, PREVIOUS_AT, i).mul(previous));
      }
      if (average != 0) {
        v = v.add(column(block, AVERAGE_AT, i).mul(average));
      }
      VectorMask<Float> low = v.compare(VectorOperators.LT, floor);
      raised += low.trueCount();
      v.blend(floor, low).intoArray(values, to + i);
    }
    return raised;
  }

  private static FloatVector column(MemorySegment block, int at, int i) {
    return FloatVector.fromMemorySegment(FLOATS, block, at + 4L * i, NATIVE);
  }
}
