package dev.rais.sampling;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;

/**
 * Draws examples in proportion to changing values v_i: a tree of fan-out 16 whose leaves are the
 * values and whose inner nodes are sums (docs/algorithm.md section 7).
 *
 * <p>A draw or an update touches one node per level, whatever the number of examples is. Leaves are
 * floats; sums are doubles, because a float sum stops growing at 2^24 equal terms and examples
 * beyond it would never be drawn. The sum of a node is always the sum of its 16 children, in order,
 * and is computed anew when one of them changes, never incremented: the tree does not drift, and
 * its bits depend on its leaves alone, not on the history of updates or the number of threads.
 *
 * <p>Memory: off the Java heap, 4 bytes per leaf and 8/15 bytes per leaf of sums, about 4.6 bytes
 * per example, plus less than 2 KiB of padding. It is freed by {@link #close}; using the tree later
 * throws {@code IllegalStateException}.
 *
 * <p>Threads: any number may read while none writes.
 */
public final class SumTree implements AutoCloseable {
  private static final int FAN_OUT = 16;
  private static final int LOG_FAN_OUT = 4;
  private static final long CACHE_LINE_BYTES = 64;

  /** Nodes per parallel task: enough work to hide the cost of handing it out. */
  private static final long NODES_PER_TASK = 4096;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  /** The value of each leaf, for {@link SumTree#build(LeafValues)}. */
  @FunctionalInterface
  public interface LeafValues {
    /** The value of leaf {@code index}: finite, not negative. Called from several threads. */
    float at(long index);
  }

  private final long size;
  private final Arena arena = Arena.ofShared();

  /** [padded size] the values; padding is 0. */
  private final MemorySegment leaves;

  /** The sums of all levels, the one above the leaves first; padding is 0. */
  private final MemorySegment sums;

  /** [levels] where in {@code sums} each level starts, counted in doubles. */
  private final long[] levelOffset;

  /** [levels] nodes of each level, without padding; the last is 1, the root. */
  private final long[] levelNodes;

  private int[] touched = new int[0];

  /**
   * A tree of zeros.
   *
   * @param size number of leaves, at least 1
   * @throws IllegalArgumentException if {@code size} is not positive
   */
  public SumTree(long size) {
    if (size < 1) {
      throw new IllegalArgumentException("a sum tree needs at least 1 leaf, but got " + size);
    }
    this.size = size;
    int levels = 1;
    for (long nodes = parents(size); nodes > 1; nodes = parents(nodes)) {
      levels++;
    }
    levelOffset = new long[levels];
    levelNodes = new long[levels];
    long offset = 0;
    long nodes = size;
    for (int level = 0; level < levels; level++) {
      nodes = parents(nodes);
      levelNodes[level] = nodes;
      levelOffset[level] = offset;
      // Padding to whole nodes lets every loop below run over 16 children without a bound.
      offset += parents(nodes) * FAN_OUT;
    }
    try {
      leaves = arena.allocate(parents(size) * FAN_OUT * Float.BYTES, CACHE_LINE_BYTES);
      sums = arena.allocate(offset * Double.BYTES, CACHE_LINE_BYTES);
    } catch (Throwable e) {
      arena.close();
      throw e;
    }
  }

  /** Number of leaves. */
  public long size() {
    return size;
  }

  /** The sum of all leaves, as of the last {@code build}, {@code set} or {@code update}. */
  public double total() {
    return sums.getAtIndex(DOUBLE, levelOffset[levelOffset.length - 1]);
  }

  /**
   * The value of one leaf.
   *
   * @throws IndexOutOfBoundsException if {@code index} is not in [0, size)
   */
  public float get(long index) {
    checkIndex(index);
    return leaves.getAtIndex(FLOAT, index);
  }

