package dev.rais.backend.cpu;

import dev.rais.backend.Buffer;
import java.lang.foreign.MemorySegment;

/**
 * The fastest copy that Java has: one bulk copy per thread, which bypasses the caches where it is
 * large. What kernels are compared with.
 */
public final class HostCopy implements AutoCloseable {
  private final Workers workers;

  /** With a crew of its own. */
  public HostCopy(int threads) {
    workers = new ForkJoinWorkers(threads);
  }

  /** Copies float buffers of the same count, below 2^31. */
  public void copy(Buffer from, Buffer to) {
    MemorySegment source = CpuBuffer.segment(from);
    MemorySegment target = CpuBuffer.segment(to);
    workers.run(
        Math.toIntExact(from.count()),
        1,
        (begin, end) -> {
          long at = begin * (long) Float.BYTES;
          MemorySegment.copy(source, at, target, at, (end - begin) * (long) Float.BYTES);
        });
  }

  @Override
  public void close() {
    workers.close();
  }
}
