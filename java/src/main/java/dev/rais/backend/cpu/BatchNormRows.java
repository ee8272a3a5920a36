package dev.rais.backend.cpu;

import dev.rais.backend.BatchNormShape;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/**
 * How the values of a batch norm are cut for its loops: an example into rows of about as many
 * values as wanted, each a whole number of positions, so that the loops are long however few the
 * channels are; and all rows into blocks, which are what threads share out. Both depend on the
 * shape alone.
 *
 * @param size values of an example
 * @param width values of its rows but the last, which may be shorter
 * @param perExample rows of an example
 * @param count rows of all examples
 * @param blockRows rows of a block but the last
 */
record BatchNormRows(int size, int width, int perExample, int count, int blockRows) {
  /** Blocks that there are at least, if the rows allow. */
  private static final int BLOCKS = 16;

  /** Values of a block at most: sums of floats are no longer than that. */
  private static final int MAXIMUM_BLOCK = 1 << 18;

  /** Work on a range of rows, all in one block. */
  interface Range {
    void run(int from, int to);
  }

  /**
   * Cuts a shape.
   *
   * @param width values of a row, about
   * @param together positions that a row has a multiple of; they divide those of the shape
   * @param depth rows that a block has a multiple of
   */
  static BatchNormRows of(BatchNormShape shape, int width, int together, int depth) {
    int groups = shape.positions() / together;
    int group = Math.multiplyExact(together, shape.channels());
    int longest = Math.clamp(width / group, 1, groups);
    int perExample = divideUp(groups, longest);
    int rowWidth = divideUp(groups, perExample) * group;
    int count = Math.multiplyExact(shape.batch(), perExample);
    int wanted = divideUp(divideUp(count, BLOCKS), depth) * depth;
    int most = Math.max(depth, MAXIMUM_BLOCK / rowWidth / depth * depth);
    return new BatchNormRows(
        Math.toIntExact(shape.exampleCount()),
        rowWidth,
        perExample,
        count,
        Math.clamp(wanted, depth, most));
  }

  private static int divideUp(int a, int b) {
    return (int) (((long) a + b - 1) / b);
  }

  int blocks() {
    return divideUp(count, blockRows);
  }

  /** In reverse: what a pass read last may still be in a cache for the next. */
  void eachBlockBackwards(int first, int last, Range work) {
    for (int block = last - 1; block >= first; block--) {
      int from = block * blockRows;
      work.run(from, Math.min(count, from + blockRows));
    }
  }

  void eachBlock(int first, int last, Range work) {
    for (int block = first; block < last; block++) {
      int from = block * blockRows;
      work.run(from, Math.min(count, from + blockRows));
    }
  }

  /** The example that a row is of. */
  int example(int row) {
    return row / perExample;
  }

  /** Where a row starts. */
  long start(int row) {
    return (long) (row / perExample) * size + (long) (row % perExample) * width;
  }

  int length(int row) {
    return Math.min(width, size - row % perExample * width);
  }

  /** Rows [from, to) of a buffer, to be read by the loops. */
  FloatBuffer view(MemorySegment values, int from, int to) {
    return CpuBuffer.floats(values, start(from), count(from, to));
  }

  /** The same, as the bits of the floats. */
  IntBuffer bits(MemorySegment values, int from, int to) {
    return CpuBuffer.bits(values, start(from), count(from, to));
  }

  private long count(int from, int to) {
    return start(to - 1) + length(to - 1) - start(from);
  }
}
