package dev.rais.kernels;

import dev.rais.reference.TreeReference;
import java.util.Arrays;

/** Sum trees to draw from, for the kernels that read one. */
final class Trees {
  /** Around one node, two levels, three; no power of 16 among many. */
  static final int[] SIZES = {1, 2, 13, 16, 17, 31, 32, 33, 127, 255, 256, 257, 1023, 1025, 4097};

  static final int LARGE = 70_001;

  /** How leaves are distributed. */
  enum Leaves {
    /** A third is 0, the others spread over many orders of magnitude. */
    SPREAD,
    EQUAL,
    /** All but one are 0. */
    SINGLE,
    /** Nearly the smallest and nearly the largest floats. */
    EXTREME
  }

  private Trees() {}

  static float[] leaves(Trial t, Leaves kind, int size) {
    float[] leaves = new float[size];
    int single = t.random().nextInt(size);
    for (int i = 0; i < size; i++) {
      float u = t.random().nextFloat();
      leaves[i] =
          switch (kind) {
            case SPREAD -> i % 3 == 1 ? 0 : u * u * u * u + 1e-6f;
            case EQUAL -> 0.37f;
            case SINGLE -> i == single ? u + 0.1f : 0;
            case EXTREME -> u < 0.5f ? Float.MIN_VALUE : 3e38f * u;
          };
    }
    return leaves;
  }

  /** A tree in memory that is only read. */
  record Tree(Operand leaves, Operand sums) {
    static Tree of(Trial t, float[] leaves) {
      return new Tree(
          t.input("leaves", TreeReference.padded(leaves)),
          t.input("sums", TreeReference.sums(leaves)));
    }
  }

  /**
   * Whether x lies in the part of [0, total) that belongs to a leaf, up to the rounding of sums: an
   * independent look at what the bits are compared for.
   */
  static boolean holds(float[] leaves, int index, double x) {
    double total = 0;
    double before = 0;
    for (int i = 0; i < leaves.length; i++) {
      before = i == index ? total : before;
      total += leaves[i];
    }
    double slack = 1e-12 * total;
    return leaves[index] > 0 && x >= before - slack && x <= before + leaves[index] + slack;
  }

  /** One leaf to retire, a positive one among several; -1 if that is not possible. */
  static int retirable(float[] leaves) {
    int first = -1;
    for (int i = 0; i < leaves.length; i++) {
      if (leaves[i] > 0 && first >= 0) {
        return i;
      }
      first = leaves[i] > 0 ? i : first;
    }
    return -1;
  }

  static float[] without(float[] leaves, int retired) {
    float[] others = leaves.clone();
    if (retired >= 0) {
      others[retired] = 0;
    }
    return others;
  }

  static float[] nans(int count) {
    float[] values = new float[count];
    Arrays.fill(values, Float.NaN);
    return values;
  }
}
