package dev.rais.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Memory of a device, owned. Copies are put on a stream: see {@link CudaDriver}. */
public final class DeviceMemory implements AutoCloseable {
  private final CudaDriver driver;
  private final long pointer;
  private final long numBytes;
  private boolean closed;

  DeviceMemory(CudaDriver driver, long pointer, long numBytes) {
    this.driver = driver;
    this.pointer = pointer;
    this.numBytes = numBytes;
  }

  /** Its size. */
  public long numBytes() {
    return numBytes;
  }

  /** A device pointer for kernels: an address that the host cannot read. */
  public MemorySegment at(long offset) {
    Objects.checkIndex(offset, numBytes);
    return MemorySegment.ofAddress(open() + offset);
  }

  /** Copies all of a native host segment to here. */
  public void copyFrom(MemorySegment host, long offset, CudaStream stream) {
    Objects.checkFromIndexSize(offset, host.byteSize(), numBytes);
    driver.copyToDevice(open() + offset, host, host.byteSize(), stream.handle());
  }

  /** Fills all of a native host segment from here. */
  public void copyTo(MemorySegment host, long offset, CudaStream stream) {
    Objects.checkFromIndexSize(offset, host.byteSize(), numBytes);
    driver.copyToHost(host, open() + offset, host.byteSize(), stream.handle());
  }

  /** Sets every byte. */
  public void fill(byte value, CudaStream stream) {
    driver.fill(open(), value, numBytes, stream.handle());
  }

  private long open() {
    if (closed) {
      throw new IllegalStateException("this device memory is closed");
    }
    return pointer;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.free(pointer);
    }
  }
}
