package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Normalization;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Network;
import dev.rais.nn.Shape;
import dev.rais.sampling.ElementType;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What model files hold, and which files are refused with which sentence. */
class ModelFileTest {
  private static final Model TINY =
      Model.builder("tiny", new Shape(1, 2, 1)).add("fc", new Dense(2)).build();
  private static final ModelFile.Description DESCRIPTION =
      new ModelFile.Description(
          "tiny",
          TINY.input(),
          List.of("no", "yes"),
          new Normalization(new float[] {0.25f}, new float[] {0.5f}),
          "coins",
          "rais");
  private static final String METADATA =
      "\"__metadata__\":{\"format_version\":\"1\",\"model\":\"tiny\",\"input_shape\":\"1x2x1\","
          + "\"classes\":\"2\",\"class_names\":\"[\\\"no\\\",\\\"yes\\\"]\","
          + "\"normalization_mean\":\"[0.25]\",\"normalization_std\":\"[0.5]\","
          + "\"data\":\"coins\",\"sampler\":\"rais\",\"created_by\":\"rais VERSION\"}";
  private static final String WEIGHT =
      "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}";
  private static final String BIAS =
      "\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}";

  private static Backend backend;
  @TempDir Path folder;

  @BeforeAll
  static void openBackend() {
    backend = Backends.open("cpu", 1, warning -> {});
  }

  @AfterAll
  static void closeBackend() {
    backend.close();
  }

  @Test
  void theBytesAreThoseOfTheFormat() throws IOException {
    Path file = folder.resolve("tiny.safetensors");
    try (Network network = new Network(backend, TINY, 1)) {
      network.values().upload(new float[] {1, -2, 0.5f, 3, 10, 20});
      ModelFile.write(file, network, DESCRIPTION);
    }
    String json =
        "{" + METADATA.replace("VERSION", Version.current()) + "," + WEIGHT + "," + BIAS + "}";
    byte[] header = json.getBytes(StandardCharsets.US_ASCII);
    int padded = (header.length + 7) / 8 * 8;
    ByteBuffer expected = ByteBuffer.allocate(8 + padded + 24).order(ByteOrder.LITTLE_ENDIAN);
    expected.putLong(padded).put(header);
    while (expected.position() < 8 + padded) {
      expected.put((byte) ' ');
    }
    for (int bits :
        new int[] {0x3f800000, 0xc0000000, 0x3f000000, 0x40400000, 0x41200000, 0x41a00000}) {
      expected.putInt(bits);
    }
    assertArrayEquals(expected.array(), Files.readAllBytes(file));
    assertEquals(List.of("tiny.safetensors"), names(folder), "nothing but the file");
  }

  @Test
  void whatIsWrittenIsReadBack() {
    Path file = folder.resolve("lenet5.safetensors");
    Model lenet = Models.create("lenet5", new Shape(28, 28, 1), 3);
    ModelFile.Description description =
        new ModelFile.Description(
            "lenet5",
            lenet.input(),
            List.of("größer", "\"quoted\"", "a/b"),
            new Normalization(new float[] {0.1f}, new float[] {0.3f}),
            "data",
            "uniform");
    try (Network written = new Network(backend, lenet, 42)) {
      ModelFile.write(file, written, description);
      ModelFile read = ModelFile.read(file);
      assertEquals(description, read.description());
      try (Network network = read.open(backend)) {
        assertArrayEquals(written.values().toFloats(), network.values().toFloats());
      }
    }
  }

