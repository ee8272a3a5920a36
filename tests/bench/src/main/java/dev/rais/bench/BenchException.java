package dev.rais.bench;

/** A benchmark cannot go on; the message is a sentence for the person who runs it. */
public final class BenchException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** With the sentence to show. */
  public BenchException(String message) {
    super(message);
  }

  /** With the sentence to show and what lies behind it. */
  public BenchException(String message, Throwable cause) {
    super(message, cause);
  }
}
