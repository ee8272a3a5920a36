package dev.rais.gpucheck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import dev.rais.kernels.NativeBuild;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Traces of a device, by way of a CUPTI that makes up what it says. */
class DeviceTraceTest {
  private static final String SOURCE = "native-build/device_trace.c";

  /**
   * Gives records when it is flushed: a kernel, a copy, a fill, a kernel without times, one that
   * ends before all is of interest, and a graph if these are asked for, else its two kernels.
   */
  private static final String FAKE =
      """
      #include <stdint.h>
      #include <stdlib.h>
      #include <string.h>
      enum { SIZE = 160 };
      static void (*requested)(uint8_t**, size_t*, size_t*);
      static void (*completed)(void*, uint32_t, uint8_t*, size_t, size_t);
      static int enabled[64];
      static uint64_t now = 1000;
      static uint8_t* buffer;
      static size_t used;
      static void put(uint32_t kind, uint64_t start, uint64_t end, const char* name) {
        uint8_t* record = buffer + used;
        size_t at = kind == 51 ? 8 : 16;
        memset(record, 0xee, SIZE);
        memcpy(record, &kind, 4);
        memcpy(record + at, &start, 8);
        memcpy(record + at + 8, &end, 8);
        memcpy(record + 104, &name, 8);
        used += SIZE;
      }
      int cuptiActivityRegisterCallbacks(void* r, void* c) { requested = r; completed = c; return 0; }
      int cuptiActivityEnable(int kind) { enabled[kind] = 1; return ENABLE; }
      int cuptiActivityDisable(int kind) { enabled[kind] = 0; return 0; }
      int cuptiGetTimestamp(uint64_t* time) { *time = now; now += 1000; return 0; }
      int cuptiActivityGetNumDroppedRecords(void* c, uint32_t s, size_t* d) { *d = 3; return 0; }
      int cuptiGetResultString(int status, const char** text) { *text = "made up"; return 0; }
      int cuptiActivityGetNextRecord(uint8_t* b, size_t valid, void** record) {
        uint8_t* next = *record == NULL ? b : (uint8_t*)*record + SIZE;
        if (next >= b + valid) return 12;
        *record = next;
        return 0;
      }
      int cuptiActivityFlushAll(uint32_t flag) {
        size_t size = 0, most = 0;
        if (flag != 1 || !enabled[10] || !enabled[1] || !enabled[2]) return 1;
        requested(&buffer, &size, &most);
        if (size < 16 * SIZE) return 2;
        put(10, 1100, 1300, "first kernel");
        put(1, 1250, 1400, NULL);
        put(2, 1500, 1550, NULL);
        put(10, 0, 0, "without times");
        put(10, 10, 20, "long ago");
        put(38, 1100, 1900, NULL);
        if (enabled[51]) {
          put(51, 1700, 2500, NULL);
        } else {
          put(10, 1700, 1750, "second kernel");
          put(10, 1800, 1900, "second kernel");
        }
        completed(NULL, 0, buffer, size, used);
        return 0;
      }
      """;

  @TempDir Path folder;

  private static void compile(Path source, Path library, String... options) throws Exception {
    boolean found = new Programs(source, source, System.getenv("PATH")).find("cc").isPresent();
    Requirements.need("cc", found, "there is no C compiler");
    List<String> command =
        new java.util.ArrayList<>(List.of("cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC"));
    command.addAll(List.of(options));
    command.addAll(List.of("-o", library.toString(), source.toString(), "-ldl", "-lpthread"));
    NativeBuild.run(command.toArray(String[]::new));
  }

  private Path tracer() throws Exception {
    Path library = folder.resolve("libdevice_trace.so");
    compile(NativeBuild.ROOT.resolve(SOURCE), library, "-Wextra");
    return library;
  }

  private Path fake(String options) throws Exception {
    Path source = Files.writeString(folder.resolve("fake.c"), FAKE);
    Path library = folder.resolve("libfake.so");
    compile(source, library, options);
    return library;
  }

  private Timeline trace(boolean kernels) throws Exception {
    Path file = folder.resolve("trace.txt");
    try (DeviceTrace trace = DeviceTrace.begin(tracer(), fake("-DENABLE=0"), kernels)) {
      long from = trace.now();
      assertEquals(1000, from);
      trace.end(from, trace.now(), file);
    }
    return Timeline.read(file);
  }

