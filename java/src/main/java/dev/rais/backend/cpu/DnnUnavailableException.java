package dev.rais.backend.cpu;

/** oneDNN cannot be used here; the message says why and what would help. */
final class DnnUnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  DnnUnavailableException(String message) {
    super(message);
  }

  DnnUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