  /**
   * Sets one leaf and the sums above it.
   *
   * @throws IndexOutOfBoundsException if {@code index} is not in [0, size)
   * @throws IllegalArgumentException if {@code value} is negative or not finite; the tree is then
   *     unchanged
   */
  public void set(long index, float value) {
    checkIndex(index);
    checkValue(index, value);
    leaves.setAtIndex(FLOAT, index, value);
    long node = index;
    for (int level = 0; level < levelNodes.length; level++) {
      node >>>= LOG_FAN_OUT;
      recompute(level, node);
    }
  }

  /**
   * Sets several leaves, then every sum above them once. Where an index is repeated, its last value
   * holds.
   *
   * @param indices [at least count] which leaves
   * @param values [at least count] their values
   * @param count how many entries of the arrays to use
   * @throws IndexOutOfBoundsException if an index is not in [0, size) or an array is too short; the
   *     tree is then unchanged
   * @throws IllegalArgumentException if a value is negative or not finite; the tree is then
   *     unchanged
   */
  public void update(int[] indices, float[] values, int count) {
    if (count < 0 || count > indices.length || count > values.length) {
      throw new IndexOutOfBoundsException(
          "count is %d, but there are %d indices and %d values"
              .formatted(count, indices.length, values.length));
    }
    for (int j = 0; j < count; j++) {
      checkIndex(indices[j]);
      checkValue(indices[j], values[j]);
    }
    if (touched.length < count) {
      touched = new int[count];
    }
    for (int j = 0; j < count; j++) {
      leaves.setAtIndex(FLOAT, indices[j], values[j]);
      touched[j] = indices[j];
    }
    // Sorted leaves have sorted parents, so that shared ancestors are neighbours at every level.
    Arrays.sort(touched, 0, count);
    int remaining = count;
    for (int level = 0; level < levelNodes.length; level++) {
      int distinct = 0;
      int last = -1;
      for (int j = 0; j < remaining; j++) {
        int node = touched[j] >>> LOG_FAN_OUT;
        if (node != last) {
          recompute(level, node);
          touched[distinct++] = node;
          last = node;
        }
      }
      remaining = distinct;
    }
  }

  /**
   * Sets every leaf, then every sum, in parallel. The result does not depend on the number of
   * threads.
   *
   * @param values the value of each leaf
   * @throws IllegalArgumentException if a value is negative or not finite; all leaves are then 0
   */
  public void build(LeafValues values) {
    build(values, true);
  }

  void build(LeafValues values, boolean parallel) {
    try {
      forRanges(
          size,
          parallel,
          (from, to) -> {
            for (long i = from; i < to; i++) {
              float value = values.at(i);
              checkValue(i, value);
              leaves.setAtIndex(FLOAT, i, value);
            }
          });
    } catch (Throwable e) {
      // Half-written leaves under old sums would draw wrongly and silently; an empty tree refuses.
      leaves.fill((byte) 0);
      sums.fill((byte) 0);
      throw e;
    }
    for (int level = 0; level < levelNodes.length; level++) {
      int l = level;
      forRanges(
          levelNodes[l],
          parallel,
          (from, to) -> {
            for (long node = from; node < to; node++) {
              recompute(l, node);
            }
          });
    }
  }

