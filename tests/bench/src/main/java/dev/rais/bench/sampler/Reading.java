package dev.rais.bench.sampler;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.LongStream;

/** How fast memory can be read with all threads: what a pass over data cannot fall below. */
final class Reading {
  private static final int PIECES = 256;

  private Reading() {}

  /** Sums a segment as longs, in parallel. */
  static long sumOfLongs(MemorySegment memory) {
    long count = memory.byteSize() / (4 * Long.BYTES) * 4;
    return LongStream.range(0, PIECES)
        .parallel()
        .map(p -> longs(memory, bound(count, p), bound(count, p + 1)))
        .sum();
  }

  /** Sums a segment as floats in double precision, in parallel. */
  static double sumOfFloats(MemorySegment memory) {
    long count = memory.byteSize() / (8 * Float.BYTES) * 8;
    return LongStream.range(0, PIECES)
        .parallel()
        .mapToDouble(p -> floats(memory, bound(count, p), bound(count, p + 1)))
        .sum();
  }

  private static long bound(long count, long piece) {
    return count * piece / PIECES / 8 * 8;
  }

  // Several sums at once: one alone would wait for the latency of each addition.

  private static long longs(MemorySegment memory, long from, long to) {
    long a = 0;
    long b = 0;
    long c = 0;
    long d = 0;
    for (long i = from; i + 3 < to; i += 4) {
      a += memory.getAtIndex(ValueLayout.JAVA_LONG, i);
      b += memory.getAtIndex(ValueLayout.JAVA_LONG, i + 1);
      c += memory.getAtIndex(ValueLayout.JAVA_LONG, i + 2);
      d += memory.getAtIndex(ValueLayout.JAVA_LONG, i + 3);
    }
    return a + b + c + d;
  }

  private static double floats(MemorySegment memory, long from, long to) {
    double a = 0;
    double b = 0;
    double c = 0;
    double d = 0;
    double e = 0;
    double f = 0;
    double g = 0;
    double h = 0;
    for (long i = from; i + 7 < to; i += 8) {
      a += memory.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      b += memory.getAtIndex(ValueLayout.JAVA_FLOAT, i + 1);
      c += memory.getAtIndex(ValueLayout.JAVA_FLOAT, i + 2);
      d += memory.getAtIndex(ValueLayout.JAVA_FLOAT, i + 3);
      e += memory.getAtIndex(ValueLayout.JAVA_FLOAT, i + 4);
      f += memory.getAtIndex(ValueLayout.JAVA_FLOAT, i + 5);
      g += memory.getAtIndex(ValueLayout.JAVA_FLOAT, i + 6);
      h += memory.getAtIndex(ValueLayout.JAVA_FLOAT, i + 7);
    }
    return ((a + b) + (c + d)) + ((e + f) + (g + h));
  }
}
