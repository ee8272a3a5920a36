package dev.rais.backend.cuda;

/** The kernels' library cannot be used here; the message says why and what would help. */
public final class KernelsUnavailableException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  KernelsUnavailableException(String message) {
    super(message);
  }

  KernelsUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
