package dev.rais.backend.cuda;

import java.lang.foreign.MemorySegment;

/** A stream of work for a device, owned. */
public final class CudaStream implements AutoCloseable {
  private final CudaDriver driver;
  private final long stream;
  private boolean closed;

  CudaStream(CudaDriver driver, long stream) {
    this.driver = driver;
    this.stream = stream;
  }

  /** The stream as kernels take it. */
  public MemorySegment pointer() {
    return MemorySegment.ofAddress(handle());
  }

  long handle() {
    if (closed) {
      throw new IllegalStateException("this stream is closed");
    }
    return stream;
  }

  /** Waits until everything that was put on it is done. */
  public void synchronize() {
    driver.synchronize(handle());
  }

  /**
   * Records what the calling thread puts on this stream, none of which is done meanwhile.
   *
   * @param work puts it there; it must not wait for anything
   */
  public CudaGraph capture(Runnable work) {
    driver.beginCapture(handle());
    try {
      work.run();
    } catch (Throwable e) {
      // The stream must not stay in capture mode; that it cannot end well is no news.
      try {
        driver.destroyGraph(driver.endCapture(stream));
      } catch (CudaException ignored) {
        e.addSuppressed(ignored);
      }
      throw e;
    }
    long graph = driver.endCapture(stream);
    try {
      return new CudaGraph(driver, driver.instantiate(graph));
    } finally {
      driver.destroyGraph(graph);
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.destroyStream(stream);
    }
  }
}
