package dev.rais.backend;

import dev.rais.backend.cpu.CpuBackends;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Chooses and opens a backend. */
public final class Backends {
  /** Names that can be asked for. */
  public static final List<String> NAMES = List.of("auto", "cpu", "cuda");

  private Backends() {}

  /**
   * What is known of one backend on this machine.
   *
   * @param name its name
   * @param available whether it can be opened
   * @param details what would compute, or why it cannot be opened and what to do
   */
  public record Availability(String name, boolean available, String details) {}

  /**
   * Opens a backend.
   *
   * @param name {@code auto}, {@code cpu} or {@code cuda}
   * @param threads CPU threads, at least 1
   * @param warn receives one sentence for each fallback taken
   * @throws IllegalStateException if the backend is not available here, with the reason
   * @throws IllegalArgumentException for an unknown name
   */
  public static Backend open(String name, int threads, Consumer<String> warn) {
    return switch (name) {
      case "auto", "cpu" -> CpuBackends.open(threads, warn);
      case "cuda" -> throw new IllegalStateException(CUDA_MISSING);
      default ->
          throw new IllegalArgumentException(
              "there is no backend '" + name + "'; backends: " + String.join(", ", NAMES));
    };
  }

  /** Tries every backend, for {@code rais doctor}. */
  public static List<Availability> probe(int threads) {
    List<Availability> all = new ArrayList<>();
    List<String> warnings = new ArrayList<>();
    try (Backend cpu = CpuBackends.open(threads, warnings::add)) {
      String details = cpu.description();
      all.add(
          new Availability(
              "cpu",
              true,
              warnings.isEmpty() ? details : details + " (" + warnings.getFirst() + ")"));
    } catch (RuntimeException e) {
      all.add(new Availability("cpu", false, e.getMessage()));
    }
    all.add(new Availability("cuda", false, CUDA_MISSING));
    return all;
  }

  private static final String CUDA_MISSING =
      "the CUDA backend is not part of this build; use --backend cpu";
}
