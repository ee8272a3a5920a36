package dev.rais.backend.cuda;

/** CUDA cannot be used here; the message says why in one sentence. */
public final class CudaUnavailableException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  private final boolean noDriver;

  /** Says why. */
  public CudaUnavailableException(String message) {
    this(message, null);
  }

  /** Says why, and what told us. */
  public CudaUnavailableException(String message, Throwable cause) {
    this(message, cause, false);
  }

  private CudaUnavailableException(String message, Throwable cause, boolean noDriver) {
    super(message, cause);
    this.noDriver = noDriver;
  }

  /** There is no driver: nothing is amiss where there is no GPU either. */
  public static CudaUnavailableException noDriver(String message, Throwable cause) {
    return new CudaUnavailableException(message, cause, true);
  }

  /** Whether it is because there is no driver. */
  public boolean isNoDriver() {
    return noDriver;
  }
}
