package dev.rais.sampling;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What is remembered of every example's gradient norm, and the features s_i made from it
 * (docs/algorithm.md §3). Off the Java heap, 16 bytes per example.
 *
 * <p>Examples lie in blocks of 1024: their last norms, then the norms before, the averages and the
 * visits. So a pass over all examples runs over columns, which the compiler turns into vector
 * instructions, and a visit touches four cache lines at known distances.
 *
 * <p>The sums over all examples are kept up to date, exactly, so that the mean features s̄ take no
 * pass over the data.
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

  /** Examples per block. */
  static final int BLOCK = 1024;

  /** From one column of a block to the next. */
  private static final int COLUMN_BYTES = BLOCK * Float.BYTES;

  // Where in a block the columns begin.
  static final int LAST_AT = 0;
  static final int PREVIOUS_AT = COLUMN_BYTES;
  static final int AVERAGE_AT = 2 * COLUMN_BYTES;
  static final int VISITS_AT = 3 * COLUMN_BYTES;
  private static final long BLOCK_BYTES = 4 * COLUMN_BYTES;

  private Arena arena = Arena.ofShared();
  private MemorySegment records;
  private int n;
  private int retired;
  private long seen;
  private final ExactSum sumOfLast = new ExactSum();
  private final ExactSum sumOfPrevious = new ExactSum();
  private final ExactSum sumOfAverage = new ExactSum();

  ExampleHistory(int n) {
    this.n = n;
    records = arena.allocate(bytes(n), BLOCK_BYTES);
  }

  private static long bytes(long examples) {
    return (examples + BLOCK - 1) / BLOCK * BLOCK_BYTES;
  }

  /** Where an example's last norm lies. */
  private static long at(int index) {
    return index / BLOCK * BLOCK_BYTES + index % BLOCK * Float.BYTES;
  }

  /**
   * Makes room for more examples, which were never visited. O(n) where memory has to move, which it
   * does seldom enough that growing by one at a time costs O(1) each.
   *
   * @param newN number of examples, at least the present one
   */
  void grow(int newN) {
    if (newN < n) {
      throw new IllegalArgumentException(
          "a history of %d examples cannot shrink to %d".formatted(n, newN));
    }
    if (bytes(newN) > records.byteSize()) {
      long capacity = Math.max(newN, Math.min(Integer.MAX_VALUE, n + n / 2L));
      Arena larger = Arena.ofShared();
      try {
        MemorySegment moved = larger.allocate(bytes(capacity), BLOCK_BYTES);
        MemorySegment.copy(records, 0, moved, 0, bytes(n));
        records = moved;
      } catch (Throwable e) {
        larger.close();
        throw e;
      }
      arena.close();
      arena = larger;
    }
    n = newN;
  }

  /** Bytes allocated off the Java heap. */
  long offHeapBytes() {
    return records.byteSize();
  }

  /** Share of the active examples that were never visited. */
  double unseenShare() {
    return (double) (n - retired - seen) / (n - retired);
  }

  /** Leaves an example out of the sums; what is remembered of it stays. Once for each. */
  void retire(int index) {
    retired++;
    sumOfLast.replace(last(index), 0);
    sumOfPrevious.replace(previous(index), 0);
    sumOfAverage.replace(average(index), 0);
    if (visits(index) > 0) {
      seen--;
    }
  }

  void save(SamplerState state) {
    state.put("history", records.asSlice(0, bytes(n)));
  }

  /** Takes over a state; the sums follow from it. */
  void load(SamplerState state, Population population) {
    MemorySegment saved = state.bytes("history");
    int size = population.size();
    if (saved.byteSize() != bytes(size)) {
      throw new IllegalArgumentException(
          "the history of %d examples takes %d bytes, not %d"
              .formatted(size, bytes(size), saved.byteSize()));
    }
    n = Math.min(n, size);
    grow(size);
    records.fill((byte) 0);
    MemorySegment.copy(saved, 0, records, 0, saved.byteSize());
    seen = 0;
    retired = size - population.active();
    sumOfLast.clear();
    sumOfPrevious.clear();
    sumOfAverage.clear();
    for (int i = 0; i < size; i++) {
      if (population.isActive(i)) {
        sumOfLast.replace(0, last(i));
        sumOfPrevious.replace(0, previous(i));
        sumOfAverage.replace(0, average(i));
        seen += visits(i) > 0 ? 1 : 0;
      }
    }
  }

  int visits(int index) {
    return records.get(JAVA_INT, at(index) + VISITS_AT);
  }

  /** Norm seen last; 0 before the first visit. */
  float last(int index) {
    return records.get(JAVA_FLOAT, at(index));
  }

  /** Norm seen before the last one; 0 before the first visit. */
  float previous(int index) {
    return records.get(JAVA_FLOAT, at(index) + PREVIOUS_AT);
  }

  /** Moving average of the norms; 0 before the first visit. */
  float average(int index) {
    return records.get(JAVA_FLOAT, at(index) + AVERAGE_AT);
  }

  /**
   * Takes in the norm of one visit.
   *
   * @return whether it was the first visit
   */
  boolean visit(int index, float observed) {
    float norm = observed + 0f; // makes a -0 a 0, whose sign would be taken for a negative norm's
    long at = at(index);
    int visits = records.get(JAVA_INT, at + VISITS_AT);
    float last = records.get(JAVA_FLOAT, at);
    float previous = records.get(JAVA_FLOAT, at + PREVIOUS_AT);
    float average = records.get(JAVA_FLOAT, at + AVERAGE_AT);
    float newPrevious = visits == 0 ? norm : last;
    float newAverage = visits == 0 ? norm : 0.5f * (average + norm);
    records.set(JAVA_FLOAT, at, norm);
    records.set(JAVA_FLOAT, at + PREVIOUS_AT, newPrevious);
    records.set(JAVA_FLOAT, at + AVERAGE_AT, newAverage);
    records.set(JAVA_INT, at + VISITS_AT, visits + 1);
    sumOfLast.replace(last, norm);
    sumOfPrevious.replace(previous, newPrevious);
    sumOfAverage.replace(average, newAverage);
    if (visits == 0) {
      seen++;
    }
    return visits == 0;
  }

  /**
   * s̄: the mean features of the active examples, as {@link #features} gives them.
   *
   * @param classes counts of the same examples
   * @param means what features are made from
   * @return [{@link #FEATURES}]
   */
  double[] meanFeatures(ClassMeans classes, FrozenMeans means) {
    double neverSeen = classes.neverSeenMean(means);
    int active = n - retired;
    double[] mean = new double[FEATURES];
    mean[MEAN] = means.mean();
    mean[CLASS_MEAN] = classes.meanOfClassMeans(means);
    mean[LAST] = sumOfLast.value() / active + neverSeen;
    mean[PREVIOUS] = sumOfPrevious.value() / active + neverSeen;
    mean[AVERAGE] = sumOfAverage.value() / active + neverSeen;
    mean[NEVER_SEEN] = neverSeen;
    return mean;
  }

  /** Whether every active example was visited, so that no visits need to be looked at. */
  boolean allVisited() {
    return seen == n - retired;
  }

  /**
   * A block: four columns of {@link #BLOCK} floats or ints, all 0 for examples never visited and
   * behind the last example.
   *
   * @param first the first example, a multiple of {@link #BLOCK}
   */
  MemorySegment block(int first) {
    return records.asSlice(at(first), BLOCK_BYTES);
  }

  /**
   * Writes the features of several examples.
   *
   * @param labels [n] class of each example
   * @param means what features are made from
   * @param features receives count · {@link #FEATURES} values
   */
  void features(int[] indices, int count, int[] labels, FrozenMeans means, float[] features) {
    // On large sets nearly every value is a cache miss. This short loop starts those of all
    // examples, where the longer one below would wait for them one after the other.
    int bits = 0;
    for (int j = 0; j < count; j++) {
      long at = at(indices[j]);
      bits |= records.get(JAVA_INT, at) | records.get(JAVA_INT, at + PREVIOUS_AT);
      bits |= records.get(JAVA_INT, at + AVERAGE_AT) | records.get(JAVA_INT, at + VISITS_AT);
      bits |= labels[indices[j]];
    }
    if (bits < 0) {
      throw new AssertionError("a norm is negative"); // uses what was read, so that it is read
    }
    for (int j = 0; j < count; j++) {
      int i = indices[j];
      features(i, means.mean(), means.ofClass()[labels[i]], features, j * FEATURES);
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
    long at = at(index);
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
