package dev.rais.cli;

import com.sun.management.OperatingSystemMXBean;
import dev.rais.backend.Backends;
import dev.rais.data.Datasets;
import dev.rais.train.Version;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code rais doctor}: what RAIS finds on this machine, and what is amiss. */
@Command(
    name = "doctor",
    header = "Shows what RAIS finds on this machine.",
    description =
        "Java, processor, memory, folders, backends with what they need. Fails if nothing can"
            + " compute.")
final class DoctorCommand implements Callable<Integer> {
  /** Instruction sets that make a difference to speed. */
  private static final List<String> FEATURES =
      List.of(
          "sse4_2",
          "avx",
          "avx2",
          "fma",
          "avx512f",
          "avx512_vnni",
          "avx512_bf16",
          "amx_tile",
          "asimd",
          "sve");

  @Mixin private CommonOptions common;

  private final Console console;

  DoctorCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    int cores = Runtime.getRuntime().availableProcessors();
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("RAIS", Version.current()));
    rows.add(
        List.of(
            "Java",
            "%s (%s) in %s"
                .formatted(
                    Runtime.version(),
                    System.getProperty("java.vendor"),
                    System.getProperty("java.home"))));
    rows.add(List.of("JVM options", jvmOptions()));
    rows.add(
        List.of(
            "system",
            "%s %s, %s"
                .formatted(
                    System.getProperty("os.name"),
                    System.getProperty("os.version"),
                    System.getProperty("os.arch"))));
    rows.add(List.of("processor", processor().orElse("unknown model")));
    cpuInfo("flags")
        .or(() -> cpuInfo("Features"))
        .ifPresent(flags -> rows.add(List.of("instructions", features(flags))));
    rows.add(List.of("threads", cores + " by default"));
    rows.add(List.of("memory", memory()));
    rows.add(List.of("data cache", cache()));
    boolean computes = false;
    for (Backends.Availability backend : Backends.probe(cores)) {
      rows.add(
          List.of(
              "backend " + backend.name(),
              (backend.available() ? "available: " : "not available: ") + backend.details()));
      for (Backends.Part part : backend.parts()) {
        rows.add(
            List.of("  " + part.name(), (part.available() ? "" : "not usable: ") + part.details()));
      }
      computes |= backend.available();
    }
    Texts.table(console.out(), rows);
    return computes ? 0 : CommandException.FAILED;
  }

  private static String jvmOptions() {
    return ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(option -> !option.startsWith("-Drais.terminal"))
        .collect(Collectors.joining(" "));
  }

  private static Optional<String> processor() {
    return cpuInfo("model name").or(() -> cpuInfo("CPU part").map(part -> "ARM part " + part));
  }

  /** A value out of Linux's /proc/cpuinfo, for the first core. */
  private static Optional<String> cpuInfo(String key) {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .map(line -> line.split(":", 2))
          .filter(parts -> parts.length == 2 && parts[0].strip().equals(key))
          .map(parts -> parts[1].strip())
          .findFirst();
    } catch (IOException | UncheckedIOException e) {
      // Other systems have no such file; the line is left out.
      return Optional.empty();
    }
  }

  private static String features(String flags) {
    List<String> present = Arrays.asList(flags.split("\\s+"));
    String found = FEATURES.stream().filter(present::contains).collect(Collectors.joining(" "));
    return found.isEmpty() ? "none that RAIS knows" : found;
  }

  private static String memory() {
    var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return Texts.format(
        "%.1f GiB, of which Java's heap may take %.1f",
        system.getTotalMemorySize() / (double) (1 << 30),
        Runtime.getRuntime().maxMemory() / (double) (1 << 30));
  }

  private static String cache() {
    Path folder = Datasets.cacheDirectory("").toAbsolutePath();
    Path existing = folder;
    while (existing.getParent() != null && Files.notExists(existing)) {
      existing = existing.getParent();
    }
    return folder
        + (Files.isDirectory(existing) && Files.isWritable(existing)
            ? ""
            : " (cannot be written to: set XDG_CACHE_HOME to a folder that can)");
  }
}
