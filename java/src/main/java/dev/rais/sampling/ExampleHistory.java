package dev.rais.sampling;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What is remembered of every example's gradient norm, and the features s_i made from it
 * (docs/algorithm.md §3). Off the Java heap, 16 bytes per example, one example's values side by
 * side, so that a visit touches one cache line.
 */
final class ExampleHistory implements AutoCloseable {
  /** Features of an example: d_R. */
  static final int FEATURES = 6;

  static final int MEAN = 0;
  static final int CLASS_MEAN = 1;
  static final int LAST = 2;
  static final int PREVIOUS = 3;
  static final int AVERAGE = 4;
  static final int NEVER_SEEN = 5;

  private static final int BYTES = 16;
  private static final int PREVIOUS_AT = 4;
  private static final int AVERAGE_AT = 8;
  private static final int VISITS_AT = 12;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment records;
  private final int n;
  private long seen;

  ExampleHistory(int n) {
    this.n = n;
    records = arena.allocate((long) BYTES * n, 64);
  }

  /** Share of examples that were never visited. */
  double unseenShare() {
    return (double) (n - seen) / n;
  }

  int visits(int index) {
    return records.get(JAVA_INT, (long) index * BYTES + VISITS_AT);
  }

  /** Norm seen last; 0 before the first visit. */
  float last(int index) {
    return records.get(JAVA_FLOAT, (long) index * BYTES);
  }

  /** Takes in the norm of one visit. */
  void visit(int index, float norm) {
    long at = (long) index * BYTES;
    int visits = records.get(JAVA_INT, at + VISITS_AT);
    float last = records.get(JAVA_FLOAT, at);
    float average = records.get(JAVA_FLOAT, at + AVERAGE_AT);
    records.set(JAVA_FLOAT, at + PREVIOUS_AT, visits == 0 ? norm : last);
    records.set(JAVA_FLOAT, at, norm);
    records.set(JAVA_FLOAT, at + AVERAGE_AT, visits == 0 ? norm : 0.5f * (average + norm));
    records.set(JAVA_INT, at + VISITS_AT, visits + 1);
    if (visits == 0) {
      seen++;
    }
  }

  /**
   * Writes the features of an example.
   *
   * @param mean ḡ
   * @param classMean mean norm of the example's class
   * @param out receives {@link #FEATURES} values from {@code from} on
   */
  void features(int index, float mean, float classMean, float[] out, int from) {
    long at = (long) index * BYTES;
    int visits = records.get(JAVA_INT, at + VISITS_AT);
    out[from + MEAN] = mean;
    out[from + CLASS_MEAN] = classMean;
    if (visits == 0) {
      out[from + LAST] = classMean;
      out[from + PREVIOUS] = classMean;
      out[from + AVERAGE] = classMean;
      out[from + NEVER_SEEN] = classMean;
    } else {
      out[from + LAST] = records.get(JAVA_FLOAT, at);
      out[from + PREVIOUS] = records.get(JAVA_FLOAT, at + PREVIOUS_AT);
      out[from + AVERAGE] = records.get(JAVA_FLOAT, at + AVERAGE_AT);
      out[from + NEVER_SEEN] = 0;
    }
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
