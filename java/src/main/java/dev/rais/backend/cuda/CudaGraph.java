package dev.rais.backend.cuda;

/** Recorded work of a stream that can be put on one again, as one; owned. */
public final class CudaGraph implements AutoCloseable {
  private final CudaDriver driver;
  private final long executable;
  private boolean closed;

  CudaGraph(CudaDriver driver, long executable) {
    this.driver = driver;
    this.executable = executable;
  }

  /** Puts the work on a stream. */
  public void launch(CudaStream stream) {
    if (closed) {
      throw new IllegalStateException("this graph is closed");
    }
    driver.launch(executable, stream.handle());
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.destroyExecutable(executable);
    }
  }
}
