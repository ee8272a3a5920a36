package dev.rais.data;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.InflaterInputStream;

/**
 * Looks over a MATLAB file of version 5 to 7 before the library reads it, which would allocate
 * whatever a header claims. Only arrays of real numbers pass, with headers of a sensible size.
 */
final class MatFileCheck {
  /** Deflate packs at most this many bytes into one. */
  static final long MOST_PACKED = 1032;

  private static final int FILE_HEADER_BYTES = 128;
  private static final int TAG_BYTES = 8;

  /** More than the headers of an array of eight dimensions with the longest name have. */
  private static final int ARRAY_HEADER_BYTES = 256;

  private static final int MAX_DIMENSIONS = 8;
  private static final int MAX_NAME_BYTES = 63;

  private static final int INT8 = 1;
  private static final int INT32 = 5;
  private static final int UINT32 = 6;
  private static final int MATRIX = 14;
  private static final int COMPRESSED = 15;
  private static final int FIRST_NUMBERS = 6;
  private static final int LAST_NUMBERS = 15;
  private static final int COMPLEX = 0x800;

  /** Type and length of what follows; where both fit into 8 bytes with the data, so do they. */
  private record Tag(int type, long numBytes, boolean small) {}

  private MatFileCheck() {}

  /**
   * @throws IOException if the file cannot be read or what it claims cannot be; says what
   */
  static void check(Path file) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      byte[] header = in.readNBytes(FILE_HEADER_BYTES);
      ByteOrder order = order(header);
      long left = Files.size(file) - FILE_HEADER_BYTES;
      while (left > 0) {
        Tag tag = tag(ByteBuffer.wrap(in.readNBytes(TAG_BYTES)).order(order));
        left -= TAG_BYTES;
        if (tag.small() || tag.numBytes() > left) {
          throw new IOException("it ends too early");
        }
        byte[] start;
        long most = tag.numBytes();
        if (tag.type() == COMPRESSED) {
          most *= MOST_PACKED;
          byte[] packed = in.readNBytes((int) Math.min(tag.numBytes(), 16L * ARRAY_HEADER_BYTES));
          in.skipNBytes(tag.numBytes() - packed.length);
          start = unpack(packed);
          ByteBuffer inner = ByteBuffer.wrap(start).order(order);
          if (tag(inner).type() != MATRIX) {
            throw new IOException("it holds something that is no array");
          }
          start = java.util.Arrays.copyOfRange(start, TAG_BYTES, start.length);
        } else if (tag.type() == MATRIX) {
          start = in.readNBytes((int) Math.min(tag.numBytes(), ARRAY_HEADER_BYTES));
          in.skipNBytes(tag.numBytes() - start.length);
        } else {
          throw new IOException("it holds something that is no array");
        }
        checkArray(ByteBuffer.wrap(start).order(order), most);
        left -= tag.numBytes();
      }
    } catch (BufferUnderflowException e) {
      throw new IOException("it ends too early", e);
    }
  }

  private static ByteOrder order(byte[] header) throws IOException {
    String mark =
        header.length < FILE_HEADER_BYTES ? "" : "" + (char) header[126] + (char) header[127];
    // The version stands before the mark and is written in the order that the mark tells.
    if (mark.equals("IM") && header[125] == 2 || mark.equals("MI") && header[124] == 2) {
      throw new IOException("it is of version 7.3; in MATLAB, save with -v7 writes the other one");
    }
    return switch (mark) {
      case "IM" -> ByteOrder.LITTLE_ENDIAN;
      case "MI" -> ByteOrder.BIG_ENDIAN;
      default -> throw new IOException("it does not begin as one");
    };
  }

  /** The first bytes of what was packed. */
  private static byte[] unpack(byte[] packed) throws IOException {
    try (InputStream in = new InflaterInputStream(new java.io.ByteArrayInputStream(packed))) {
      return in.readNBytes(ARRAY_HEADER_BYTES);
    }
  }

  private static Tag tag(ByteBuffer in) {
    int first = in.getInt();
    if (first >>> 16 != 0) {
      return new Tag(first & 0xffff, first >>> 16, true);
    }
    return new Tag(first, Integer.toUnsignedLong(in.getInt()), false);
  }

  /** Flags, dimensions, name, and the claim of how long the numbers are. */
  private static void checkArray(ByteBuffer in, long most) throws IOException {
    Tag flags = tag(in);
    int bits = flags.type() == UINT32 && flags.numBytes() == 8 ? in.getInt() : 0;
    int kind = bits & 0xff;
    if (kind < FIRST_NUMBERS || kind > LAST_NUMBERS || (bits & COMPLEX) != 0) {
      throw new IOException("it holds something that is no array of real numbers");
    }
    in.getInt();
    Tag dimensions = tag(in);
    skip(in, dimensions, INT32, 4L * MAX_DIMENSIONS, "dimensions");
    skip(in, tag(in), INT8, MAX_NAME_BYTES, "a name");
    Tag numbers = tag(in);
    if (numbers.numBytes() > most) {
      throw new IOException("it claims to hold an array of %d bytes".formatted(numbers.numBytes()));
    }
  }

  private static void skip(ByteBuffer in, Tag tag, int type, long most, String what)
      throws IOException {
    if (tag.type() != type || tag.numBytes() > most) {
      throw new IOException("an array in it has %s that cannot be".formatted(what));
    }
    // Everything begins at a multiple of 8 bytes; a small tag and its data are 8 together.
    int bytes = tag.small() ? 4 : Math.ceilDiv((int) tag.numBytes(), 8) * 8;
    if (bytes > in.remaining()) {
      throw new BufferUnderflowException();
    }
    in.position(in.position() + bytes);
  }
}
