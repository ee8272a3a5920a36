package dev.rais.data;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;

/** Makes small IDX files, right and wrong ones, for the tests. */
final class IdxBytes {
  static final int IMAGES = 0x803;
  static final int LABELS = 0x801;

  private IdxBytes() {}

  /** A header that claims {@code sizes}, then {@code values}, whether or not they fit it. */
  static byte[] idx(int magic, int[] sizes, byte[] values) {
    ByteBuffer buffer = ByteBuffer.allocate(4 + 4 * sizes.length + values.length);
    buffer.putInt(magic);
    for (int size : sizes) {
      buffer.putInt(size);
    }
    return buffer.put(values).array();
  }

  /** Images [count, 2, 3] whose values count up from 0, wrapping at 256. */
  static byte[] images(int count) {
    return idx(IMAGES, new int[] {count, 2, 3}, counting(count * 6));
  }

  static byte[] labels(int... labels) {
    byte[] values = new byte[labels.length];
    for (int i = 0; i < labels.length; i++) {
      values[i] = (byte) labels[i];
    }
    return idx(LABELS, new int[] {labels.length}, values);
  }

  static byte[] counting(int length) {
    byte[] values = new byte[length];
    for (int i = 0; i < length; i++) {
      values[i] = (byte) i;
    }
    return values;
  }

  static byte[] gzip(byte[] bytes) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** Writes the four files of a tiny data set: training labels 0, 2, 1 and test labels 1, 0. */
  static Path tinyDataset(Path directory) throws IOException {
    Files.createDirectories(directory);
    Files.write(directory.resolve("train-images-idx3-ubyte"), images(3));
    Files.write(directory.resolve("train-labels-idx1-ubyte"), labels(0, 2, 1));
    Files.write(directory.resolve("t10k-images-idx3-ubyte.gz"), gzip(images(2)));
    Files.write(directory.resolve("t10k-labels-idx1-ubyte.gz"), gzip(labels(1, 0)));
    return directory;
  }
}
