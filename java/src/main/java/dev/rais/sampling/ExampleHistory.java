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

  private Arena arena = Arena.ofShared();
  private MemorySegment records;
  private int capacity;
  private long seen;

  ExampleHistory(int capacity) {
    this.capacity = capacity;
    records = arena.allocate((long) BYTES * capacity, 64);
  }

  /** Makes room for at least {@code size} examples, so that adding one costs O(1) on average. */
  void grow(int size) {
    if (size > capacity) {
      int larger = (int) Math.min(Integer.MAX_VALUE - 8L, 2L * size);
      Arena next = Arena.ofShared();
      MemorySegment copy = next.allocate((long) BYTES * larger, 64);
      copy.copyFrom(records);
      arena.close();
      arena = next;
      records = copy;
      capacity = larger;
    }
  }

  /** Share of {@code n} examples that were never visited. */
  double unseenShare(int n) {
    return (double) (n - seen) / n;
  }

  void save(SamplerState state) {
    state.put("history.seen", seen);
    state.put("history", records);
  }

  void load(SamplerState state, int size) {
    grow(size);
    MemorySegment saved = state.bytes("history");
    if (saved.byteSize() < (long) BYTES * size) {
      throw new IllegalArgumentException("the history of a state is too short");
    }
    grow((int) (saved.byteSize() / BYTES));
    records.fill((byte) 0);
    records.copyFrom(saved);
    seen = state.longs("history.seen", 1)[0];
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
