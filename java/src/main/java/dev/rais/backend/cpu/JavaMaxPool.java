package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;
import java.lang.foreign.MemorySegment;

/** Max pooling in Java loops; keeps the winner of each window as its place inside the window. */
final class JavaMaxPool extends MaxPool {
  /** A winner's place in its window has to fit into a byte. */
  private static final int MAX_KERNEL = 16;

  private final Workers workers;
  private final byte[] winners;

  JavaMaxPool(PoolShape shape, Workers workers) {
    super(shape, DType.FLOAT32);
    this.workers = workers;
    if (shape.kernel() > MAX_KERNEL) {
      throw new IllegalArgumentException(
          "max-pool: windows up to 16x16, not " + shape.kernel() + "x" + shape.kernel());
    }
    this.winners = new byte[Math.toIntExact(shape.outputCount())];
  }

  @Override
  protected void doForward(Buffer x, Buffer y) {
    MemorySegment in = CpuBuffer.segment(x);
    MemorySegment out = CpuBuffer.segment(y);
    PoolShape s = shape();
    int c = s.channels();
    workers.run(
        s.batch() * s.outputHeight(),
        1,
        (from, to) -> {
          for (int row = from; row < to; row++) {
            for (int column = 0; column < s.outputWidth(); column++) {
              int target = (row * s.outputWidth() + column) * c;
              long source = windowStart(row, column);
              for (int k = 0; k < c; k++) {
                pick(in, source + k, out, target + k);
              }
            }
          }
        });
  }

  private void pick(MemorySegment in, long source, MemorySegment out, int target) {
    PoolShape s = shape();
    float best = in.getAtIndex(JAVA_FLOAT, source);
    int winner = 0;
    for (int i = 0; i < s.kernel(); i++) {
      for (int j = 0; j < s.kernel(); j++) {
        float value = in.getAtIndex(JAVA_FLOAT, source + offset(i, j));
        if (value > best) {
          best = value;
          winner = i * s.kernel() + j;
        }
      }
    }
    out.setAtIndex(JAVA_FLOAT, target, best);
    winners[target] = (byte) winner;
  }

  @Override
  protected void doBackward(Buffer dy, Buffer dx) {
    MemorySegment in = CpuBuffer.segment(dy);
    MemorySegment out = CpuBuffer.segment(dx);
    PoolShape s = shape();
    out.fill((byte) 0);
    // By example: overlapping windows of one example add into the same inputs.
    workers.run(
        s.batch(),
        1,
        (from, to) -> {
          for (int row = from * s.outputHeight(); row < to * s.outputHeight(); row++) {
            for (int column = 0; column < s.outputWidth(); column++) {
              long base = windowStart(row, column);
              for (int k = 0; k < s.channels(); k++) {
                int source = (row * s.outputWidth() + column) * s.channels() + k;
                int winner = winners[source] & 0xff;
                long target = base + k + offset(winner / s.kernel(), winner % s.kernel());
                float sum = out.getAtIndex(JAVA_FLOAT, target) + in.getAtIndex(JAVA_FLOAT, source);
                out.setAtIndex(JAVA_FLOAT, target, sum);
              }
            }
          }
        });
  }

  /** First input element of the window; row counts output rows over all examples. */
  private long windowStart(int row, int column) {
    PoolShape s = shape();
    int example = row / s.outputHeight();
    int top = row % s.outputHeight() * s.stride();
    return (((long) example * s.height() + top) * s.width() + (long) column * s.stride())
        * s.channels();
  }

  private long offset(int i, int j) {
    return ((long) i * shape().width() + j) * shape().channels();
  }

  @Override
  public void close() {
    // Nothing native is held.
  }
}