  @Test
  void runningStatisticsAreWrittenAndReadBack() {
    Path file = folder.resolve("resnet8.safetensors");
    Model model = Models.resnet8(new Shape(8, 8, 1), 3);
    ModelFile.Description description =
        new ModelFile.Description(
            "resnet8",
            model.input(),
            List.of("a", "b", "c"),
            new Normalization(new float[] {0.1f}, new float[] {0.3f}),
            "data",
            "uniform");
    try (Network written = new Network(backend, model, 42)) {
      float[] statistics = written.stateValues().toFloats();
      for (int i = 0; i < statistics.length; i++) {
        statistics[i] = i + 0.25f;
      }
      written.stateValues().upload(statistics);
      ModelFile.write(file, written, description);
      SafetensorsHeader header = SafetensorsHeader.read(file, EnumSet.of(ElementType.F32));
      assertEquals(List.of(16L), header.tensors().get("bn1.running_var").dims());
      try (Network network = ModelFile.read(file).open(backend)) {
        assertArrayEquals(written.values().toFloats(), network.values().toFloats());
        assertArrayEquals(statistics, network.stateValues().toFloats());
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[16,24] | [16,28]    | tensor \"fc.bias\" lies at bytes 16 to 28, expected a range within"
            + " the 24 bytes of data",
        "[16,24] | [24,16]    | lies at bytes 24 to 16",
        "[16,24] | [-8,0]     | data_offsets: found \"-8\"",
        "[16,24] | [8,16]     | tensor \"fc.bias\" begins at byte 8, expected 16: tensors must"
            + " neither overlap nor leave gaps",
        "[16,24] | [0,8]      | begins at byte",
        "[16,24] | [16]       | needs a dtype, a shape and two data_offsets",
        "[16,24] | [16,24,32] | data_offsets: found \"32\", expected at most 2",
        "[16,24] | [9223372036854775807,9223372036854775807] | lies at bytes 9223372036854775807",
        "[16,24] | [99999999999999999999,0] | expected at most 2 integers from 0 to 2^63 - 1",
        "[16,24] | [16.0,24]  | found \"16.0\", expected integers",
        "[16,24] | 16         | found \"16\", expected a list",
        "[2,2]   | [2,3]      | tensor \"fc.weight\" has the shape [2, 3] but 16 bytes of data",
        "[2,2]   | [4]        | tensor fc.weight has the shape [4], expected [2, 2] for model tiny",
        "[2,2]   | [4294967296,4294967296,2,2] | but 16 bytes of data",
        "[2,2]   | [1,1,1,1,1,1,2,2,1] | expected at most 8 integers",
        "F32     | F16        | has the type \"F16\", expected F32",
        "F32     | F31        | has the type \"F31\", expected F32",
        "`\"dtype\":`  | `\"type\":` | has the unknown field \"type\"",
        "fc.bias | fc.bios    | lacks the tensor fc.bias that model tiny has",
        "fc.bias | fc.weight  | it names \"fc.weight\" twice",
        "`\"data\":`  | `\"data\":\"dice\",\"data\":` | its metadata names \"data\" twice",
        "`\"shape\":[2],` | `\"shape\":[9],\"shape\":[2],` | tensor \"fc.bias\" has two fields"
            + " \"shape\"",
        "`\"dtype\":\"F32\",\"shape\":[2],` | `\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],`"
            + " | has two fields \"dtype\"",
        "[16,24] | `[0,8],\"data_offsets\":[16,24]` | has two fields \"data_offsets\"",
        "fc.bias | __metadata__ | a text for",
        "`\"1\"` | `\"2\"`    | has the format version 2, expected 1",
        "`\"format_version\":\"1\",` | `` | no model of RAIS: its metadata lacks format_version",
        "1x2x1   | 1x2        | input_shape = \"1x2\", expected HEIGHTxWIDTHxCHANNELS",
        "1x2x1   | 0x2x1      | input_shape = \"0x2x1\"",
        "1x2x1   | 65536x65536x65536 | input_shape = \"65536x65536x65536\"",
        "1x2x1   | 1x2x3      | has a normalization of 1 channels, expected 3",
        "`\"classes\":\"2\"` | `\"classes\":\"3\"` | has \"3\" classes but 2 class names",
        "`[\\\"no\\\",\\\"yes\\\"]` | `[\\\"no\\\",null]` | expected a JSON list of names",
        "`[\\\"no\\\",\\\"yes\\\"]` | `{}`   | expected a JSON list of names",
        "`[\\\"no\\\",\\\"yes\\\"]` | `null` | expected a JSON list of names",
        "[0.25]  | [x]        | normalization_mean = \"[x]\", expected a JSON list of finite"
            + " numbers",
        "[0.5]   | [0]        | the deviation 0.0; both must be finite and the deviation above 0",
        "`\"rais\",\"created_by\"` | `7,\"created_by\"` | found \"7\", expected a text for sampler",
        "`{\"__metadata__\"` | `[\"__metadata__\"` | found \"[\", expected an object",
        "`\"data\":` | `\"data\"` | its header is no JSON",
      })
  void refusesAHeaderThatIsWrong(String part, String replacement, String sentence)
      throws IOException {
    String header = header();
    assertTrue(header.contains(part), part);
    refused(file(header.replace(part, replacement == null ? "" : replacement), 24), sentence);
  }

  @Test
  void refusesTensorsThatDoNotFillTheFile() throws IOException {
    refused(file(header(), 23), "expected a range within the 23 bytes of data");
    refused(file(header(), 28), "its tensors take 24 bytes, but the file has 28");
    String extra = ",\"more\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[24,28]}}";
    String header = header();
    refused(
        file(header.substring(0, header.length() - 1) + extra, 28),
        "has the tensor \"more\", which model tiny has not");
    refused(file(header + "{}", 24), "something follows its end");
  }

  @Test
  void refusesValuesThatAreNotFinite() throws IOException {
    byte[] bytes = Files.readAllBytes(file(header(), 24));
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(bytes.length - 4, Float.NaN);
    Path nan = Files.write(folder.resolve("nan"), bytes);
    refused(nan, "element 1 of tensor fc.bias is NaN, expected a finite number");
  }

  @Test
  void refusesAnUnknownModel() throws IOException {
    Path file = file(header(), 24);
    RunFileException e =
        assertThrows(RunFileException.class, () -> ModelFile.read(file).open(backend));
    assertEquals(
        file + ": there is no model \"tiny\"; models: " + String.join(", ", Models.names()),
        e.getMessage());
  }

  @Test
  void refusesAHeaderLengthThatCannotBe() throws IOException {
    for (long length : new long[] {0, 1, 100, 100_000_001, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
      byte[] bytes = new byte[20];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
      Path file = Files.write(folder.resolve("length"), bytes);
      refused(
          file,
          "its header would have " + Long.toUnsignedString(length) + " bytes, expected 2 to 12");
    }
    for (int size = 0; size < 8; size++) {
      Path file = Files.write(folder.resolve("short"), new byte[size]);
      refused(file, "has " + size + " bytes, expected a safetensors file of at least 8");
    }
    refused(folder.resolve("missing"), "there is no such file or folder");
    refused(folder, "cannot read " + folder);
  }

  @Test
  void refusesEveryTruncation() throws IOException {
    byte[] whole = Files.readAllBytes(file(header(), 24));
    for (int length = 0; length < whole.length; length++) {
      refused(Files.write(folder.resolve("cut"), Arrays.copyOf(whole, length)), "");
    }
  }

  @Test
  void damageIsRefusedOrHarmless() throws IOException {
    byte[] whole = Files.readAllBytes(file(header(), 24));
    long seed = Long.getLong("rais.test.seed", 20260101);
    Random random = new Random(seed);
    for (int trial = 0; trial < 3000; trial++) {
      byte[] damaged = whole.clone();
      for (int k = 0; k <= random.nextInt(3); k++) {
        damaged[random.nextInt(whole.length)] = (byte) random.nextInt(256);
      }
      Path file = Files.write(folder.resolve("damaged"), damaged);
      try (Network network = ModelFile.read(file).open(backend, TINY)) {
        network.values();
      } catch (RunFileException e) {
        assertEquals(1, e.getMessage().lines().count(), "seed " + seed + ": " + e.getMessage());
      }
    }
  }

  /** A file of so large a tensor would be too much for a test. */
  @Test
  void tensorsOfMoreBytesThanAnIntCountsAreReadInPieces() {
    assertEquals(0, ModelFile.pieceBytes(0));
    assertEquals(12, ModelFile.pieceBytes(3));
    int piece = ModelFile.pieceBytes(1 << 20);
    for (int floats : new int[] {1 << 29, 1 << 30, (1 << 30) + 1, Integer.MAX_VALUE}) {
      assertEquals(piece, ModelFile.pieceBytes(floats), floats + " floats");
    }
  }

  @Test
  void memoryIsBoundedByTheFile() throws IOException {
    // Many small things in the header, each of which costs more in memory than in the file.
    StringBuilder tensors = new StringBuilder("{\"a\":{\"dtype\":\"F32\",\"shape\":[");
    tensors.repeat("0,", 2_000_000).append("0]}}");
    StringBuilder metadata = new StringBuilder("{\"__metadata__\":{");
    for (int i = 0; i < 400_000; i++) {
      metadata.append('"').append(i).append("\":\"\",");
    }
    metadata.append("\"x\":\"\"}}");
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    for (String header : List.of("[".repeat(4_000_000), tensors.toString(), metadata.toString())) {
      Path file = file(header, 0);
      long before = threads.getCurrentThreadAllocatedBytes();
      refused(file, "");
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      assertTrue(
          allocated < 3 * Files.size(file) + (8 << 20),
          allocated + " bytes for a file of " + Files.size(file));
    }
    // Sizes that promise a huge network, in a small file.
    String huge = header().replace("1x2x1", "40000x40000x1").replace("\"tiny\"", "\"mlp\"");
    Path file = file(huge, 24);
    ModelFile read = ModelFile.read(file);
    long before = threads.getCurrentThreadAllocatedBytes();
    assertThrows(RunFileException.class, () -> read.open(backend));
    assertTrue(threads.getCurrentThreadAllocatedBytes() - before < 1 << 20);
  }

  private static String header() {
    return "{" + METADATA + "," + WEIGHT + "," + BIAS + "}";
  }

  /** A file with this header and so many bytes of zeros. */
  private Path file(String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length).put(json);
    return Files.write(folder.resolve("file.safetensors"), bytes.array());
  }

  private static void refused(Path file, String sentence) {
    RunFileException e =
        assertThrows(
            RunFileException.class, () -> ModelFile.read(file).open(backend, TINY).close());
    assertTrue(e.getMessage().contains(file.toString()), e.getMessage());
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
  }

  private static List<String> names(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
