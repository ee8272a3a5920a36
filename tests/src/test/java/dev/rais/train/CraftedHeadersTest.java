package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Headers of safetensors files that promise what cannot be: refused as models and as checkpoints,
 * with no more memory than a few times the file's size.
 */
class CraftedHeadersTest {
  private static final String METADATA =
      "\"__metadata__\":{\"crc32c\":\"00000000\",\"format\":\"rais-checkpoint\"}";

  /** What reading a good small file takes: buffers, the JSON parser, messages. */
  private static final long LITTLE = 1 << 20;

  @TempDir Path folder;

  private record Crafted(String name, byte[] bytes) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static byte[] bytes(long length, String json, int dataBytes) {
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + text.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(length)
        .put(text)
        .array();
  }

  private static Crafted header(String name, String json) {
    return new Crafted(name, bytes(json.getBytes(StandardCharsets.UTF_8).length, json, 24));
  }

  private static Crafted tensors(String name, String... tensors) {
    return header(name, "{" + METADATA + "," + String.join(",", tensors) + "}");
  }

  private static String tensor(String name, String shape, String offsets) {
    return "\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":%s}"
        .formatted(name, shape, offsets);
  }

  static Stream<Crafted> crafted() {
    String whole = tensor("a", "[6]", "[0,24]");
    Stream<Crafted> lengths =
        Stream.of(-1L, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32, 1L << 31, 100_000_000L, 0L, 1L)
            .map(l -> new Crafted("length " + l, bytes(l, "{" + METADATA + "," + whole + "}", 24)));
    String many =
        String.join(
            ",",
            IntStream.range(0, 50_000).mapToObj(i -> tensor("t" + i, "[0]", "[0,0]")).toList());
    return Stream.concat(
        lengths,
        Stream.of(
            tensors("huge size", tensor("a", "[9223372036854775807]", "[0,24]")),
            tensors("size beyond a long", tensor("a", "[92233720368547758080]", "[0,24]")),
            tensors(
                "product overflows to the size", tensor("a", "[4611686018427387910]", "[0,24]")),
            tensors("product overflows to 0", tensor("a", "[4294967296,4294967296]", "[0,0]")),
            tensors("negative size", tensor("a", "[-6]", "[0,24]")),
            tensors("negative product", tensor("a", "[-2,-3]", "[0,24]")),
            tensors("negative offset", tensor("a", "[6]", "[-24,0]")),
            tensors("end before begin", tensor("a", "[6]", "[24,0]")),
            tensors("offset beyond the data", tensor("a", "[6]", "[1099511627776,1099511627800]")),
            tensors(
                "offsets overflow",
                tensor("a", "[6]", "[9223372036854775800,9223372036854775807]")),
            tensors("overlap", tensor("a", "[4]", "[0,16]"), tensor("b", "[4]", "[8,24]")),
            tensors("same place", tensor("a", "[6]", "[0,24]"), tensor("b", "[6]", "[0,24]")),
            tensors("gap", tensor("a", "[2]", "[0,8]"), tensor("b", "[2]", "[16,24]")),
            tensors("less than the data", tensor("a", "[4]", "[0,16]")),
            tensors("named twice", whole, whole),
            tensors("many dims", tensor("a", "[" + "1,".repeat(200_000) + "6]", "[0,24]")),
            tensors("many tensors", many),
            tensors("long name", tensor("x".repeat(1_000_000), "[5]", "[0,24]")),
            tensors("long number", tensor("a", "[" + "9".repeat(900) + "]", "[0,24]")),
            tensors("very long number", tensor("a", "[" + "9".repeat(500_000) + "]", "[0,24]")),
            tensors("exponent", tensor("a", "[1e999999999]", "[0,24]")),
            header("deep lists", "[".repeat(1_000_000)),
            header("deep objects", "{\"a\":".repeat(200_000)),
            header("deep metadata", "{\"__metadata__\":" + "{\"a\":".repeat(200_000)),
            header("deep shape", "{\"a\":{\"shape\":" + "[".repeat(500_000)),
            header("spaces", "{" + " ".repeat(2_000_000)),
            header("no end", "{\"a"),
            header("escapes", "{\"" + "\\u0041".repeat(200_000)),
            header("broken UTF-8", "{\"\uD800")));
  }

  @ParameterizedTest
  @MethodSource("crafted")
  void refusedWithLittleMemory(Crafted crafted) throws IOException {
    Path file = Files.write(folder.resolve("crafted.safetensors"), crafted.bytes());
    refused(file, () -> ModelFile.read(file));
    refused(file, () -> Checkpoint.read(file));
  }

  private static void refused(Path file, Runnable read) throws IOException {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    RunFileException e = assertThrows(RunFileException.class, read::run);
    assertTrue(e.getMessage().contains(file.toString()), e.getMessage());
    assertTrue(e.getMessage().length() < 1000, () -> e.getMessage().substring(0, 1000));
    long before = threads.getCurrentThreadAllocatedBytes();
    assertThrows(RunFileException.class, read::run);
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    long most = LITTLE + 5 * Files.size(file);
    assertTrue(allocated < most, allocated + " bytes, at most " + most);
  }
}
