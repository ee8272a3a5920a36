package dev.rais.report;

import dev.rais.train.RunFileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * A file of events that TensorBoard reads: records of protocol buffers, each framed by its length
 * and checksums. Of the format only scalars are written.
 *
 * <p>A record is uint64 length, uint32 masked CRC-32C of these eight bytes, the bytes, uint32
 * masked CRC-32C of the bytes, all little-endian. An event has the fields 1 wall_time (double), 2
 * step (int64), 3 file_version (string) and 5 summary, whose values (1) have 1 tag and 2
 * simple_value (float).
 */
final class EventFile implements AutoCloseable {
  private static final String VERSION = "brain.Event:2";
  private static final int MASK_DELTA = 0xa282ead8;

  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int LENGTH_DELIMITED = 2;
  private static final int FIXED32 = 5;

  private final Path file;
  private final OutputStream out;

  /**
   * Begins a file.
   *
   * @param seconds wall time since 1970
   * @throws RunFileException if it exists already or cannot be written
   */
  EventFile(Path file, double seconds) {
    this.file = file;
    try {
      Files.createDirectories(file.toAbsolutePath().getParent());
      out = Files.newOutputStream(file, StandardOpenOption.CREATE_NEW);
    } catch (IOException e) {
      throw failed(e);
    }
    Message event = new Message().fixed64(1, seconds).bytes(3, utf8(VERSION));
    write(event.bytes());
  }

  /** Adds scalars; those that are not finite are left out. */
  void add(double seconds, long step, Map<String, Double> scalars) {
    Message summary = new Message();
    scalars.forEach(
        (tag, value) -> {
          if (Double.isFinite(value)) {
            Message scalar = new Message().bytes(1, utf8(tag)).fixed32(2, value.floatValue());
            summary.bytes(1, scalar.bytes());
          }
        });
    write(new Message().fixed64(1, seconds).varint(2, step).bytes(5, summary.bytes()).bytes());
  }

  private void write(byte[] data) {
    ByteBuffer record = ByteBuffer.allocate(data.length + 16).order(ByteOrder.LITTLE_ENDIAN);
    record.putLong(data.length).putInt(maskedCrc(record.array(), 8));
    record.put(data).putInt(maskedCrc(data, data.length));
    try {
      out.write(record.array());
      out.flush();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** Masked, because a checksum of data that hold checksums is not a good one. */
  private static int maskedCrc(byte[] data, int length) {
    CRC32C crc = new CRC32C();
    crc.update(data, 0, length);
    return Integer.rotateRight((int) crc.getValue(), 15) + MASK_DELTA;
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private RunFileException failed(IOException e) {
    return new RunFileException("cannot write events to %s: %s".formatted(file, e), e);
  }

  @Override
  public void close() {
    try {
      out.close();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** A protocol buffer under construction. */
  private static final class Message {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private void tag(int field, int type) {
      unsigned((long) field << 3 | type);
    }

    private void unsigned(long value) {
      long rest = value;
      while ((rest & ~0x7fL) != 0) {
        out.write((int) (rest & 0x7f | 0x80));
        rest >>>= 7;
      }
      out.write((int) rest);
    }

    Message varint(int field, long value) {
      tag(field, VARINT);
      unsigned(value);
      return this;
    }

    Message fixed64(int field, double value) {
      tag(field, FIXED64);
      ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putDouble(value);
      out.writeBytes(bytes.array());
      return this;
    }

    Message fixed32(int field, float value) {
      tag(field, FIXED32);
      ByteBuffer bytes = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(value);
      out.writeBytes(bytes.array());
      return this;
    }

    Message bytes(int field, byte[] value) {
      tag(field, LENGTH_DELIMITED);
      unsigned(value.length);
      out.writeBytes(value);
      return this;
    }

    byte[] bytes() {
      return out.toByteArray();
    }
  }
}
