package dev.rais.data;

import java.io.EOFException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;

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

  /** What went wrong, in words: the JDK's messages are sometimes a file's name alone, or none. */
  static String reason(IOException e) {
    return switch (e) {
      case AccessDeniedException denied -> denied.getFile() + ": permission denied";
      case NoSuchFileException missing -> missing.getFile() + ": there is no such file or folder";
      case EOFException early when early.getMessage() == null -> "it ends too early";
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
  }
}
