package dev.rais.cli;

import picocli.CommandLine.Option;

/** Options of every command. */
final class CommonOptions {
  static final String VERBOSE = "--verbose";

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help and exit.")
  private boolean help;

  @Option(names = VERBOSE, description = "Show the stack trace of a failure.")
  private boolean verbose;

  boolean verbose() {
    return verbose;
  }
}
