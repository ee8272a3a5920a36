package dev.rais.sampling;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.stream.LongStream;

/**
 * Draws examples in proportion to changing values v_i: a tree of fan-out 16 whose leaves are the
 * values and whose inner nodes are sums (docs/algorithm.md section 7).
 *
 * <p>A draw or an update touches one node per level, whatever the number of examples is. Leaves are
 * floats; sums are doubles, because a float sum stops growing at 2^24 equal terms and examples
 * beyond it would never be drawn. The sum of a node is always ((g_0 + g_1) + g_2) + g_3 over its
 * groups of four children, g = (a + b) + (c + d), and is computed anew when one of them changes,
 * never incremented: the tree does not drift, and its bits depend on its leaves alone, not on the
 * history of updates or the number of threads.
 *
 * <p>On large trees the time goes into cache misses. So several draws or updates at once go through
 * the tree level by level: first a short loop touches the nodes of all, so that their misses are
 * under way together, then they are searched without branches that depend on values.
 *
 * <p>Memory: off the Java heap, 4 bytes per leaf and 8/15 bytes per leaf of sums, about 4.6 bytes
 * per example, plus less than 2 KiB of padding. It is freed by {@link #close}; using the tree later
 * throws {@code IllegalStateException}.
 *
 * <p>Threads: any number may read while none writes.
 */
public final class SumTree implements AutoCloseable {
  static final int FAN_OUT = 16;
  private static final int LOG_FAN_OUT = 4;
  private static final int GROUP = 4;
  private static final long CACHE_LINE_BYTES = 64;

  /** Levels of sums that lie within one block of leaves. */
  private static final int LEVELS_PER_BLOCK = 3;

  /** Leaves that a build fills at once: those below one node of that level. They fit a cache. */
  private static final int BLOCK = 1 << LOG_FAN_OUT * LEVELS_PER_BLOCK;

  /** Blocks per parallel task: enough work to hide the cost of handing it out. */
  private static final int BLOCKS_PER_TASK = 16;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;

  /** The value of each leaf, for {@link SumTree#build(LeafValues)}. */
  @FunctionalInterface
  public interface LeafValues {
    /** The value of leaf {@code index}: finite, not negative. Called from several threads. */
    float at(long index);
  }

  /** The values of a range of leaves, for {@link SumTree#build(Supplier)}. */
  @FunctionalInterface
  public interface LeafBlock {
    /**
     * Writes the values of leaves [from, from + count).
     *
     * @param from the first leaf, a multiple of 4096
     * @param count how many, at most {@code values.length}
     * @param values receives the values, finite and not negative, from index 0 on
     */
    void fill(long from, int count, float[] values);
  }

  /** The sums of 16 leaves each of a block: written twice, both give the same bits. */
  interface LeafSums {
    /**
     * Adds the leaves up.
     *
     * @param block [16 nodes] leaves
     * @param nodeSums receives the sums
     * @return whether every leaf is finite and has no sign; false for -0 too
     */
    boolean sum(float[] block, int nodes, double[] nodeSums);
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

