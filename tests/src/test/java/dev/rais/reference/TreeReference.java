package dev.rais.reference;

import java.util.Arrays;

/**
 * The sum tree straight from its definition (docs/algorithm.md section 7, {@code rais_kernels.h}):
 * every node is the sum of its 16 children, ((g0 + g1) + g2) + g3 with g = (a + b) + (c + d) over
 * four neighbours. Sums lie level above level, the lowest first, each padded with zeros to a
 * multiple of 16 nodes.
 */
public final class TreeReference {
  private static final int FAN_OUT = 16;

  private TreeReference() {}

  /** Leaves with their padding. */
  public static float[] padded(float[] leaves) {
    return Arrays.copyOf(leaves, Math.ceilDiv(leaves.length, FAN_OUT) * FAN_OUT);
  }

  /** All sums, padding included; the last level's first is the root. */
  public static double[] sums(float[] leaves) {
    double[] below = new double[padded(leaves).length];
    for (int i = 0; i < leaves.length; i++) {
      below[i] = leaves[i];
    }
    double[] all = new double[0];
    while (true) {
      int nodes = below.length / FAN_OUT;
      double[] level = new double[Math.ceilDiv(nodes, FAN_OUT) * FAN_OUT];
      for (int node = 0; node < nodes; node++) {
        level[node] = sum(below, node * FAN_OUT);
      }
      int end = all.length;
      all = Arrays.copyOf(all, end + level.length);
      System.arraycopy(level, 0, all, end, level.length);
      if (nodes == 1) {
        return all;
      }
      below = level;
    }
  }

  private static double sum(double[] values, int first) {
    double[] groups = new double[FAN_OUT / 4];
    for (int g = 0; g < groups.length; g++) {
      int i = first + 4 * g;
      groups[g] = (values[i] + values[i + 1]) + (values[i + 2] + values[i + 3]);
    }
    return ((groups[0] + groups[1]) + groups[2]) + groups[3];
  }

  /** Where among the sums the root is. */
  public static int root(int size) {
    return sums(new float[size]).length - FAN_OUT;
  }
}
