package dev.rais.example;

/** A run that cannot go on; the message says at which step and why. */
public final class TrainingException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** With a message for the user. */
  public TrainingException(String message) {
    super(message);
  }

  /** With a message for the user and what led to it. */
  public TrainingException(String message, Throwable cause) {
    super(message, cause);
  }
}