  /**
   * A larger tree: its first leaves are these, the others 0, which is never drawn. So a set that
   * grows may allocate ahead. O(size); this tree stays as it is.
   *
   * @param newSize number of leaves, at least {@link #size}
   * @throws IllegalArgumentException if {@code newSize} is smaller
   */
  public SumTree grownTo(long newSize) {
    if (newSize < size) {
      throw new IllegalArgumentException(
          "a sum tree of %d leaves cannot grow to %d".formatted(size, newSize));
    }
    SumTree grown = new SumTree(newSize);
    try {
      MemorySegment.copy(leaves, 0, grown.leaves, 0, size * Float.BYTES);
      grown.rebuild();
      return grown;
    } catch (Throwable e) {
      grown.close();
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
    leaves.setAtIndex(FLOAT, index, unsigned(value));
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
    for (int j = 0; j < count; j++) {
      leaves.setAtIndex(FLOAT, indices[j], unsigned(values[j]));
    }
    for (int level = 0; level < levelNodes.length; level++) {
      if (levelNodes[level] <= count) {
        recompute(level, 0, levelNodes[level]);
      } else {
        // Some nodes twice or more: cheaper than to sort the indices for it.
        int shift = LOG_FAN_OUT * (level + 1);
        touch(level - 1, indices, shift, count);
        for (int j = 0; j < count; j++) {
          recompute(level, indices[j] >>> shift);
        }
      }
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
    LeafBlock blocks =
        (from, count, block) -> {
          for (int i = 0; i < count; i++) {
            block[i] = values.at(from + i);
          }
        };
    build(() -> blocks, parallel);
  }

  /**
   * Sets every leaf, block by block, and every sum, in parallel and in one pass. The result does
   * not depend on the number of threads.
   *
   * @param values gives one filler to each of many tasks, which may keep scratch space of its own;
   *     called from several threads
   * @throws IllegalArgumentException if a value is negative or not finite; all leaves are then 0
   */
  public void build(Supplier<LeafBlock> values) {
    build(values, true);
  }

  void build(Supplier<LeafBlock> values, boolean parallel) {
    try {
      forTasks(parallel, (from, to) -> buildRange(values.get(), from, to));
    } catch (Throwable e) {
      // Half-written leaves under old sums would draw wrongly and silently; an empty tree refuses.
      leaves.fill((byte) 0);
      sums.fill((byte) 0);
      throw e;
    }
    recomputeAboveBlocks();
  }

  /** Computes every sum anew from the leaves, in parallel; gives the same bits. */
  public void rebuild() {
    forTasks(true, this::rebuildRange);
    recomputeAboveBlocks();
  }

  // Small methods, called once a block: C2 compiles each well, and as a whole.

  /** Leaves [from, to), which begin at a block, and the sums up to those of whole blocks. */
  private void buildRange(LeafBlock values, long from, long to) {
    float[] block = new float[BLOCK];
    Sums sums = new Sums();
    for (long first = from; first < to; first += BLOCK) {
      int count = (int) Math.min(BLOCK, to - first);
      values.fill(first, count, block);
      sums.of(first, count, block);
      MemorySegment.copy(block, 0, leaves, FLOAT, first * Float.BYTES, count);
    }
  }

  private void rebuildRange(long from, long to) {
    float[] block = new float[BLOCK];
    Sums sums = new Sums();
    for (long first = from; first < to; first += BLOCK) {
      int count = (int) Math.min(BLOCK, to - first);
      MemorySegment.copy(leaves, FLOAT, first * Float.BYTES, block, 0, count);
      sums.of(first, count, block);
    }
  }

  /** All sums over a block of leaves, on one thread. */
  private final class Sums {
    private final LeafSums leafSums =
        VectorApi.pays(size) ? new VectorLeafSums() : new ArrayLeafSums();
    private final double[] scratch = new double[BLOCK / FAN_OUT];

    void of(long first, int count, float[] block) {
      int nodes = (int) parents(count);
      Arrays.fill(block, count, nodes * FAN_OUT, 0);
      if (!leafSums.sum(block, nodes, scratch)) {
        for (int i = 0; i < count; i++) {
          checkValue(first + i, block[i]);
          block[i] = unsigned(block[i]);
        }
        leafSums.sum(block, nodes, scratch);
      }
      long node = first / FAN_OUT;
      copyToLevel(0, node, nodes, scratch);
      for (int level = 1; level < LEVELS_PER_BLOCK && level < levelNodes.length; level++) {
        int parents = (int) parents(nodes);
        Arrays.fill(scratch, nodes, parents * FAN_OUT, 0);
        sumNodes(scratch, parents);
        node /= FAN_OUT;
        copyToLevel(level, node, parents, scratch);
        nodes = parents;
      }
    }
  }

  private void copyToLevel(int level, long node, int count, double[] from) {
    MemorySegment.copy(from, 0, sums, DOUBLE, (levelOffset[level] + node) * Double.BYTES, count);
  }

  /** For every JVM; C2 turns the check into vector instructions, the sums stay single ones. */
  static final class ArrayLeafSums implements LeafSums {
    private final int[] bits = new int[BLOCK];

    @Override
    public boolean sum(float[] block, int nodes, double[] nodeSums) {
      for (int node = 0; node < nodes; node++) {
        int i = node * FAN_OUT;
        double g0 = ((double) block[i] + block[i + 1]) + ((double) block[i + 2] + block[i + 3]);
        double g1 = ((double) block[i + 4] + block[i + 5]) + ((double) block[i + 6] + block[i + 7]);
        double g2 =
            ((double) block[i + 8] + block[i + 9]) + ((double) block[i + 10] + block[i + 11]);
        double g3 =
            ((double) block[i + 12] + block[i + 13]) + ((double) block[i + 14] + block[i + 15]);
        nodeSums[node] = ((g0 + g1) + g2) + g3;
      }
      int count = nodes * FAN_OUT;
      MemorySegment.copy(MemorySegment.ofArray(block), ValueLayout.JAVA_INT, 0, bits, 0, count);
      return signs(bits, count) >= 0;
    }

    /** The sign bit is set by negative values, and by the addition for infinity and NaN. */
    private static int signs(int[] bits, int count) {
      int signs = 0;
      for (int i = 0; i < count; i++) {
        signs |= bits[i] | (bits[i] + 0x00800000);
      }
      return signs;
    }
  }

  /** Sums of 16 in place: a result never lies behind what it is made from. */
  private static void sumNodes(double[] values, int nodes) {
    for (int node = 0; node < nodes; node++) {
      int i = node * FAN_OUT;
      double g0 = (values[i] + values[i + 1]) + (values[i + 2] + values[i + 3]);
      double g1 = (values[i + 4] + values[i + 5]) + (values[i + 6] + values[i + 7]);
      double g2 = (values[i + 8] + values[i + 9]) + (values[i + 10] + values[i + 11]);
      double g3 = (values[i + 12] + values[i + 13]) + (values[i + 14] + values[i + 15]);
      values[node] = ((g0 + g1) + g2) + g3;
    }
  }

  /** The levels whose nodes hold more than a block. */
  private void recomputeAboveBlocks() {
    for (int level = LEVELS_PER_BLOCK; level < levelNodes.length; level++) {
      recompute(level, 0, levelNodes[level]);
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
    x = position(x, total());
    long node = 0;
    for (int level = levelNodes.length - 2; level >= -1; level--) {
      long first = node * FAN_OUT;
      int group = 0;
      double below = 0;
      for (; group < FAN_OUT - GROUP; group += GROUP) {
        double next = below + groupSum(level, first + group);
        if (x < next) {
          break;
        }
        below = next;
      }
      x -= below;
      if (x < groupSum(level, first + group)) {
        int child = group;
        below = 0;
        for (; child < group + GROUP - 1; child++) {
          double next = below + value(level, first + child);
          if (x < next) {
            break;
          }
          below = next;
        }
        x -= below;
        node = first + child;
      } else {
        node = first + lastPositive(level, first, group + GROUP - 1);
        x = Double.POSITIVE_INFINITY;
      }
    }
    return node;
  }

  /**
   * Finds several leaves, each as {@link #find(double)} does, in less time.
   *
   * @param positions [at least count] positions in [0, total); overwritten
   * @param indices [at least count] receives the leaves
   * @param count how many entries of the arrays to use
   * @throws IndexOutOfBoundsException if an array is too short
   * @throws IllegalArgumentException if a position is negative or NaN
   * @throws IllegalStateException if all leaves are 0, or there are more than an int can tell
   */
  public void find(double[] positions, int[] indices, int count) {
    if (count < 0 || count > indices.length || count > positions.length) {
      throw new IndexOutOfBoundsException(
          "count is %d, but there are %d positions and %d indices"
              .formatted(count, positions.length, indices.length));
    }
    if (size > Integer.MAX_VALUE) {
      throw new IllegalStateException("an int cannot tell " + size + " leaves apart");
    }
    if (count == 0) {
      return;
    }
    double total = total();
    for (int j = 0; j < count; j++) {
      positions[j] = position(positions[j], total);
      indices[j] = 0;
    }
    for (int level = levelNodes.length - 2; level >= -1; level--) {
      touch(level, indices, 0, count);
      if (level >= 0) {
        descend(level, positions, indices, count);
      } else {
        descendToLeaves(positions, indices, count);
      }
    }
  }

  /** One level for all draws: from nodes and positions within them to children and positions. */
  private void descend(int level, double[] positions, int[] nodes, int count) {
    long offset = levelOffset[level];
    for (int j = 0; j < count; j++) {
      int first = nodes[j] << LOG_FAN_OUT;
      double x = positions[j];
      double g0 = groupSum(offset + first);
      double g1 = g0 + groupSum(offset + first + GROUP);
      double g2 = g1 + groupSum(offset + first + 2 * GROUP);
      long passed0 = passed(x, g0);
      long passed1 = passed(x, g1);
      long passed2 = passed(x, g2);
      int group = -GROUP * (int) (passed0 + passed1 + passed2);
      x -= last(g0, passed0, g1, passed1, g2, passed2);

      long at = offset + first + group;
      double a = sums.getAtIndex(DOUBLE, at);
      double b = a + sums.getAtIndex(DOUBLE, at + 1);
      double c = b + sums.getAtIndex(DOUBLE, at + 2);
      passed0 = passed(x, a);
      passed1 = passed(x, b);
      passed2 = passed(x, c);
      int child = group - (int) (passed0 + passed1 + passed2);
      if (x < groupSum(at)) {
        nodes[j] = first + child;
        positions[j] = x - last(a, passed0, b, passed1, c, passed2);
      } else {
        nodes[j] = first + lastPositive(level, first, group + GROUP - 1);
        positions[j] = Double.POSITIVE_INFINITY;
      }
    }
  }

  /** As {@link #descend}, for the last level. */
  private void descendToLeaves(double[] positions, int[] nodes, int count) {
    for (int j = 0; j < count; j++) {
      int first = nodes[j] << LOG_FAN_OUT;
      double x = positions[j];
      double g0 = leafGroupSum(first);
      double g1 = g0 + leafGroupSum((long) first + GROUP);
      double g2 = g1 + leafGroupSum((long) first + 2 * GROUP);
      long passed0 = passed(x, g0);
      long passed1 = passed(x, g1);
      long passed2 = passed(x, g2);
      int group = -GROUP * (int) (passed0 + passed1 + passed2);
      x -= last(g0, passed0, g1, passed1, g2, passed2);

      long at = (long) first + group;
      double a = leaves.getAtIndex(FLOAT, at);
      double b = a + leaves.getAtIndex(FLOAT, at + 1);
      double c = b + leaves.getAtIndex(FLOAT, at + 2);
      int child = group - (int) (passed(x, a) + passed(x, b) + passed(x, c));
      nodes[j] =
          first + (x < leafGroupSum(at) ? child : lastPositive(-1, first, group + GROUP - 1));
    }
  }

  /**
   * All ones where x ≥ bound, else 0; neither may be negative, as only then their bits have their
   * order. A branch would be mispredicted about once a level, and other draws' work wait for it.
   */
  private static long passed(double x, double bound) {
    return ~((Double.doubleToRawLongBits(x) - Double.doubleToRawLongBits(bound)) >> 63);
  }

  /** The largest of the ascending sums that was passed; 0 if none was. */
  private static double last(
      double sum0, long passed0, double sum1, long passed1, double sum2, long passed2) {
    long bits0 = Double.doubleToRawLongBits(sum0) & passed0;
    long bits1 = Double.doubleToRawLongBits(sum1) & passed1;
    long bits2 = Double.doubleToRawLongBits(sum2) & passed2;
    return Double.longBitsToDouble(Math.max(bits0, Math.max(bits1, bits2)));
  }

  /**
   * Reads from both cache lines of the nodes (the only one of leaves), so that they are on their
   * way together when the loop that follows needs one after the other. That loop alone is too long
   * for the processor to look ahead by more than a few nodes.
   */
  private void touch(int level, int[] indices, int shift, int count) {
    long bits = 0;
    for (int j = 0; j < count; j++) {
      long first = (long) (indices[j] >>> shift) << LOG_FAN_OUT;
      if (level < 0) {
        bits |= Float.floatToRawIntBits(leaves.getAtIndex(FLOAT, first)) & Integer.MAX_VALUE;
      } else {
        first += levelOffset[level];
        bits |= Double.doubleToRawLongBits(sums.getAtIndex(DOUBLE, first));
        bits |= Double.doubleToRawLongBits(sums.getAtIndex(DOUBLE, first + FAN_OUT / 2));
      }
    }
    if (bits < 0) {
      throw new AssertionError("a sum is negative"); // uses what was read, so that it is read
    }
  }

  /** Checks a position; infinity stands for the last leaf. */
  private double position(double x, double total) {
    if (!(x >= 0)) {
      throw new IllegalArgumentException("position must be at least 0, but is " + x);
    }
    if (!(total > 0)) {
      throw new IllegalStateException("nothing to draw: all " + size + " leaves are 0");
    }
    // Else rounding could end before the last leaf. The sum makes a -0 a 0, whose bits have order.
    return x >= total ? Double.POSITIVE_INFINITY : x + 0.0;
  }

  /**
   * The last child up to {@code child} that is not 0, for a position that rounding carried past the
   * end of its group. The position is infinity from there on, which keeps right all the way down
   * and the result monotone: nothing below may bring this position in front of a smaller one.
   */
  private int lastPositive(int level, long first, int child) {
    while (child > 0 && !(value(level, first + child) > 0)) {
      child--;
    }
    return child;
  }

  /** A value of a level of sums, or of the leaves, which are level -1. */
  private double value(int level, long index) {
    return level < 0
        ? leaves.getAtIndex(FLOAT, index)
        : sums.getAtIndex(DOUBLE, levelOffset[level] + index);
  }

  /** Bytes allocated off the Java heap. */
  long offHeapBytes() {
    return leaves.byteSize() + sums.byteSize();
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
    long first = node * FAN_OUT;
    double sum;
    if (level == 0) {
      double g0 = leafGroupSum(first);
      double g1 = leafGroupSum(first + GROUP);
      double g2 = leafGroupSum(first + 2 * GROUP);
      sum = ((g0 + g1) + g2) + leafGroupSum(first + 3 * GROUP);
    } else {
      first += levelOffset[level - 1];
      double g0 = groupSum(first);
      double g1 = groupSum(first + GROUP);
      double g2 = groupSum(first + 2 * GROUP);
      sum = ((g0 + g1) + g2) + groupSum(first + 3 * GROUP);
    }
    sums.setAtIndex(DOUBLE, levelOffset[level] + node, sum);
  }

  /** Four neighbours in a level of sums, or of leaves, which are level -1. */
  private double groupSum(int level, long first) {
    return level < 0 ? leafGroupSum(first) : groupSum(levelOffset[level] + first);
  }

  private double groupSum(long at) {
    return (sums.getAtIndex(DOUBLE, at) + sums.getAtIndex(DOUBLE, at + 1))
        + (sums.getAtIndex(DOUBLE, at + 2) + sums.getAtIndex(DOUBLE, at + 3));
  }

  private double leafGroupSum(long at) {
    return ((double) leaves.getAtIndex(FLOAT, at) + leaves.getAtIndex(FLOAT, at + 1))
        + ((double) leaves.getAtIndex(FLOAT, at + 2) + leaves.getAtIndex(FLOAT, at + 3));
  }

  private void recompute(int level, long from, long to) {
    for (long node = from; node < to; node++) {
      recompute(level, node);
    }
  }

  private void checkIndex(long index) {
    if (index < 0 || index >= size) {
      throw new IndexOutOfBoundsException("leaf " + index + " is not in [0, " + size + ")");
    }
  }

  private static void checkValue(long index, float value) {
    // Written so that NaN fails too. -0.0 passes, see below.
    if (!(value >= 0 && value <= Float.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "leaf " + index + " must be finite and not negative, but is " + value);
    }
  }

  /** Makes a -0 a 0: searches compare bits, by which a -0 would come after every position. */
  private static float unsigned(float value) {
    return value + 0f;
  }

  private static long parents(long nodes) {
    return (nodes + FAN_OUT - 1) >>> LOG_FAN_OUT;
  }

  @FunctionalInterface
  private interface Range {
    void run(long from, long to);
  }

  private void forTasks(boolean parallel, Range range) {
    long perTask = (long) BLOCKS_PER_TASK * BLOCK;
    if (!parallel || size <= perTask) {
      range.run(0, size);
      return;
    }
    // A failure is kept until every task has ended: a parallel stream would pass it on while other
    // tasks still write. The first range's failure wins, so that the message repeats too.
    AtomicReference<Failure> failure = new AtomicReference<>();
    LongStream.range(0, Math.ceilDiv(size, perTask))
        .parallel()
        .forEach(
            task -> {
              try {
                range.run(task * perTask, Math.min(size, (task + 1) * perTask));
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
