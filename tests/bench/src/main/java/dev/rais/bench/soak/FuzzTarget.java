package dev.rais.bench.soak;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** Jazzer's way into a {@link FuzzReader}, which the system property rais.fuzz.reader names. */
public final class FuzzTarget {
  /** What a reader may allocate on the heap beside a multiple of the file. */
  private static final long BASE_BYTES = 4 << 20;

  /** How many times the size of the file it may allocate, garbage and buffers included. */
  private static final long BYTES_PER_BYTE = 500;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  // Jazzer calls static methods only.
  private static FuzzReader.Target target;

  private FuzzTarget() {}

  /** Called once by Jazzer. */
  public static void fuzzerInitialize() throws IOException {
    FuzzReader reader = FuzzReader.valueOf(System.getProperty("rais.fuzz.reader"));
    Path folder = Files.createTempDirectory(Path.of(System.getProperty("rais.fuzz.folder")), "in");
    target = reader.open(folder);
  }

  /** Called by Jazzer for every input. */
  public static void fuzzerTestOneInput(byte[] input) throws IOException {
    long limit = BASE_BYTES + BYTES_PER_BYTE * input.length;
    // Once more where it was much: the first time may have loaded classes.
    if (allocated(input) > limit) {
      long allocated = allocated(input);
      if (allocated > limit) {
        throw new AssertionError(
            "a file of %d bytes made its reader allocate %d bytes, more than %d"
                .formatted(input.length, allocated, limit));
      }
    }
  }

  private static long allocated(byte[] input) throws IOException {
    long before = THREADS.getCurrentThreadAllocatedBytes();
    target.read(input);
    return THREADS.getCurrentThreadAllocatedBytes() - before;
  }
}
