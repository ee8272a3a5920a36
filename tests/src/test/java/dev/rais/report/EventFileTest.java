package dev.rais.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.train.Metrics;
import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Event files are those that TensorBoard's own writer makes. */
class EventFileTest {
  /** Two events as TensorBoard's record writer and protocol buffers wrote them. */
  private static final String KNOWN_GOOD =
      // length 24, its checksum, wall time 1234.5, "brain.Event:2", checksum
      "1800000000000000"
          + "a37f4b22"
          + "090000000000"
          + "4a9340"
          + "1a0d627261696e2e4576656e743a32"
          + "65b8d3fb"
          // length 52, its checksum, wall time 1240, step 300, a summary of two scalars, checksum
          + "3400000000000000"
          + "5e33175c"
          + "090000000000"
          + "609340"
          + "10ac02"
          + "2a26"
          + "0a110a0a746573742f6572726f72150000803e"
          + "0a110a0a747261696e2f6c6f7373150000c03f"
          + "aefaaf50";

  @TempDir Path folder;

  @Test
  void theBytesAreThoseOfTensorBoardsWriter() throws IOException {
    Path file = folder.resolve("deep/events");
    try (EventFile events = new EventFile(file, 1234.5)) {
      Map<String, Double> scalars = new LinkedHashMap<>();
      scalars.put("test/error", 0.25);
      scalars.put("not/finite", Double.NaN);
      scalars.put("train/loss", 1.5);
      events.add(1240, 300, scalars);
    }
    assertArrayEquals(HexFormat.of().parseHex(KNOWN_GOOD), Files.readAllBytes(file));
    RunFileException e = assertThrows(RunFileException.class, () -> new EventFile(file, 1));
    assertTrue(e.getMessage().contains("cannot write events to " + file), e.getMessage());
  }

  @Test
  void everyEvaluationBecomesAnEvent() throws IOException {
    RunRecord rais = Runs.run("rais", 3, 1, 0.5, 0.3, 0.1);
    PlannedRun run = new PlannedRun("rais:gain-max=2", rais.config(), rais.directory());
    try (TensorBoardLogs logs = new TensorBoardLogs(folder, false)) {
      for (Metrics metrics : rais.metrics()) {
        logs.evaluated(run, metrics);
      }
    }
    Path own = folder.resolve("rais+gain-max=2-seed3");
    List<Path> files;
    try (var all = Files.list(own)) {
      files = all.toList();
    }
    assertEquals(1, files.size());
    assertTrue(files.getFirst().getFileName().toString().contains("tfevents"));
    List<byte[]> records = records(Files.readAllBytes(files.getFirst()));
    assertEquals(1 + rais.metrics().size(), records.size());
    String last = new String(records.getLast(), java.nio.charset.StandardCharsets.ISO_8859_1);
    for (String tag : TensorBoardLogs.scalars(rais.metrics().getLast()).keySet()) {
      assertTrue(last.contains(tag), tag);
    }
  }

  /** Takes the frames apart; checksums by a table-free CRC-32C of their own. */
  private static List<byte[]> records(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    List<byte[]> records = new ArrayList<>();
    while (in.hasRemaining()) {
      byte[] head = new byte[8];
      in.get(in.position(), head);
      long length = in.getLong();
      assertEquals(masked(head), in.getInt());
      byte[] data = new byte[(int) length];
      in.get(data);
      assertEquals(masked(data), in.getInt());
      records.add(data);
    }
    return records;
  }

  private static int masked(byte[] data) {
    int crc = -1;
    for (byte b : data) {
      crc ^= b & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        crc = crc >>> 1 ^ (0x82f63b78 & -(crc & 1));
      }
    }
    crc = ~crc;
    return (crc >>> 15 | crc << 17) + 0xa282ead8;
  }
}
