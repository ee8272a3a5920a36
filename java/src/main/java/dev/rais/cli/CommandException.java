package dev.rais.cli;

/** A command cannot do what was asked; the message is one sentence for the user. */
final class CommandException extends RuntimeException {
  static final int FAILED = 1;
  static final int USAGE = 2;

  private static final long serialVersionUID = 1L;

  private final int exitCode;

  private CommandException(int exitCode, String message, Throwable cause) {
    super(message, cause);
    this.exitCode = exitCode;
  }

  /** The command was used wrongly. */
  static CommandException usage(String message) {
    return usage(message, null);
  }

  static CommandException usage(String message, Throwable cause) {
    return new CommandException(USAGE, message, cause);
  }

  /** The command was used rightly and failed. */
  static CommandException failed(String message, Throwable cause) {
    return new CommandException(FAILED, message, cause);
  }

  int exitCode() {
    return exitCode;
  }
}
