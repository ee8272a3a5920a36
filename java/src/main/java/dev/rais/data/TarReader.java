package dev.rais.data;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Goes through the regular files of a tar archive (POSIX ustar), in order. Nothing is unpacked to
 * the disk and no link is followed, so names in it can do no harm; an archive whose names would
 * lead out of its folder is refused all the same, as nobody honest makes one.
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
   * @param most bytes that are read of the archive
   * @throws IOException if the archive is cut off, longer than that, or no tar archive, or a name
   *     in it leads out of its folder
   */
  static void read(InputStream archive, long most, Visitor visitor) throws IOException {
    Limited in = new Limited(archive, most);
    try {
      readFiles(in, visitor);
      // To the end, so that a checksum of the whole is compared.
      in.transferTo(OutputStream.nullOutputStream());
    } catch (EOFException e) {
      if (in.left > 0) {
        throw new IOException("it ends within a file", e);
      }
    }
    if (in.left == 0 && archive.read() >= 0) {
      throw new IOException("it unpacks to more than %,d bytes".formatted(most));
    }
  }

  private static void readFiles(InputStream in, Visitor visitor) throws IOException {
    while (true) {
      byte[] header = in.readNBytes(BLOCK);
      if (header.length == 0 || isZero(header)) {
        return;
      }
      if (header.length < BLOCK) {
        throw new IOException("the archive ends within a file's header");
      }
      String name = text(header, 0, NAME_BYTES);
      requireWithin(name);
      long numBytes = size(header);
      Limited contents = new Limited(in, numBytes);
      // Old archives mark a regular file with a zero byte.
      if (header[TYPE_AT] == '0' || header[TYPE_AT] == 0) {
        visitor.file(name, numBytes, contents);
      }
      contents.skipRest();
      in.skipNBytes((BLOCK - numBytes % BLOCK) % BLOCK);
    }
  }

  private static void requireWithin(String name) throws IOException {
    boolean leads =
        name.startsWith("/")
            || name.indexOf('\\') >= 0
            || name.indexOf(':') >= 0
            || List.of(name.split("/")).contains("..");
    if (leads) {
      throw new IOException("it holds \"" + name + "\", a name that leads out of it");
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
