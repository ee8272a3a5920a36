package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.Backend;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.lang.foreign.MemorySegment;

/** Dropout (see {@link Backend#dropout}) of a range of chunks. */
final class Dropout implements Workers.Body {
  /** Elements of a chunk; a multiple of the four that share a block of random words. */
  static final int CHUNK = 2048;

  private final MemorySegment x;
  private final MemorySegment y;
  private final long count;
  private final Philox philox;
  private final long iteration;
  private final int threshold;
  private final float factor;

  Dropout(
      MemorySegment x,
      float rate,
      long seed,
      int layer,
      long iteration,
      MemorySegment y,
      long count) {
    this.x = x;
    this.y = y;
    this.count = count;
    this.philox = new Philox(seed, Streams.DROPOUT | layer << 8);
    this.iteration = iteration;
    this.threshold = (int) Math.min(Math.round(rate * 0x1p32), 0xFFFFFFFFL);
    this.factor = 1f / (1f - rate);
  }

  @Override
  public void run(int from, int to) {
    float[] values = new float[CHUNK];
    for (int chunk = from; chunk < to; chunk++) {
      long at = (long) chunk * CHUNK;
      int length = (int) Math.min(CHUNK, count - at);
      MemorySegment.copy(x, JAVA_FLOAT, at * Float.BYTES, values, 0, length);
      for (int i = 0; i < length; i += 4) {
        int slot = (int) (at + i >>> 2);
        long low = philox.bits(iteration, slot);
        long high = philox.highBits(iteration, slot);
        drop(values, i, (int) low);
        drop(values, i + 1, (int) (low >>> 32));
        drop(values, i + 2, (int) high);
        drop(values, i + 3, (int) (high >>> 32));
      }
      MemorySegment.copy(values, 0, y, JAVA_FLOAT, at * Float.BYTES, length);
    }
  }

  private void drop(float[] values, int i, int word) {
    values[i] = Integer.compareUnsigned(word, threshold) >= 0 ? values[i] * factor : 0;
  }
}
