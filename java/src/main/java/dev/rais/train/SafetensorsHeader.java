package dev.rais.train;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import dev.rais.sampling.ElementType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * The header of a safetensors file, checked: 8 bytes of length, then JSON that names the tensors
 * and says where in the rest of the file each one lies.
 *
 * <p>It is read piece by piece, with bounds on every count, so that a hostile file costs no more
 * memory than a small multiple of its size.
 *
 * @param metadata the free texts under {@code __metadata__}
 * @param tensors by name, in the order of their data, which they cover without gap or overlap
 * @param dataStart where in the file the data begins, in bytes
 */
record SafetensorsHeader(
    Map<String, String> metadata, Map<String, Tensor> tensors, long dataStart) {
  static final long MAX_HEADER_BYTES = 100_000_000;
  private static final int MAX_ENTRIES = 10_000;
  private static final int MAX_DIMS = 8;

  /**
   * A tensor.
   *
   * @param type of its elements
   * @param dims sizes, outermost first
   * @param begin its first byte, counted from the beginning of the data
   * @param end the byte after its last
   */
  record Tensor(ElementType type, List<Long> dims, long begin, long end) {}

  /**
   * Reads and checks it.
   *
   * @param types types that tensors may have
   * @throws RunFileException if the file cannot be read or is not whole
   */
  static SafetensorsHeader read(Path file, Set<ElementType> types) {
    Map<String, ElementType> byName = new TreeMap<>();
    types.forEach(type -> byName.put(type.name(), type));
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      long length = 8 <= size ? readFully(channel, file, 0, 8).getLong() : 0;
      if (size < 8) {
        throw new RunFileException(
            "%s has %d bytes, expected a safetensors file of at least 8".formatted(file, size));
      }
      if (length < 2 || length > Math.min(MAX_HEADER_BYTES, size - 8)) {
        throw new RunFileException(
            "%s is no whole safetensors file: its header would have %s bytes, expected 2 to %d"
                .formatted(
                    file,
                    Long.toUnsignedString(length),
                    Math.max(2, Math.min(MAX_HEADER_BYTES, size - 8))));
      }
      ByteBuffer json = readFully(channel, file, 8, (int) length);
      return new Reader(file, byName, size - 8 - length).read(json.array(), 8 + length);
    } catch (IOException e) {
      throw new RunFileException("cannot read " + file + ": " + WholeFile.reason(e, file), e);
    }
  }

  private static ByteBuffer readFully(FileChannel channel, Path file, long position, int count)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, position + bytes.position()) < 0) {
        throw new RunFileException(file + " became shorter while it was read");
      }
    }
    return bytes.flip();
  }

  /** Reads the JSON; {@code dataBytes} follow it in the file. */
  private record Reader(Path file, Map<String, ElementType> types, long dataBytes) {
    SafetensorsHeader read(byte[] json, long dataStart) throws IOException {
      Map<String, String> metadata = new LinkedHashMap<>();
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      try (JsonParser parser = new JsonFactory().createParser(json)) {
        expect(parser, parser.nextToken(), JsonToken.START_OBJECT, () -> "an object");
        boolean hasMetadata = false;
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          boolean repeated;
          if (name.equals("__metadata__")) {
            repeated = hasMetadata;
            hasMetadata = true;
            readMetadata(parser, metadata);
          } else {
            repeated = tensors.put(name, readTensor(parser, name)) != null;
          }
          if (repeated) {
            throw damaged("it names " + ModelFile.quoted(name) + " twice");
          }
          requireFew(tensors);
        }
        if (parser.nextToken() != null) {
          throw damaged("something follows its end");
        }
      } catch (JsonProcessingException e) {
        throw new RunFileException(
            "%s: its header is no JSON (%s)"
                .formatted(file, e.getOriginalMessage().lines().findFirst().orElse("")),
            e);
      }
      return new SafetensorsHeader(metadata, inOrder(tensors), dataStart);
    }

    private void readMetadata(JsonParser parser, Map<String, String> metadata) throws IOException {
      expect(parser, parser.currentToken(), JsonToken.START_OBJECT, () -> "an object of metadata");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        expect(parser, parser.nextToken(), JsonToken.VALUE_STRING, () -> "a text for " + key);
        if (metadata.put(key, parser.getText()) != null) {
          throw damaged("its metadata names " + ModelFile.quoted(key) + " twice");
        }
        requireFew(metadata);
      }
    }

    private Tensor readTensor(JsonParser parser, String name) throws IOException {
      // Made only for messages: a hostile header has thousands of tensors.
      Supplier<String> shown = () -> "tensor " + ModelFile.quoted(name);
      expect(
          parser,
          parser.currentToken(),
          JsonToken.START_OBJECT,
          () -> "an object for " + shown.get());
      String type = null;
      List<Long> dims = null;
      List<Long> offsets = null;
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        parser.nextToken();
        boolean repeated =
            switch (key) {
              case "dtype" -> type != null;
              case "shape" -> dims != null;
              case "data_offsets" -> offsets != null;
              default -> false;
            };
        if (repeated) {
          throw damaged("%s has two fields %s".formatted(shown.get(), ModelFile.quoted(key)));
        }
        switch (key) {
          case "dtype" -> {
            expect(
                parser,
                parser.currentToken(),
                JsonToken.VALUE_STRING,
                () -> "a type of " + shown.get());
            type = parser.getText();
          }
          case "shape" -> dims = sizes(parser, () -> shown.get() + ", shape", MAX_DIMS);
          case "data_offsets" -> offsets = sizes(parser, () -> shown.get() + ", data_offsets", 2);
          default -> throw damaged(shown.get() + " has the unknown field " + ModelFile.quoted(key));
        }
      }
      if (type == null || dims == null || offsets == null || offsets.size() != 2) {
        throw damaged(shown.get() + " needs a dtype, a shape and two data_offsets");
      }
      ElementType elements = types.get(type);
      if (elements == null) {
        throw damaged(
            "%s has the type %s, expected %s"
                .formatted(
                    shown.get(), ModelFile.quoted(type), String.join(" or ", types.keySet())));
      }
      long begin = offsets.get(0);
      long end = offsets.get(1);
      if (begin > end || end > dataBytes) {
        throw damaged(
            "%s lies at bytes %d to %d, expected a range within the %d bytes of data"
                .formatted(shown.get(), begin, end, dataBytes));
      }
      if (bytes(elements, dims) != end - begin) {
        throw damaged(
            "%s has the shape %s but %d bytes of data".formatted(shown.get(), dims, end - begin));
      }
      return new Tensor(elements, dims, begin, end);
    }

    /** Bytes of a tensor of this shape; -1 if more than a long can count. */
    private static long bytes(ElementType type, List<Long> dims) {
      try {
        long count = type.numBytes();
        for (long size : dims) {
          count = Math.multiplyExact(count, size);
        }
        return count;
      } catch (ArithmeticException e) {
        return -1;
      }
    }

    private List<Long> sizes(JsonParser parser, Supplier<String> what, int most)
        throws IOException {
      expect(
          parser, parser.currentToken(), JsonToken.START_ARRAY, () -> "a list for " + what.get());
      List<Long> sizes = new ArrayList<>(most);
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        expect(
            parser,
            parser.currentToken(),
            JsonToken.VALUE_NUMBER_INT,
            () -> "integers in " + what.get());
        long size =
            parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER
                ? -1
                : parser.getLongValue();
        if (size < 0 || sizes.size() == most) {
          throw damaged(
              "%s: found %s, expected at most %d integers from 0 to 2^63 - 1"
                  .formatted(what.get(), ModelFile.quoted(parser.getText()), most));
        }
        sizes.add(size);
      }
      return List.copyOf(sizes);
    }

    private Map<String, Tensor> inOrder(Map<String, Tensor> tensors) {
      Map<String, Tensor> ordered = new LinkedHashMap<>();
      tensors.entrySet().stream()
          .sorted(
              Comparator.comparingLong((Map.Entry<String, Tensor> e) -> e.getValue().begin())
                  .thenComparingLong(e -> e.getValue().end()))
          .forEach(e -> ordered.put(e.getKey(), e.getValue()));
      long covered = 0;
      for (Map.Entry<String, Tensor> entry : ordered.entrySet()) {
        Tensor tensor = entry.getValue();
        if (tensor.begin() != covered) {
          throw damaged(
              "tensor %s begins at byte %d, expected %d: tensors must neither overlap nor leave gaps"
                  .formatted(ModelFile.quoted(entry.getKey()), tensor.begin(), covered));
        }
        covered = tensor.end();
      }
      if (covered != dataBytes) {
        throw damaged(
            "its tensors take %d bytes, but the file has %d".formatted(covered, dataBytes));
      }
      return ordered;
    }

    private void requireFew(Map<String, ?> entries) {
      if (entries.size() > MAX_ENTRIES) {
        throw damaged("it has more than " + MAX_ENTRIES + " entries");
      }
    }

    private void expect(
        JsonParser parser, JsonToken found, JsonToken expected, Supplier<String> what)
        throws IOException {
      if (found != expected) {
        throw damaged(
            "found %s, expected %s"
                .formatted(
                    found == null ? "its end" : ModelFile.quoted(parser.getText()), what.get()));
      }
    }

    private RunFileException damaged(String what) {
      return new RunFileException(file + ": in its header, " + what);
    }
  }
}
