package dev.rais.train;

/**
 * A file of a run (a model file, or one of a run directory) cannot be written or read. The message
 * is written for the user: which file, what was found, what was expected.
 */
public final class RunFileException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public RunFileException(String message) {
    super(message);
  }

  public RunFileException(String message, Throwable cause) {
    super(message, cause);
  }
}
