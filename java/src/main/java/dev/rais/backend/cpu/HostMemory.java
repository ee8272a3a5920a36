package dev.rais.backend.cpu;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/**
 * How much memory this process could still take: what Linux says is available, and what the control
 * groups around the process, a container's for example, leave of their limits. Elsewhere the size
 * of the machine's memory is all that is known.
 */
final class HostMemory {
  private HostMemory() {}

  /** Bytes that could be taken now without anybody swapping. */
  static long available() {
    return available(Path.of("/proc"), Path.of("/sys/fs/cgroup"));
  }

  /** The same, from the files of this name in other places. */
  static long available(Path proc, Path groups) {
    long available =
        value(proc.resolve("meminfo"), "MemAvailable:")
            .orElseGet(
                () ->
                    ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                        .getTotalMemorySize());
    for (String line : lines(proc.resolve("self/cgroup"))) {
      String[] parts = line.split(":", 3);
      if (parts.length == 3 && parts[0].equals("0")) {
        available = Math.min(available, leftIn(groups, parts[2], "memory.max", "memory.current"));
      } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("memory")) {
        available =
            Math.min(
                available,
                leftIn(
                    groups.resolve("memory"),
                    parts[2],
                    "memory.limit_in_bytes",
                    "memory.usage_in_bytes"));
      }
    }
    return available;
  }

  /** The least that is left in a group and in those around it; a limit holds for all within. */
  private static long leftIn(Path root, String name, String limitFile, String usedFile) {
    long left = Long.MAX_VALUE;
    // Within a container the group's name may be one of the host's, of which only the root shows.
    for (Path path = Path.of("/").resolve(name).normalize();
        path != null;
        path = path.getParent()) {
      Path group = root.resolve(Path.of("/").relativize(path));
      OptionalLong limit = value(group.resolve(limitFile), "");
      OptionalLong used = value(group.resolve(usedFile), "");
      if (limit.isPresent() && used.isPresent()) {
        // Files in the cache count as used, but give way; version 1 counts those of children apart.
        Path statistics = group.resolve("memory.stat");
        long cached =
            value(statistics, "total_inactive_file ")
                .orElse(value(statistics, "inactive_file ").orElse(0));
        left = Math.min(left, Math.max(0, limit.getAsLong() - used.getAsLong() + cached));
      }
    }
    return left;
  }

  /** The number behind a word at the beginning of a line; kB are counted as such. */
  private static OptionalLong value(Path file, String word) {
    for (String line : lines(file)) {
      if (line.startsWith(word)) {
        String[] parts = line.substring(word.length()).strip().split(" ");
        try {
          long number = Long.parseLong(parts[0]);
          return OptionalLong.of(
              parts.length > 1 && parts[1].equals("kB") ? number * 1024 : number);
        } catch (NumberFormatException e) {
          return OptionalLong.empty(); // "max"
        }
      }
    }
    return OptionalLong.empty();
  }

  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      return List.of(); // another system, or another version of control groups
    }
  }
}