  /**
   * The leaf i with v_0 + ... + v_{i-1} ≤ x &lt; v_0 + ... + v_i, up to the rounding of the sums.
   *
   * <p>Whatever the rounding: the result never has value 0, and it never decreases as {@code x}
   * grows. An {@code x} at or beyond {@link #total} gives the last leaf that is not 0.
   *
   * @param x position in [0, total)
   * @throws IllegalArgumentException if {@code x} is negative or NaN
   * @throws IllegalStateException if all leaves are 0
   */
  public long find(double x) {
    if (!(x >= 0)) {
      throw new IllegalArgumentException("position must be at least 0, but is " + x);
    }
    double total = total();
    if (!(total > 0)) {
      throw new IllegalStateException("nothing to draw: all " + size + " leaves are 0");
    }
    if (x >= total) {
      x = Double.POSITIVE_INFINITY; // else rounding below could end before the last leaf
    }
    long node = 0;
    for (int level = levelNodes.length - 2; level >= 0; level--) {
      long first = levelOffset[level] + node * FAN_OUT;
      int child = 0;
      int lastPositive = 0;
      for (; child < FAN_OUT; child++) {
        double sum = sums.getAtIndex(DOUBLE, first + child);
        // x >= 0 always holds here, so x < sum implies sum > 0.
        if (x < sum) {
          break;
        }
        x -= sum;
        if (sum > 0) {
          lastPositive = child;
        }
      }
      if (child == FAN_OUT) {
        // Rounding carried x past the end: keep right all the way down. The infinity keeps the
        // result monotone in x: nothing below may bring this x in front of a smaller one.
        child = lastPositive;
        x = Double.POSITIVE_INFINITY;
      }
      node = node * FAN_OUT + child;
    }
    long first = node * FAN_OUT;
    int lastPositive = 0;
    for (int child = 0; child < FAN_OUT; child++) {
      double value = leaves.getAtIndex(FLOAT, first + child);
      if (x < value) {
        return first + child;
      }
      x -= value;
      if (value > 0) {
        lastPositive = child;
      }
    }
    return first + lastPositive;
  }

  /** A hash of the bits of every sum, for tests that compare whole trees. */
  long sumsChecksum() {
    long hash = 0;
    for (long i = 0; i < sums.byteSize() / Double.BYTES; i++) {
      hash = 31 * hash + Double.doubleToRawLongBits(sums.getAtIndex(DOUBLE, i));
    }
    return hash;
  }

  /** Frees the memory. Closing again does nothing. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  private void recompute(int level, long node) {
    double sum = 0;
    long first = node * FAN_OUT;
    if (level == 0) {
      for (int child = 0; child < FAN_OUT; child++) {
        sum += leaves.getAtIndex(FLOAT, first + child);
      }
    } else {
      first += levelOffset[level - 1];
      for (int child = 0; child < FAN_OUT; child++) {
        sum += sums.getAtIndex(DOUBLE, first + child);
      }
    }
    sums.setAtIndex(DOUBLE, levelOffset[level] + node, sum);
  }

  private void checkIndex(long index) {
    if (index < 0 || index >= size) {
      throw new IndexOutOfBoundsException("leaf " + index + " is not in [0, " + size + ")");
    }
  }

  private static void checkValue(long index, float value) {
    // Written so that NaN fails too. -0.0 passes and acts as 0.
    if (!(value >= 0 && value <= Float.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "leaf " + index + " must be finite and not negative, but is " + value);
    }
  }

  private static long parents(long nodes) {
    return (nodes + FAN_OUT - 1) >>> LOG_FAN_OUT;
  }

  @FunctionalInterface
  private interface Range {
    void run(long from, long to);
  }

  private static void forRanges(long count, boolean parallel, Range range) {
    if (!parallel || count <= NODES_PER_TASK) {
      range.run(0, count);
      return;
    }
    // A failure is kept until every task has ended: a parallel stream would pass it on while other
    // tasks still write. The first range's failure wins, so that the message repeats too.
    AtomicReference<Failure> failure = new AtomicReference<>();
    LongStream.range(0, (count + NODES_PER_TASK - 1) / NODES_PER_TASK)
        .parallel()
        .forEach(
            task -> {
              try {
                range.run(task * NODES_PER_TASK, Math.min(count, (task + 1) * NODES_PER_TASK));
              } catch (RuntimeException | Error e) {
                failure.accumulateAndGet(
                    new Failure(task, e), (a, b) -> a != null && a.task < b.task ? a : b);
              }
            });
    if (failure.get() != null) {
      switch (failure.get().cause) {
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        case Throwable e -> throw new AssertionError(e);
      }
    }
  }

  private record Failure(long task, Throwable cause) {}
}
