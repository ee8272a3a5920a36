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
  private final Taken taken = new Taken();
  private final MemorySegment memory;
  private final long[] events = new long[2];
  private int half;
  private long used;

  Staging(Device device, long stream) {
    driver = device.driver();
    this.stream = stream;
    memory = device.allocateHost(2 * HALF);
    taken.push(() -> driver.freeHost(memory));
    try {
      device.createEvents(events, taken);
    } catch (Throwable e) {
      taken.giveBack(e);
      throw e;
    }
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
    taken.giveBack();
  }
}
