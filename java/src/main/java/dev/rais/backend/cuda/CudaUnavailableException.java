package dev.rais.backend.cuda;

/** CUDA cannot be used here; the message says why in one sentence. */
public final class CudaUnavailableException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  /** Says why. */
  public CudaUnavailableException(String message) {
    super(message);
  }

  /** Says why, and what told us. */
  public CudaUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
