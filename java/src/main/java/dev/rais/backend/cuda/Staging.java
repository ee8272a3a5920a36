package dev.rais.backend.cuda;

import java.lang.foreign.MemorySegment;

/**
 * Copies between Java's arrays and the device, through host memory that the device can reach. An
 * upload does not wait for the device: the memory is two halves in turn, and one is written again
 * only when the copies that read it are done.
 */
final class Staging implements AutoCloseable {
  private static final long HALF = 4L << 20;
  private static final long ALIGNMENT = 64;

  private final CudaDriver driver;
  private final long stream;
  private final MemorySegment memory;
  private final long[] events = new long[2];
  private int half;
  private long used;

  Staging(CudaDriver driver, long stream) {
    this.driver = driver;
    this.stream = stream;
    memory = driver.allocateHost(2 * HALF);
    events[0] = driver.createEvent();
    events[1] = driver.createEvent();
  }

  void upload(MemorySegment source, long pointer) {
    for (long at = 0; at < source.byteSize(); at += HALF) {
      long numBytes = Math.min(HALF, source.byteSize() - at);
      MemorySegment part = take(numBytes);
      MemorySegment.copy(source, at, part, 0, numBytes);
      driver.copyToDevice(pointer + at, part, numBytes, stream);
    }
  }

  /** Waits for the device. */
  void download(long pointer, MemorySegment target) {
    for (long at = 0; at < target.byteSize(); at += HALF) {
      long numBytes = Math.min(HALF, target.byteSize() - at);
      MemorySegment part = take(numBytes);
      driver.copyToHost(part, pointer + at, numBytes, stream);
      driver.synchronize(stream);
      MemorySegment.copy(part, 0, target, at, numBytes);
    }
  }

  private MemorySegment take(long numBytes) {
    if (used + numBytes > HALF) {
      driver.record(events[half], stream);
      half = 1 - half;
      driver.await(events[half]);
      used = 0;
    }
    MemorySegment part = memory.asSlice(half * HALF + used, numBytes);
    used = (used + numBytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return part;
  }

  @Override
  public void close() {
    driver.destroyEvent(events[0]);
    driver.destroyEvent(events[1]);
    driver.freeHost(memory);
  }
}
