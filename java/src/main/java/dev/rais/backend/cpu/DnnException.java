package dev.rais.backend.cpu;

/** oneDNN refused or failed to do something; the message says what. */
final class DnnException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  DnnException(String message) {
    super("oneDNN failed: " + message);
  }
}
