package dev.rais.natives;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * Whether a file is a whole 64-bit ELF library. The system's loader maps what the file's header
 * promises without a look at the file's length, and a cut file ends the process with SIGBUS.
 */
public final class ElfFile {
  private static final int HEADER_BYTES = 64;
  private static final int SEGMENT_BYTES = 56;
  private static final int MAGIC = 0x464c457f;
  private static final byte CLASS_64 = 2;
  private static final byte LITTLE_ENDIAN = 1;

  private ElfFile() {}

  /** What is wrong with a file, in words; empty if nothing is. */
  public static Optional<String> problem(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      ByteBuffer header = read(channel, 0, HEADER_BYTES);
      if (header.remaining() < HEADER_BYTES
          || header.getInt(0) != MAGIC
          || header.get(4) != CLASS_64
          || header.get(5) != LITTLE_ENDIAN) {
        return Optional.of("it is no 64-bit ELF library");
      }
      long end = end(header.getLong(40), header.getShort(58), header.getShort(60));
      long segments = header.getLong(32);
      int segmentBytes = Short.toUnsignedInt(header.getShort(54));
      int segmentCount = Short.toUnsignedInt(header.getShort(56));
      end = Math.max(end, end(segments, (short) segmentBytes, (short) segmentCount));
      if (end <= size && end >= 0 && segmentBytes == SEGMENT_BYTES) {
        ByteBuffer table = read(channel, segments, segmentBytes * segmentCount);
        for (int at = 0; at + SEGMENT_BYTES <= table.limit(); at += SEGMENT_BYTES) {
          long last = table.getLong(at + 8) + table.getLong(at + 32);
          end = last < 0 ? Long.MAX_VALUE : Math.max(end, last);
        }
      }
      return end < 0 || end > size
          ? Optional.of(
              "it is cut or damaged: it has %d bytes, its header asks for more".formatted(size))
          : Optional.empty();
    }
  }

  private static long end(long offset, short entryBytes, short count) {
    if (offset < 0) {
      return Long.MAX_VALUE;
    }
    long last = offset + (long) Short.toUnsignedInt(entryBytes) * Short.toUnsignedInt(count);
    return last < 0 ? Long.MAX_VALUE : last;
  }

  private static ByteBuffer read(FileChannel channel, long from, int numBytes) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(numBytes).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining() && channel.read(bytes, from + bytes.position()) > 0) {
      // on to the next part
    }
    return bytes.flip();
  }
}
