package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.rais.backend.Augmentation;
import dev.rais.backend.ImageShape;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Chosen images of a byte data set as a normalised batch. An image is put together as bytes first,
 * shifted and mirrored row by row; then all of it becomes floats.
 */
final class Gather implements Workers.Body {
  private final MemorySegment images;
  private final long count;
  private final ImageShape shape;
  private final MemorySegment indices;

  /** Scale and shift of every value of an image. */
  private final float[] scales;

  private final float[] shifts;
  private final Augmentation augmentation;
  private final Philox philox;
  private final long iteration;
  private final MemorySegment batch;

  /**
   * @param count images of the data set
   * @param augmentation null for none
   */
  Gather(
      MemorySegment images,
      long count,
      ImageShape shape,
      MemorySegment indices,
      float[] scale,
      float[] shift,
      Augmentation augmentation,
      long seed,
      long iteration,
      MemorySegment batch) {
    this.images = images;
    this.count = count;
    this.shape = shape;
    this.indices = indices;
    this.scales = repeated(scale, shape.height() * shape.width());
    this.shifts = repeated(shift, shape.height() * shape.width());
    this.augmentation = augmentation == null || augmentation.isNone() ? null : augmentation;
    this.philox = new Philox(seed, Streams.AUGMENTATION);
    this.iteration = iteration;
    this.batch = batch;
  }

  private static float[] repeated(float[] values, int times) {
    float[] all = new float[values.length * times];
    for (int i = 0; i < all.length; i++) {
      all[i] = values[i % values.length];
    }
    return all;
  }

  @Override
  public void run(int from, int to) {
    int size = shape.size();
    byte[] source = new byte[size];
    byte[] moved = augmentation == null ? source : new byte[size];
    float[] values = new float[size];
    for (int j = from; j < to; j++) {
      int index = indices.getAtIndex(JAVA_INT, j);
      if (index < 0 || index >= count) {
        throw new IndexOutOfBoundsException(
            "gather: index " + index + " at slot " + j + " of a data set of " + count);
      }
      MemorySegment.copy(images, JAVA_BYTE, (long) index * size, source, 0, size);
      if (augmentation == null) {
        normalise(source, values);
      } else {
        long low = philox.bits(iteration, j);
        long high = philox.highBits(iteration, j);
        move(source, moved, shift((int) low), shift((int) (low >>> 32)), high < 0);
        normalise(moved, values);
        cut(values, (int) high);
      }
      MemorySegment.copy(values, 0, batch, JAVA_FLOAT, (long) j * size * Float.BYTES, size);
    }
  }

  /** A word's shift: uniform in −P to P. */
  private int shift(int word) {
    long shifts = 2L * augmentation.padding() + 1;
    return (int) (Integer.toUnsignedLong(word) * shifts >>> 32) - augmentation.padding();
  }

  private void move(byte[] source, byte[] target, int dy, int dx, boolean odd) {
    boolean mirrored = augmentation.flip() && odd;
    int width = shape.width();
    int channels = shape.channels();
    int rowBytes = width * channels;
    // Columns first to end of an unmirrored output row come from the image; mirrored, the source
    // columns W − 1 − x + dx do.
    int shift = mirrored ? -dx : dx;
    int first = Math.clamp(-(long) shift, 0, width);
    int end = Math.clamp((long) width - shift, first, width);
    for (int y = 0; y < shape.height(); y++) {
      int row = y * rowBytes;
      int sourceRow = (y + dy) * rowBytes;
      if (y + dy < 0 || y + dy >= shape.height() || first == end) {
        Arrays.fill(target, row, row + rowBytes, (byte) 0);
        continue;
      }
      Arrays.fill(target, row, row + first * channels, (byte) 0);
      Arrays.fill(target, row + end * channels, row + rowBytes, (byte) 0);
      if (!mirrored) {
        int length = (end - first) * channels;
        System.arraycopy(
            source, sourceRow + (first + dx) * channels, target, row + first * channels, length);
      } else {
        int at = sourceRow + (width - 1 - first + dx) * channels;
        for (int x = first; x < end; x++, at -= channels) {
          for (int c = 0; c < channels; c++) {
            target[row + x * channels + c] = source[at + c];
          }
        }
      }
    }
  }

  /**
   * Bytes to floats, without a channel to ask for, and in three loops that C2 vectorises: it does
   * so with signed bytes only, so 128 is taken off and added again, both exactly. The product is
   * rounded, then the sum; Java never fuses them.
   */
  private void normalise(byte[] bytes, float[] values) {
    for (int k = 0; k < bytes.length; k++) {
      bytes[k] ^= (byte) 0x80;
    }
    for (int k = 0; k < values.length; k++) {
      values[k] = bytes[k];
    }
    for (int k = 0; k < values.length; k++) {
      values[k] = (values[k] + 128f) * scales[k] + shifts[k];
    }
  }

  private void cut(float[] values, int word) {
    int side = augmentation.cutout();
    if (side == 0) {
      return;
    }
    int top = (int) ((long) (word >>> 16) * shape.height() >>> 16) - side / 2;
    int left = (int) ((long) (word & 0xffff) * shape.width() >>> 16) - side / 2;
    int row = shape.width() * shape.channels();
    int from = Math.max(0, left) * shape.channels();
    int to = Math.min(shape.width(), left + side) * shape.channels();
    for (int y = Math.max(0, top); y < Math.min(shape.height(), top + side); y++) {
      if (from < to) {
        Arrays.fill(values, y * row + from, y * row + to, 0f);
      }
    }
  }
}
