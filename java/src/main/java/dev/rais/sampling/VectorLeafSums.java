package dev.rais.sampling;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Sums of 16 leaves, a vector of them at a time, with the bits of {@link SumTree}'s own loop. Touch
 * this class through {@link VectorApi} alone: without the incubator module it cannot be linked.
 */
final class VectorLeafSums implements SumTree.LeafSums {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Double> DOUBLES = DoubleVector.SPECIES_PREFERRED;
  private static final VectorShuffle<Double> NEIGHBOURS =
      VectorShuffle.fromOp(DOUBLES, lane -> lane ^ 1);
  private static final VectorShuffle<Double> PAIRS =
      VectorShuffle.fromOp(DOUBLES, lane -> lane ^ 2);

  /** Turns an exponent of all ones, that of infinity and NaN, into a sign. */
  private static final int ONE_IN_EXPONENT = 0x00800000;

  /** Group sums, each four times. */
  private final double[] groups = new double[SumTree.FAN_OUT];

  @Override
  public boolean sum(float[] block, int nodes, double[] nodeSums) {
    IntVector signs = IntVector.zero(IntVector.SPECIES_PREFERRED);
    for (int node = 0; node < nodes; node++) {
      for (int i = 0; i < SumTree.FAN_OUT; i += FLOATS.length()) {
        FloatVector leaves = FloatVector.fromArray(FLOATS, block, node * SumTree.FAN_OUT + i);
        IntVector bits = leaves.reinterpretAsInts();
        signs = signs.or(bits).or(bits.add(ONE_IN_EXPONENT));
        addGroups(leaves, 0, i);
        addGroups(leaves, 1, i + DOUBLES.length());
      }
      nodeSums[node] = ((groups[0] + groups[4]) + groups[8]) + groups[12];
    }
    return signs.reduceLanes(VectorOperators.OR) >= 0;
  }

  private void addGroups(FloatVector leaves, int part, int at) {
    DoubleVector x = (DoubleVector) leaves.convert(VectorOperators.F2D, part);
    x = x.add(x.rearrange(NEIGHBOURS));
    x.add(x.rearrange(PAIRS)).intoArray(groups, at);
  }
}
