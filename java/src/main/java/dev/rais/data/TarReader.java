package dev.rais.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/**
 * Goes through the regular files of a tar archive (POSIX ustar), in order. Nothing is unpacked to
 * the disk, so names in it can do no harm.
 */
final class TarReader {
  private static final int BLOCK = 512;
  private static final int NAME_BYTES = 100;
  private static final int SIZE_AT = 124;
  private static final int SIZE_BYTES = 12;
  private static final int TYPE_AT = 156;

  /** Takes a file; reads of its contents what it wants. */
  interface Visitor {
    void file(String name, long numBytes, InputStream contents) throws IOException;
  }

  private TarReader() {}

  /**
   * @throws IOException if the archive is cut off or no tar archive
   */
  static void read(InputStream in, Visitor visitor) throws IOException {
    while (true) {
      byte[] header = in.readNBytes(BLOCK);
      if (header.length == 0 || isZero(header)) {
        return;
      }
      if (header.length < BLOCK) {
        throw new IOException("the archive ends within a file's header");
      }
      long numBytes = size(header);
      Limited contents = new Limited(in, numBytes);
      // Old archives mark a regular file with a zero byte.
      if (header[TYPE_AT] == '0' || header[TYPE_AT] == 0) {
        visitor.file(text(header, 0, NAME_BYTES), numBytes, contents);
      }
      contents.skipRest();
      in.skipNBytes((BLOCK - numBytes % BLOCK) % BLOCK);
    }
  }

  private static boolean isZero(byte[] block) {
    for (byte b : block) {
      if (b != 0) {
        return false;
      }
    }
    return true;
  }

  private static String text(byte[] header, int from, int length) {
    int end = from;
    while (end < from + length && header[end] != 0) {
      end++;
    }
    return new String(header, from, end - from, StandardCharsets.UTF_8);
  }

  private static long size(byte[] header) throws IOException {
    String octal = text(header, SIZE_AT, SIZE_BYTES).strip();
    try {
      long size = Long.parseLong(octal, 8);
      if (size >= 0) {
        return size;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw new IOException("a file's size in the archive is \"" + octal + "\", no octal number");
  }

  /** The contents of one file. */
  private static final class Limited extends InputStream {
    private final InputStream in;
    private long left;

    Limited(InputStream in, long numBytes) {
      this.in = in;
      left = numBytes;
    }

    void skipRest() throws IOException {
      in.skipNBytes(left);
      left = 0;
    }

    @Override
    public int read() throws IOException {
      int value = left == 0 ? -1 : in.read();
      left -= value < 0 ? 0 : 1;
      return value;
    }

    @Override
    public int read(byte[] target, int from, int length) throws IOException {
      if (left == 0) {
        return length == 0 ? 0 : -1;
      }
      int read = in.read(target, from, (int) Math.min(length, left));
      left -= Math.max(0, read);
      return read;
    }
  }
}
