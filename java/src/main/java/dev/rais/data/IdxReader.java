package dev.rais.data;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * Reads the IDX format of MNIST: a big-endian magic number, one 32-bit size per dimension, then
 * unsigned bytes. Files may be gzip; their content tells, not their name.
 *
 * <p>Files are not trusted. Memory grows with the bytes that arrive, never with what a header
 * claims, and no more is unpacked than the header claims plus one byte.
 */
final class IdxReader {
  /** Unsigned bytes, three dimensions: [count, height, width]. */
  private static final int IMAGES_MAGIC = 0x00000803;

  /** Unsigned bytes, one dimension: [count]. */
  private static final int LABELS_MAGIC = 0x00000801;

  private static final int BUFFER_BYTES = 1 << 16;

  /** Images as read: pixels are unsigned bytes [count, height, width]. */
  record Images(int count, int height, int width, byte[] pixels) {}

  private record Array(int[] sizes, byte[] values) {}

  private IdxReader() {}

  /** Reads images and their labels, which must be equally many, as grey images. */
  static ImageSet read(Path imagesFile, Path labelsFile) {
    return combine(
        imagesFile.toString(),
        readImages(imagesFile),
        labelsFile.toString(),
        readLabels(labelsFile));
  }

  /** Puts images and labels together; the names are for the message when they do not match. */
  static ImageSet combine(String imagesName, Images images, String labelsName, int[] labels) {
    if (images.count() != labels.length) {
      throw new DataException(
          "%s holds %d images but %s holds %d labels; both files must come from the same data set"
              .formatted(imagesName, images.count(), labelsName, labels.length));
    }
    return new ImageSet(images.height(), images.width(), 1, images.pixels(), labels);
  }

  static Images readImages(Path file) {
    return images(open(file, IMAGES_MAGIC));
  }

  /** Reads images from a stream, which it closes; {@code source} names it in messages. */
  static Images readImages(String source, InputStream in) {
    return images(read(source, in, IMAGES_MAGIC));
  }

  static int[] readLabels(Path file) {
    return labels(open(file, LABELS_MAGIC));
  }

  /** Reads labels from a stream, which it closes; {@code source} names it in messages. */
  static int[] readLabels(String source, InputStream in) {
    return labels(read(source, in, LABELS_MAGIC));
  }

  private static Images images(Array array) {
    return new Images(array.sizes()[0], array.sizes()[1], array.sizes()[2], array.values());
  }

  private static int[] labels(Array array) {
    int[] labels = new int[array.values().length];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = array.values()[i] & 0xff;
    }
    return labels;
  }

  private static Array open(Path file, int magic) {
    InputStream in;
    try {
      in = Files.newInputStream(file);
    } catch (NoSuchFileException e) {
      throw new DataException(
          "%s does not exist; an IDX file was expected there".formatted(file), e);
    } catch (IOException e) {
      throw unreadable(file.toString(), e);
    }
    return read(file.toString(), in, magic);
  }

  private static Array read(String source, InputStream in, int magic) {
    try (InputStream content = unpacked(source, in)) {
      return parse(source, content, magic);
    } catch (EOFException e) {
      throw new DataException(
          "%s is cut off: its gzip data stops before its end mark; fetch or copy the file again"
              .formatted(source),
          e);
    } catch (ZipException e) {
      throw new DataException(
          "%s is damaged: it starts like gzip but does not unpack (%s); fetch or copy the file again"
              .formatted(source, e.getMessage()),
          e);
    } catch (IOException e) {
      throw unreadable(source, e);
    }
  }

  private static DataException unreadable(String source, IOException e) {
    return new DataException("%s cannot be read: %s".formatted(source, e), e);
  }

  /** The stream itself or, if it starts with gzip's two magic bytes, what it unpacks to. */
  private static InputStream unpacked(String source, InputStream in) throws IOException {
    InputStream buffered = new BufferedInputStream(in, BUFFER_BYTES);
    try {
      buffered.mark(2);
      byte[] start = buffered.readNBytes(2);
      buffered.reset();
      if (start.length == 0) {
        throw new DataException(
            "%s is empty; an IDX file was expected, so fetch or copy the file again"
                .formatted(source));
      }
      boolean gzip = start.length == 2 && start[0] == 0x1f && start[1] == (byte) 0x8b;
      return gzip ? new GZIPInputStream(buffered, BUFFER_BYTES) : buffered;
    } catch (IOException | RuntimeException e) {
      // The caller has no stream to close yet.
      buffered.close();
      throw e;
    }
  }

  private static Array parse(String source, InputStream in, int magic) throws IOException {
    // The magic number's last byte is the number of dimensions.
    int[] sizes = new int[magic & 0xff];
    int headerBytes = Integer.BYTES * (1 + sizes.length);
    byte[] header = in.readNBytes(headerBytes);
    byte[] start = Arrays.copyOf(header, Math.min(header.length, Integer.BYTES));
    byte[] expectedStart = ByteBuffer.allocate(Integer.BYTES).putInt(magic).array();
    if (start.length == Integer.BYTES && !Arrays.equals(start, expectedStart)) {
      String kind = magic == IMAGES_MAGIC ? "images" : "labels";
      throw new DataException(
          "%s starts with the bytes %s, but IDX %s start with %s (or 1f8b, for gzip); is it the right file?"
              .formatted(source, hex(start), kind, hex(expectedStart)));
    }
    if (header.length < headerBytes) {
      throw new DataException(
          "%s is cut off: it ends after %d bytes, within its header of %d; fetch or copy the file again"
              .formatted(source, header.length, headerBytes));
    }
    ByteBuffer.wrap(header).position(Integer.BYTES).asIntBuffer().get(sizes);
    int claimed = claimedBytes(source, sizes);
    byte[] values = readUpTo(in, claimed);
    if (values.length < claimed) {
      throw new DataException(
          "%s is cut off: it holds %d of the %d values its header claims; fetch or copy the file again"
              .formatted(source, values.length, claimed));
    }
    // This read past the end also makes gzip compare its checksum.
    if (in.read() >= 0) {
      throw new DataException(
          "%s is longer than the %d values its header claims; fetch or copy the file again"
              .formatted(source, claimed));
    }
    return new Array(sizes, values);
  }

  private static int claimedBytes(String source, int[] sizes) {
    try {
      return sizes.length == 3
          ? ImageSet.requiredBytes(sizes[0], sizes[1], sizes[2], 1)
          : ImageSet.requiredBytes(sizes[0], 1, 1, 1);
    } catch (DataException e) {
      throw new DataException(
          "%s has a header that claims the sizes %s, which cannot be: %s"
              .formatted(source, Arrays.toString(sizes), e.getMessage()),
          e);
    }
  }

  /**
   * Reads {@code limit} bytes, or fewer at the end of the stream. The array doubles as bytes
   * arrive: a header that claims gigabytes costs nothing until they are there.
   */
  private static byte[] readUpTo(InputStream in, int limit) throws IOException {
    byte[] bytes = new byte[Math.min(limit, BUFFER_BYTES)];
    int filled = 0;
    while (filled < limit) {
      if (filled == bytes.length) {
        bytes = Arrays.copyOf(bytes, (int) Math.min(limit, 2L * bytes.length));
      }
      int read = in.read(bytes, filled, bytes.length - filled);
      if (read < 0) {
        return Arrays.copyOf(bytes, filled);
      }
      filled += read;
    }
    return bytes;
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