  @Test
  void aGraphIsOneItem() throws Exception {
    Timeline found = trace(false);
    assertEquals(1000, found.from());
    assertEquals(2000, found.to());
    assertEquals(3, found.dropped());
    assertEquals(1, found.untimed());
    assertEquals(
        List.of(
            new Timeline.Item(1100, 1300, "first kernel"),
            new Timeline.Item(1250, 1400, "copy"),
            new Timeline.Item(1500, 1550, "fill"),
            new Timeline.Item(1700, 2500, "graph")),
        found.items());
    // 1100 to 1400, 1500 to 1550, 1700 to 2000.
    assertEquals(0.65, found.busyShare(), 1e-12);
  }

  @Test
  void kernelsOfGraphsAreItemsIfAskedFor() throws Exception {
    Timeline found = trace(true);
    assertEquals(5, found.items().size());
    assertEquals(0.5, found.busyShare(), 1e-12);
  }

  @Test
  void whatCuptiRefusesIsTold() throws Exception {
    Path tracer = tracer();
    Path refusing = fake("-DENABLE=35");
    assertEquals(
        "recording: CUPTI's status 35, made up",
        assertThrows(IllegalStateException.class, () -> DeviceTrace.begin(tracer, refusing, true))
            .getMessage());
    String message =
        assertThrows(IllegalStateException.class, () -> DeviceTrace.begin(tracer, tracer, true))
            .getMessage();
    assertEquals("CUPTI has no cuptiActivityRegisterCallbacks", message);
  }

  /** Where CUPTI's headers are, they have everything where it is read. */
  @Test
  void recordsAreAsCuptisHeadersHaveThem() throws Exception {
    Path headers = Path.of("/usr/local/cuda/include");
    boolean there = Files.exists(headers.resolve("cupti_activity.h"));
    Requirements.need("cupti-headers", there, "there is no " + headers + "/cupti_activity.h");
    compile(
        NativeBuild.ROOT.resolve(SOURCE),
        folder.resolve("checked.so"),
        "-DRAIS_WITH_CUPTI_HEADERS",
        "-I" + headers);
  }

  private static Timeline timeline(long dropped, Timeline.Item... items) {
    return new Timeline(100, 200, dropped, 0, List.of(items));
  }

  private static Timeline.Item item(long start, long end, String name) {
    return new Timeline.Item(start, end, name);
  }

  @Test
  void timeIsCountedOnceAndOnlyWithinTheTrace() {
    Timeline found =
        timeline(
            0,
            item(150, 160, "b"),
            item(0, 120, "a"),
            item(110, 130, "a"),
            item(155, 158, "c"),
            item(190, 900, "b"),
            item(300, 400, "z"));
    assertEquals(0.5, found.busyShare(), 1e-12);
    Map<String, Object> values = found.values(2, true);
    assertEquals(0.03, values.get("longestGapMicros"));
    assertEquals(0.05, values.get("microsPerStep"));
    List<?> profile = (List<?>) values.get("profile");
    assertEquals("b", ((Map<?, ?>) profile.getFirst()).get("name"));
    assertEquals(1.0, ((Map<?, ?>) profile.getFirst()).get("launchesPerStep"));
    assertEquals(1.0, timeline(0, item(0, 999, "a")).busyShare());
    assertEquals(0.0, timeline(0, item(0, 99, "a")).busyShare());
  }

  @Test
  void aTraceThatLostSomethingSaysNothing() {
    assertThrows(IllegalStateException.class, () -> timeline(0).values(1, false));
    String message =
        assertThrows(
                IllegalStateException.class, () -> timeline(2, item(1, 2, "a")).values(1, false))
            .getMessage();
    assertEquals("the trace says nothing: 1 records, 2 lost, of 100 ns", message);
  }

  @Test
  void aDamagedTraceIsTold() throws Exception {
    for (String text : List.of("", "1 2 3", "1 2 0 0\n5 x y", "1 2 0 0\n5 6")) {
      Path file = Files.writeString(folder.resolve("damaged"), text);
      String message = assertThrows(IOException.class, () -> Timeline.read(file)).getMessage();
      assertTrue(message.startsWith(file + " is no trace: "), message);
    }
  }
}
