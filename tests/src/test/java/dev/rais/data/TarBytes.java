package dev.rais.data;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;

/** Makes a tar archive entry by entry, an honest or a hostile one. */
final class TarBytes {
  private static final int BLOCK = 512;
  private static final int SIZE_AT = 124;
  private static final int TYPE_AT = 156;
  private static final int LINK_AT = 157;
  private static final int PIECE = 8 << 20;

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  /** Adds an entry: '0' a file, '5' a folder. */
  TarBytes add(String name, char type, byte[] contents) {
    return add(name, type, "", contents.length, contents);
  }

  /** Adds a link: '1' a hard one, '2' a symbolic one. */
  TarBytes addLink(String name, char type, String to) {
    return add(name, type, to, 0, new byte[0]);
  }

  /** Adds an entry that claims to be longer or shorter than it is. */
  TarBytes addClaiming(String name, long size, byte[] contents) {
    return add(name, '0', "", size, contents);
  }

  private TarBytes add(String name, char type, String link, long size, byte[] contents) {
    byte[] header = new byte[BLOCK];
    put(header, 0, name);
    put(header, SIZE_AT, "%011o".formatted(size));
    header[TYPE_AT] = (byte) type;
    put(header, LINK_AT, link);
    bytes.writeBytes(header);
    bytes.writeBytes(contents);
    bytes.writeBytes(new byte[(BLOCK - contents.length % BLOCK) % BLOCK]);
    return this;
  }

  private static void put(byte[] header, int at, String text) {
    byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
    System.arraycopy(encoded, 0, header, at, encoded.length);
  }

  /** Ends the archive and writes it, packed. */
  void writeTo(Path target) throws IOException {
    bytes.writeBytes(new byte[2 * BLOCK]);
    Files.write(target, packed(bytes.toByteArray()));
  }

  /** The same with so many zeros at its end, or somewhat more. */
  void writeTo(Path target, long zeros) throws IOException {
    // A packed file may consist of several: the same megabytes again and again cost little. Where
    // reading fails between two, Java takes the first for all.
    int length = (int) Math.min(zeros, PIECE);
    byte[] piece = packed(new byte[length]);
    try (OutputStream out = Files.newOutputStream(target)) {
      out.write(packed(bytes.toByteArray()));
      for (long left = zeros; left > 0; left -= length) {
        out.write(piece);
      }
    }
  }

  private static byte[] packed(byte[] contents) throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(packed)) {
      out.write(contents);
    }
    return packed.toByteArray();
  }
}
