package dev.rais.natives;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.Consumer;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;

/** What a file's content must be. */
public sealed interface Checksum {
  /** Whether the file has this content. */
  boolean isOf(Path file) throws IOException;

  /**
   * The size and CRC that a jar records for a resource: finds cut and damaged copies. Of a resource
   * that is not in a jar, they are computed.
   */
  static Checksum recorded(URL resource) throws IOException {
    if (resource.openConnection() instanceof JarURLConnection jar) {
      JarEntry entry = jar.getJarEntry();
      return new Crc(entry.getSize(), entry.getCrc());
    }
    CRC32 crc = new CRC32();
    long numBytes = 0;
    try (InputStream in = resource.openStream()) {
      byte[] part = new byte[1 << 16];
      for (int n = in.read(part); n >= 0; n = in.read(part)) {
        crc.update(part, 0, n);
        numBytes += n;
      }
    }
    return new Crc(numBytes, crc.getValue());
  }

  /**
   * A SHA-256.
   *
   * @param text 64 hexadecimal digits, perhaps followed by the file's name, as {@code sha256sum}
   *     writes it
   * @throws IllegalArgumentException if it begins with anything else
   */
  static Checksum sha256(String text) {
    String digits = text.strip().split("\\s", 2)[0];
    if (!digits.matches("\\p{XDigit}{64}")) {
      throw new IllegalArgumentException(
          "a SHA-256 has 64 hexadecimal digits, but this begins with '" + digits + "'");
    }
    return new Sha256(digits.toLowerCase(java.util.Locale.ROOT));
  }

  /** Hands over the file's content, mapped for as long as that takes: it may be 100 MB of it. */
  private static void read(Path file, Consumer<ByteBuffer> reader) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        Arena arena = Arena.ofConfined()) {
      reader.accept(
          channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena).asByteBuffer());
    }
  }

  /** Size and CRC-32. */
  record Crc(long numBytes, long value) implements Checksum {
    @Override
    public boolean isOf(Path file) throws IOException {
      if (Files.size(file) != numBytes) {
        return false;
      }
      CRC32 crc = new CRC32();
      read(file, crc::update);
      return crc.getValue() == value;
    }

    @Override
    public String toString() {
      return "%d bytes with CRC %08x".formatted(numBytes, value);
    }
  }

  /** SHA-256, as 64 lower-case hexadecimal digits. */
  record Sha256(String digits) implements Checksum {
    @Override
    public boolean isOf(Path file) throws IOException {
      try {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        read(file, digest::update);
        return HexFormat.of().formatHex(digest.digest()).equals(digits);
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException(e); // every JVM has it
      }
    }

    @Override
    public String toString() {
      return "SHA-256 " + digits;
    }
  }
}
