package dev.rais.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.rais.sampling.ElementType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Named arrays and texts in memory, written to and read from a safetensors file with a checksum.
 *
 * <p>The checksum is the first entry of the metadata, {@code crc32c}: eight hexadecimal digits, the
 * CRC-32C of the whole file with these digits as zeros.
 *
 * @param metadata texts by name
 * @param tensors arrays by name
 */
record TensorFile(Map<String, String> metadata, Map<String, Tensor> tensors) {
  private static final String CHECKSUM = "crc32c";
  private static final String NO_CHECKSUM = "00000000";

  /** Where the digits of the checksum begin: behind the length of the header and this text. */
  private static final int CHECKSUM_AT =
      8 + ("{\"__metadata__\":{\"" + CHECKSUM + "\":\"").length();

  /** What one buffer covers: buffers are limited to 2 GiB, arrays here are not. */
  private static final long CHUNK = 1 << 26;

  private static final long SCRATCH_BYTES = 1 << 18;

  /**
   * An array.
   *
   * @param type of its elements
   * @param dims sizes, outermost first
   * @param values little-endian
   */
  record Tensor(ElementType type, List<Long> dims, MemorySegment values) {}

  /**
   * Writes the file; it appears whole or not at all, in place of an earlier one.
   *
   * @throws RunFileException if that fails
   */
  void write(Path file) {
    // Large elements first, so that each array is aligned to its elements.
    List<Map.Entry<String, Tensor>> ordered = new ArrayList<>(tensors.entrySet());
    ordered.sort(Comparator.comparingInt(e -> -e.getValue().type().numBytes()));
    byte[] start = start(ordered);
    WholeFile.write(
        file,
        channel -> {
          CRC32C crc = new CRC32C();
          crc.update(start);
          RunDirectory.writeAll(channel, ByteBuffer.wrap(start));
          MemorySegment scratch = Arena.ofAuto().allocate(SCRATCH_BYTES, 64);
          try (EarlySync sync = new EarlySync(channel)) {
            for (Map.Entry<String, Tensor> entry : ordered) {
              forNativeChunks(
                  entry.getValue().values(),
                  scratch,
                  chunk -> {
                    // Each piece is copied, summed and written while it is in the caches.
                    crc.update(chunk.duplicate());
                    RunDirectory.writeAll(channel, chunk);
                    sync.written();
                  });
            }
          }
          byte[] digits = "%08x".formatted(crc.getValue()).getBytes(StandardCharsets.US_ASCII);
          channel.position(CHECKSUM_AT);
          RunDirectory.writeAll(channel, ByteBuffer.wrap(digits));
        });
  }

  /** The length of the header and the header, padded so that the data begins at 8 bytes. */
  private byte[] start(List<Map.Entry<String, Tensor>> ordered) {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode header = mapper.createObjectNode();
    ObjectNode texts = header.putObject("__metadata__");
    texts.put(CHECKSUM, NO_CHECKSUM);
    metadata.forEach(texts::put);
    // Again: what was read from a file has that file's.
    texts.put(CHECKSUM, NO_CHECKSUM);
    long offset = 0;
    for (Map.Entry<String, Tensor> entry : ordered) {
      Tensor tensor = entry.getValue();
      ObjectNode node = header.putObject(entry.getKey());
      node.put("dtype", tensor.type().name());
      var shape = node.putArray("shape");
      tensor.dims().forEach(shape::add);
      var offsets = node.putArray("data_offsets").add(offset);
      offset += tensor.values().byteSize();
      offsets.add(offset);
    }
    byte[] json;
    try {
      json = mapper.writeValueAsBytes(header);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("no JSON can be made of the header", e);
    }
    int padded = (json.length + 7) / 8 * 8;
    ByteBuffer start = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    start.putLong(padded).put(json);
    Arrays.fill(start.array(), 8 + json.length, 8 + padded, (byte) ' ');
    return start.array();
  }

  /**
   * Reads a whole file and checks it.
   *
   * @throws RunFileException if it cannot be read, is damaged, or has no checksum
   */
  static TensorFile read(Path file) {
    SafetensorsHeader header = SafetensorsHeader.read(file, EnumSet.allOf(ElementType.class));
    String expected = header.metadata().get(CHECKSUM);
    if (expected == null || !expected.matches("[0-9a-f]{8}")) {
      throw new RunFileException(
          "%s is a safetensors file, but no checkpoint: its metadata has %s = %s, expected 8"
                  .formatted(file, CHECKSUM, expected == null ? null : ModelFile.quoted(expected))
              + " hexadecimal digits");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer start = ByteBuffer.allocate(Math.toIntExact(header.dataStart()));
      readFully(channel, file, start);
      byte[] bytes = start.array();
      byte[] zeros = NO_CHECKSUM.getBytes(StandardCharsets.US_ASCII);
      System.arraycopy(zeros, 0, bytes, CHECKSUM_AT, zeros.length);
      CRC32C crc = new CRC32C();
      crc.update(bytes);
      // The header's tensors cover the data, so this is as large as the file and not more.
      long dataBytes = channel.size() - header.dataStart();
      MemorySegment data = Arena.ofAuto().allocate(Math.max(1, dataBytes), 64);
      forChunks(
          data.asSlice(0, dataBytes),
          chunk -> {
            readFully(channel, file, chunk);
            crc.update(chunk.flip());
          });
      String found = "%08x".formatted(crc.getValue());
      if (!found.equals(expected)) {
        throw new RunFileException(
            "%s is damaged: its CRC-32C is %s, expected %s"
                .formatted(file, found, ModelFile.quoted(expected)));
      }
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      header
          .tensors()
          .forEach(
              (name, t) ->
                  tensors.put(
                      name,
                      new Tensor(
                          t.type(), t.dims(), data.asSlice(t.begin(), t.end() - t.begin()))));
      return new TensorFile(header.metadata(), tensors);
    } catch (IOException e) {
      throw new RunFileException("cannot read " + file + ": " + WholeFile.reason(e, file), e);
    }
  }

  private static void readFully(FileChannel channel, Path file, ByteBuffer to) throws IOException {
    while (to.hasRemaining()) {
      if (channel.read(to) < 0) {
        throw new RunFileException(file + " became shorter while it was read");
      }
    }
  }

  private interface ChunkAction {
    void accept(ByteBuffer chunk) throws IOException;
  }

  private static void forChunks(MemorySegment values, ChunkAction action) throws IOException {
    for (long at = 0; at < values.byteSize(); at += CHUNK) {
      long length = Math.min(CHUNK, values.byteSize() - at);
      action.accept(values.asSlice(at, length).asByteBuffer());
    }
  }

  /** The same for arrays on the heap too, which only native memory can be made a buffer of. */
  private static void forNativeChunks(
      MemorySegment values, MemorySegment scratch, ChunkAction action) throws IOException {
    if (values.isNative()) {
      forChunks(values, action);
      return;
    }
    for (long at = 0; at < values.byteSize(); at += scratch.byteSize()) {
      long length = Math.min(scratch.byteSize(), values.byteSize() - at);
      scratch.asSlice(0, length).copyFrom(values.asSlice(at, length));
      action.accept(scratch.asSlice(0, length).asByteBuffer());
    }
  }
}
