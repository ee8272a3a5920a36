package dev.rais.cli;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Precision;
import java.util.Optional;
import java.util.function.Consumer;
import picocli.CommandLine.Option;

/** Where a command computes. */
final class BackendOptions {
  private static final int MAX_THREADS = 1024;

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "cuda, cpu, or auto: cuda where there is a GPU, else cpu (default: auto).")
  private String name = "auto";

  @Option(
      names = "--precision",
      paramLabel = "NAME",
      description =
          "What to compute in on CUDA: fp32; tf32, where convolutions and linear layers may round"
              + " to 10 bits; or bf16, where activations have 8 bits (default: fp32).")
  private String precision;

  @Option(
      names = "--cuda-binding",
      paramLabel = "NAME",
      description = "How CUDA is called: panama, or jcuda by way of JCuda (default: panama).")
  private String cudaBinding;

  @Option(names = "--threads", paramLabel = "N", description = "CPU threads (default: all cores).")
  private Integer threads;

  /** Checks the values, without opening anything. */
  void check() {
    Names.require("backend", name, Backends.NAMES);
    if (precision != null) {
      Names.require("precision", precision, Backends.PRECISIONS);
    }
    if (cudaBinding != null) {
      Names.require("CUDA binding", cudaBinding, Backends.CUDA_BINDINGS);
    }
    if (threads != null && (threads < 1 || threads > MAX_THREADS)) {
      throw CommandException.usage(
          "--threads must be from 1 to " + MAX_THREADS + ", not " + threads);
    }
  }

  /** Opens the backend; the caller closes it. */
  Backend open(Console console) {
    return open(console, precision);
  }

  /**
   * Opens a backend to go on with a run, in its own precision where none is given.
   *
   * @param begun that precision, if it is known
   */
  Backend openAgain(Console console, Optional<Precision> begun) {
    return open(console, precision == null ? begun.map(Precision::id).orElse(null) : precision);
  }

  private Backend open(Console console, String precision) {
    check();
    Consumer<String> warn = warning -> console.err().println("rais: warning: " + warning);
    // Where an option is not given, the system property decides.
    return Backends.open(name, threads(), precision, cudaBinding, warn);
  }

  int threads() {
    return threads == null ? Runtime.getRuntime().availableProcessors() : threads;
  }
}
