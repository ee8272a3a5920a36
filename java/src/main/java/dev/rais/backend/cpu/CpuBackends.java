package dev.rais.backend.cpu;

import dev.rais.backend.Backend;
import java.util.Locale;
import java.util.function.Consumer;

/** Opens the CPU backend with the best engine there is. */
public final class CpuBackends {
  /**
   * System property that chooses the engine: {@code auto} (default), {@code onednn}, {@code java}.
   */
  public static final String ENGINE_PROPERTY = "rais.cpu.engine";

  private CpuBackends() {}

  /**
   * Opens the backend: oneDNN, or pure Java where that cannot be used. Single operations that
   * oneDNN cannot make are computed in Java as well, unless the system property demands oneDNN.
   *
   * @param threads threads to compute with, at least 1
   * @param warn receives one sentence where the fallback takes over, now or when an operation is
   *     made
   * @throws IllegalStateException if the system property demands oneDNN and it cannot be used
   */
  public static Backend open(int threads, Consumer<String> warn) {
    String engine = System.getProperty(ENGINE_PROPERTY, "auto").toLowerCase(Locale.ROOT);
    switch (engine) {
      case "java" -> {
        return new JavaBackend(threads);
      }
      case "auto", "onednn" -> {
        try {
          return OneDnnBackend.open(threads, engine.equals("auto") ? warn : null);
        } catch (DnnUnavailableException e) {
          if (engine.equals("onednn")) {
            throw new IllegalStateException("oneDNN is not available: " + e.getMessage(), e);
          }
          warn.accept(
              "oneDNN is not available: "
                  + e.getMessage()
                  + "; computing in pure Java, which is several times slower");
          return new JavaBackend(threads);
        }
      }
      default ->
          throw new IllegalArgumentException(
              "-D" + ENGINE_PROPERTY + " must be auto, onednn or java, not " + engine);
    }
  }
}
