package dev.rais.data;

/**
 * Something is wrong with data the user supplied or asked for. The message is written for the user:
 * what was found, what was expected, what to do.
 */
public final class DataException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public DataException(String message) {
    super(message);
  }

  public DataException(String message, Throwable cause) {
    super(message, cause);
  }
}
