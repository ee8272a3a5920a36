package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.rais.backend.Buffer;
import java.lang.foreign.MemorySegment;

/**
 * The steps of {@link SeparateLossSteps} with the loops of {@link VectorLossRows}: the same
 * exponential, maxima and multiplications, straight from and to memory. What is left behind a row's
 * whole vectors is filled up to a vector elsewhere.
 */
final class VectorSeparateLossSteps {
  private static final int LANES = VectorLossRows.LANES;
  private static final long REST = (long) LANES * Float.BYTES;

  private final Workers workers;
  private final int rows;
  private final int classes;
  private final int whole;

  VectorSeparateLossSteps(Workers workers, int rows, int classes) {
    this.workers = workers;
    this.rows = rows;
    this.classes = classes;
    this.whole = classes / LANES * LANES;
  }

  /** One thread's room for what is left of a row, and of its results, and its sums. */
  private record Room(MemorySegment rest, MemorySegment result, VectorLossRows.Sums sums) {}

  /** Work on one row, which begins {@code at}. */
  private interface Row {
    void run(int row, long at, Room room);
  }

  private void each(Row body) {
    workers.run(
        rows,
        1,
        (begin, end) -> {
          MemorySegment memory = workers.scratch().memory(2 * REST);
          var room =
              new Room(
                  memory.asSlice(0, REST), memory.asSlice(REST, REST), new VectorLossRows.Sums());
          for (int row = begin; row < end; row++) {
            room.sums.clear();
            body.run(row, (long) row * classes * Float.BYTES, room);
          }
        });
  }

  /** Copies what is behind the whole vectors, and fills up. */
  private void load(MemorySegment from, long row, MemorySegment rest, float filling) {
    int count = classes - whole;
    for (int i = count; i < LANES; i++) {
      rest.setAtIndex(JAVA_FLOAT, i, filling);
    }
    MemorySegment.copy(from, behind(row), rest, 0, (long) count * Float.BYTES);
  }

  private void store(MemorySegment rest, MemorySegment to, long row) {
    MemorySegment.copy(rest, 0, to, behind(row), (long) (classes - whole) * Float.BYTES);
  }

  private long behind(long row) {
    return row + (long) whole * Float.BYTES;
  }

  void softmax(Buffer logits, Buffer probabilities) {
    MemorySegment z = CpuBuffer.segment(logits);
    MemorySegment s = CpuBuffer.segment(probabilities);
    each(
        (row, at, room) -> {
          load(z, at, room.rest, VectorLossRows.NOTHING);
          float largest =
              Math.max(
                  VectorLossRows.largest(room.rest.address(), LANES),
                  VectorLossRows.largest(z.address() + at, whole));
          long ahead = row + 1 < rows ? (long) classes * Float.BYTES : 0;
          room.sums.exponentials(z.address() + at, s.address() + at, whole, largest, ahead);
          room.sums.exponentials(room.rest.address(), room.result.address(), LANES, largest, 0);
          room.sums.flush();
          float factor = (float) (1 / room.sums.sum);
          VectorLossRows.scale(s.address() + at, whole, factor);
          VectorLossRows.scale(room.result.address(), LANES, factor);
          store(room.result, s, at);
        });
  }

  void norms(Buffer probabilities, Buffer labels, Buffer norms) {
    MemorySegment s = CpuBuffer.segment(probabilities);
    MemorySegment y = CpuBuffer.segment(labels);
    MemorySegment out = CpuBuffer.segment(norms);
    each(
        (row, at, room) -> {
          load(s, at, room.rest, 0);
          room.sums.squares(room.rest.address(), LANES);
          room.sums.squares(s.address() + at, whole);
          room.sums.flush();
          double p = s.get(JAVA_FLOAT, at + y.getAtIndex(JAVA_INT, row) * (long) Float.BYTES);
          out.setAtIndex(JAVA_FLOAT, row, (float) Math.sqrt(room.sums.square + 1 - 2 * p));
        });
  }

  void gradients(Buffer probabilities, Buffer labels, Buffer weights, float scale) {
    MemorySegment s = CpuBuffer.segment(probabilities);
    MemorySegment y = CpuBuffer.segment(labels);
    MemorySegment w = CpuBuffer.segment(weights);
    each(
        (row, at, room) -> {
          float factor = scale * w.getAtIndex(JAVA_FLOAT, row);
          load(s, at, room.rest, 0);
          VectorLossRows.scale(s.address() + at, whole, factor);
          VectorLossRows.scale(room.rest.address(), LANES, factor);
          store(room.rest, s, at);
          long label = at + y.getAtIndex(JAVA_INT, row) * (long) Float.BYTES;
          s.set(JAVA_FLOAT, label, s.get(JAVA_FLOAT, label) - factor);
        });
  }
}
