package dev.rais.cli;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import picocli.CommandLine.Option;

/** Where a command computes. */
final class BackendOptions {
  private static final int MAX_THREADS = 1024;

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "cuda, cpu, or auto: cuda where there is a GPU, else cpu (default: auto).")
  private String name = "auto";

  @Option(names = "--threads", paramLabel = "N", description = "CPU threads (default: all cores).")
  private Integer threads;

  /** Checks the values, without opening anything. */
  void check() {
    Names.require("backend", name, Backends.NAMES);
    if (threads != null && (threads < 1 || threads > MAX_THREADS)) {
      throw CommandException.usage(
          "--threads must be from 1 to " + MAX_THREADS + ", not " + threads);
    }
  }

  /** Opens the backend; the caller closes it. */
  Backend open(Console console) {
    check();
    return Backends.open(
        name, threads(), warning -> console.err().println("rais: warning: " + warning));
  }

  int threads() {
    return threads == null ? Runtime.getRuntime().availableProcessors() : threads;
  }
}
