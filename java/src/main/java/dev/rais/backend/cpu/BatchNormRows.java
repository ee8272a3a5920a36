package dev.rais.backend.cpu;

import dev.rais.backend.BatchNormShape;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/**
 * How the values of a batch norm are cut for its loops: an example into rows of about {@link
 * #WIDTH} values, each a whole number of positions, so that the loops are long however few the
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
  /** Values of a row: the arrays that a loop works on stay in the first-level cache together. */
  private static final int WIDTH = 512;

  /** Rows summed in sequence. */
  private static final int DEPTH = 64;

  /** Blocks that there are at least, if the rows allow. */
  private static final int BLOCKS = 16;

  private static final int MAXIMUM_BLOCK = 8 * DEPTH;

  /** Work on a range of rows, all in one block. */
  interface Range {
    void run(int from, int to);
  }

  static BatchNormRows of(BatchNormShape shape) {
    int longest = Math.clamp(WIDTH / shape.channels(), 1, shape.positions());
    int perExample = divideUp(shape.positions(), longest);
    int count = Math.multiplyExact(shape.batch(), perExample);
    int wanted = divideUp(divideUp(count, BLOCKS), DEPTH) * DEPTH;
    return new BatchNormRows(
        Math.toIntExact(shape.exampleCount()),
        divideUp(shape.positions(), perExample) * shape.channels(),
        perExample,
        count,
        Math.clamp(wanted, DEPTH, MAXIMUM_BLOCK));
  }

  private static int divideUp(int a, int b) {
    return (int) (((long) a + b - 1) / b);
  }

  int blocks() {
    return divideUp(count, blockRows);
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

  /** Whether a row of a range is the last of those summed in sequence. */
  boolean endsRun(int row, int from, int to) {
    return (row + 1 - from) % DEPTH == 0 || row + 1 == to;
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
