package dev.rais.backend;

import dev.rais.backend.cpu.CpuBackends;
import dev.rais.backend.cpu.JavaBackend;
import dev.rais.backend.cuda.CudaBackends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/** Chooses and opens a backend. */
public final class Backends {
  /** Names that can be asked for. */
  public static final List<String> NAMES = List.of("auto", "cpu", "cuda");

  /** Precisions that can be asked for. */
  public static final List<String> PRECISIONS =
      Arrays.stream(Precision.values()).map(Precision::id).toList();

  /** Ways to call CUDA that can be asked for. */
  public static final List<String> CUDA_BINDINGS = List.of("panama", "jcuda");

  private static final String CPU_PRECISION =
      "the CPU computes in fp32, which --precision fp32 asks for";

  private Backends() {}

  /**
   * What is known of one backend on this machine.
   *
   * @param name its name
   * @param available whether it can be opened
   * @param details what would compute, or why it cannot be opened and what to do
   * @param parts what it needs besides, one by one, where it needs anything
   */
  public record Availability(String name, boolean available, String details, List<Part> parts) {}

  /**
   * Something that a backend needs.
   *
   * @param name what it is
   * @param available whether it can be used
   * @param details its version and where it is, or why it cannot be used
   */
  public record Part(String name, boolean available, String details) {}

  /**
   * Opens a backend. {@code auto} is CUDA, or the CPU where that cannot be opened: with a sentence
   * that says why, unless the machine has no CUDA driver, and so no GPU to miss.
   *
   * @param name {@code auto}, {@code cpu} or {@code cuda}
   * @param threads CPU threads, at least 1
   * @param warn receives one sentence for each fallback taken
   * @throws IllegalStateException if the backend is not available here, with the reason
   * @throws IllegalArgumentException for an unknown name
   */
  public static Backend open(String name, int threads, Consumer<String> warn) {
    return open(name, threads, null, null, warn);
  }

  /** The same with a precision. */
  public static Backend open(String name, int threads, String precision, Consumer<String> warn) {
    return open(name, threads, precision, null, warn);
  }

  /**
   * The same with a precision and a binding of CUDA. {@code tf32} allows rounding where that is
   * faster, which is on CUDA; {@code bf16}, which changes results, is for CUDA alone ({@link
   * Precision}).
   *
   * @param precision one of {@link #PRECISIONS}; null for what the system property {@code
   *     rais.cuda.precision} says where CUDA is tried
   * @param cudaBinding one of {@link #CUDA_BINDINGS}; null for what the system property {@code
   *     rais.cuda.binding} says
   * @throws IllegalArgumentException also for another precision or binding, and for {@code bf16} on
   *     the CPU
   * @throws IllegalStateException also where {@code auto} finds no CUDA to compute in {@code bf16}
   */
  public static Backend open(
      String name, int threads, String precision, String cudaBinding, Consumer<String> warn) {
    requireKnown("precision", precision, "precisions", PRECISIONS);
    requireKnown("CUDA binding", cudaBinding, "bindings", CUDA_BINDINGS);
    return switch (name) {
      case "auto" -> openAny(threads, precision, cudaBinding, warn);
      case "cpu" -> {
        if (isBf16(precision)) {
          throw new IllegalArgumentException("precision bf16 is for CUDA alone: " + CPU_PRECISION);
        }
        yield CpuBackends.open(threads, warn);
      }
      case "cuda" -> CudaBackends.open(precision, cudaBinding);
      default ->
          throw new IllegalArgumentException(
              "there is no backend '" + name + "'; backends: " + String.join(", ", NAMES));
    };
  }

  private static boolean isBf16(String precision) {
    return Precision.BF16.id().equals(precision);
  }

  private static Backend openAny(
      int threads, String precision, String cudaBinding, Consumer<String> warn) {
    try {
      return CudaBackends.open(precision, cudaBinding);
    } catch (IllegalStateException e) {
      if (isBf16(precision == null ? CudaBackends.defaultPrecision().id() : precision)) {
        throw new IllegalStateException(
            "precision bf16 needs CUDA, and %s; %s"
                .formatted(CudaBackends.reason(e), CPU_PRECISION),
            e);
      }
      if (CudaBackends.isWorthTelling(e)) {
        warn.accept("computing on the CPU: " + CudaBackends.reason(e));
      }
      return CpuBackends.open(threads, warn);
    }
  }

  private static void requireKnown(String kind, String name, String kinds, List<String> known) {
    if (name != null && !known.contains(name)) {
      throw new IllegalArgumentException(
          "there is no %s '%s'; %s: %s".formatted(kind, name, kinds, String.join(", ", known)));
    }
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
              warnings.isEmpty() ? details : details + " (" + warnings.getFirst() + ")",
              List.of()));
    } catch (RuntimeException e) {
      all.add(new Availability("cpu", false, e.getMessage(), List.of()));
    }
    all.add(probeCuda());
    return all;
  }

  /** Pure Java is what every machine has to compare with. */
  private static Part selfTest(Backend cuda) {
    try (Backend java = new JavaBackend(1)) {
      String result = SelfTest.compare(cuda, java);
      return new Part("self-test", !result.startsWith("failed"), result);
    } catch (IllegalStateException | IllegalArgumentException e) {
      return new Part("self-test", false, "failed: " + e.getMessage());
    }
  }

  private static Availability probeCuda() {
    try {
      List<Part> parts = new ArrayList<>(CudaBackends.parts());
      try (Backend cuda = CudaBackends.open()) {
        parts.add(selfTest(cuda));
        return new Availability("cuda", true, cuda.description(), parts);
      } catch (IllegalStateException e) {
        return new Availability("cuda", false, CudaBackends.reason(e), parts);
      }
    } catch (IllegalArgumentException e) { // an option that makes no sense
      return new Availability("cuda", false, e.getMessage(), List.of());
    }
  }
}
