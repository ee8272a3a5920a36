package dev.rais.bench.sampler;

import dev.rais.bench.BenchException;
import dev.rais.sampling.SumTree;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** All sums of a tree from its leaves, against only adding up as many floats. */
final class Rebuild {
  private Rebuild() {}

  /** Time over time, medians. */
  static double overSum(int n, int repetitions) {
    double[] rebuilds = new double[repetitions];
    double[] sums = new double[repetitions];
    try (SumTree tree = new SumTree(n);
        Arena arena = Arena.ofShared()) {
      MemorySegment floats = arena.allocate(Math.ceilDiv(n, 8) * 32L, 64);
      for (int i = 0; i < n; i++) {
        floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1 + (i & 3));
      }
      tree.build(i -> 1 + (i & 3));
      for (int r = -5; r < repetitions; r++) {
        long start = System.nanoTime();
        tree.rebuild();
        long between = System.nanoTime();
        double sum = Reading.sumOfFloats(floats);
        long end = System.nanoTime();
        if (sum != tree.total()) {
          throw new BenchException("the tree's total is " + tree.total() + ", not " + sum);
        }
        if (r >= 0) {
          rebuilds[r] = between - start;
          sums[r] = end - between;
        }
      }
    }
    return StepTimes.median(rebuilds) / StepTimes.median(sums);
  }
}
