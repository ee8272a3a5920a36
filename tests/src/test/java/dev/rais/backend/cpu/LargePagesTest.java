package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory in large pages. */
class LargePagesTest {
  private static final Path MAPPINGS = Path.of("/proc/self/smaps");
  private static final Path LARGE_PAGES = Path.of("/sys/kernel/mm/transparent_hugepage/enabled");
  private static final long LARGE = (8 << 20) + 20;

  @ParameterizedTest
  @ValueSource(longs = {0, 4, 1000, (4 << 20) - 1, 4 << 20, LARGE})
  void memoryIsAlignedAndFullOfZerosAndCanBeWritten(long numBytes) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = LargePages.allocate(arena, numBytes);
      assertEquals(numBytes, memory.byteSize());
      assertEquals(0, memory.address() % 64);
      try (Arena other = Arena.ofConfined()) {
        MemorySegment zeros = other.allocate(numBytes);
        assertEquals(-1, memory.mismatch(zeros));
      }
      memory.fill((byte) 1);
    }
  }

  @Test
  void linuxIsAskedForLargePagesAndGetsThemBack() throws IOException {
    assumeTrue(Files.exists(MAPPINGS), "no " + MAPPINGS + ": not Linux");
    assumeTrue(Files.exists(LARGE_PAGES), "no " + LARGE_PAGES + ": a kernel without large pages");
    Arena arena = Arena.ofShared();
    MemorySegment memory = LargePages.allocate(arena, LARGE);
    String flags = flags(memory.address());
    assertTrue(flags.contains(" hg"), "VmFlags:" + flags);

    arena.close();
    assertThrows(IllegalStateException.class, () -> memory.fill((byte) 1));
    // Something else may lie there by now.
    assertFalse(flags(memory.address()).contains(" hg"));
  }

  /** What the kernel knows of the mapping that an address lies in; "" if it is in none. */
  private static String flags(long address) throws IOException {
    boolean inside = false;
    List<String> lines = Files.readAllLines(MAPPINGS);
    for (String line : lines) {
      if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
        String[] ends = line.substring(0, line.indexOf(' ')).split("-");
        inside =
            Long.compareUnsigned(Long.parseUnsignedLong(ends[0], 16), address) <= 0
                && Long.compareUnsigned(address, Long.parseUnsignedLong(ends[1], 16)) < 0;
      } else if (inside && line.startsWith("VmFlags:")) {
        return line.substring("VmFlags:".length());
      }
    }
    return "";
  }

  @Test
  void moreThanThereIsIsOutOfMemory() {
    try (Arena arena = Arena.ofShared()) {
      assertThrows(OutOfMemoryError.class, () -> LargePages.allocate(arena, Long.MAX_VALUE / 4));
    }
  }
}
