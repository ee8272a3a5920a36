package dev.rais.bench.sampler;

import dev.rais.bench.BenchException;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.AliasMethodDiscreteSampler;
import org.apache.commons.rng.sampling.distribution.SharedStateDiscreteSampler;

/** Steps of samplers whose tables cannot be updated: rebuilt from n values, then 128 draws. */
final class Rivals {
  private static final int DRAWS = 128;

  private Rivals() {}

  /** Walker's alias tables of Apache Commons RNG; nanoseconds of a step, median. */
  static double aliasNanos(int n, int repetitions) {
    SplittableRandom random = new SplittableRandom(1);
    UniformRandomProvider source = random::nextLong;
    double[] values = values(n);
    double[] nanos = new double[repetitions];
    long sum = 0;
    for (int r = -repetitions; r < repetitions; r++) {
      long start = System.nanoTime();
      SharedStateDiscreteSampler sampler = AliasMethodDiscreteSampler.of(source, values);
      for (int j = 0; j < DRAWS; j++) {
        sum += sampler.sample();
      }
      nanos[Math.max(r, 0)] = System.nanoTime() - start;
    }
    check(sum, n, repetitions);
    return StepTimes.median(nanos);
  }

  /** Prefix sums in doubles and binary search; nanoseconds of a step, median. */
  static double prefixNanos(int n, int repetitions) {
    SplittableRandom random = new SplittableRandom(1);
    double[] values = values(n);
    double[] prefix = new double[n];
    double[] nanos = new double[repetitions];
    long sum = 0;
    for (int r = -repetitions; r < repetitions; r++) {
      long start = System.nanoTime();
      double total = 0;
      for (int i = 0; i < n; i++) {
        total += values[i];
        prefix[i] = total;
      }
      for (int j = 0; j < DRAWS; j++) {
        int found = Arrays.binarySearch(prefix, random.nextDouble() * total);
        sum += found < 0 ? -found - 1 : found + 1;
      }
      nanos[Math.max(r, 0)] = System.nanoTime() - start;
    }
    check(sum, n, repetitions);
    return StepTimes.median(nanos);
  }

  private static double[] values(int n) {
    return new SplittableRandom(n).doubles(n, 0.1, 1.1).toArray();
  }

  /** Values are alike, so the mean of the draws must be near the middle. */
  private static void check(long sum, int n, int repetitions) {
    double mean = (double) sum / (2 * repetitions * DRAWS);
    if (!(mean > 0.3 * n && mean < 0.7 * n)) {
      throw new BenchException("a rival draws " + mean + " on average, which is not near " + n / 2);
    }
  }
}
