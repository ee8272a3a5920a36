package dev.rais.backend.cuda;

/**
 * A device's primary context, kept until it is closed, and what is made in it. It is current for
 * the thread that opened it; another thread calls {@link #use} first. Close what was made in it
 * before.
 */
public final class CudaContext implements AutoCloseable {
  private final CudaDriver driver;
  private final int device;
  private final long context;
  private boolean closed;

  private CudaContext(CudaDriver driver, int device, long context) {
    this.driver = driver;
    this.device = device;
    this.context = context;
  }

  /**
   * Opens a device.
   *
   * @param device its number, from 0 on
   * @throws CudaUnavailableException if there is no such device
   * @throws CudaException if it cannot be used
   */
  public static CudaContext open(CudaDriver driver, int device) {
    int count = driver.deviceCount();
    if (device < 0 || device >= count) {
      throw new CudaUnavailableException(
          "there is no CUDA device %d: the driver sees %d (CUDA_VISIBLE_DEVICES may hide some)"
              .formatted(device, count));
    }
    CudaContext context = new CudaContext(driver, device, driver.retainContext(device));
    try {
      context.use();
    } catch (Throwable e) {
      context.close();
      throw e;
    }
    return context;
  }

  /** Makes it the calling thread's context. */
  public void use() {
    driver.useContext(context);
  }

  /**
   * Allocates memory, which is not cleared.
   *
   * @param numBytes how much, at least 1
   */
  public DeviceMemory allocate(long numBytes) {
    if (numBytes < 1) {
      throw new IllegalArgumentException(
          "device memory has at least 1 byte, but " + numBytes + " were asked for");
    }
    return new DeviceMemory(driver, driver.allocate(numBytes), numBytes);
  }

  /** A new stream. */
  public CudaStream newStream() {
    return new CudaStream(driver, driver.createStream());
  }

  /** The device's name, its compute capability and the driver's version, one line for people. */
  public String description() {
    int capability = driver.computeCapability(device);
    int version = driver.version();
    return "%s, compute capability %d.%d, driver for CUDA %d.%d"
        .formatted(
            driver.deviceName(device),
            capability / 10,
            capability % 10,
            version / 1000,
            version % 1000 / 10);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      driver.releaseContext(device);
    }
  }
}
