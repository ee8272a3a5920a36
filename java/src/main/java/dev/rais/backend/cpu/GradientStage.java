package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;

/**
 * One thread's gradients on their way to memory. They are collected until there are so many that
 * Java's copy bypasses the caches: then memory is only written, where other stores have each line
 * read first. As rows come out later than they were read, gradients may take the logits' place.
 */
final class GradientStage {
  /** Copies of 2.5 MiB and more bypass the caches on x86-64. */
  private static final int ENOUGH = 1 << 20;

  private final MemorySegment gradients;
  private final int classes;
  private final float[] staged;

  /** The first staged row, and how many there are. */
  private int first;

  private int rows;

  /** For rows {@code from} to below {@code to}. */
  GradientStage(Scratch scratch, MemorySegment gradients, int classes, int from, int to) {
    this.gradients = gradients;
    this.classes = classes;
    this.first = from;
    // Beyond what is enough, a chunk more: a row, or what fits into LANES.
    long most = ENOUGH + (long) Math.max(classes, LongLossRows.CHUNK);
    this.staged =
        scratch.array(Scratch.Use.TRANSFER, (int) Math.min(most, (to - (long) from) * classes));
  }

  /** Takes values of row {@code j} of the present chunk, from class {@code k} on. */
  void put(int j, int k, float[] values, int from, int count) {
    System.arraycopy(values, from, staged, (rows + j) * classes + k, count);
  }

  /** The present chunk has all its rows. */
  void finished(int count) {
    rows += count;
    if (rows * (long) classes >= ENOUGH) {
      flush();
    }
  }

  /** Writes what there is. */
  void flush() {
    long at = (long) first * classes * Float.BYTES;
    MemorySegment.copy(staged, 0, gradients, JAVA_FLOAT, at, rows * classes);
    first += rows;
    rows = 0;
  }
}
