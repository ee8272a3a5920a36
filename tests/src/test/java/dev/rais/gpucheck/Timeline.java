package dev.rais.gpucheck;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a GPU did within a time. Times are nanoseconds of one clock.
 *
 * @param from begin of the time
 * @param to its end
 * @param dropped records that were lost
 * @param untimed records of things whose times are not known; they count as if nothing had run
 * @param items what ran, in any order; some may overlap
 */
record Timeline(long from, long to, long dropped, long untimed, List<Item> items) {
  private static final int NAMES = 40;
  private static final int NAME_LENGTH = 160;

  /** A kernel, a copy, a fill or a whole graph. */
  record Item(long start, long end, String name) {}

  /**
   * Reads what {@link DeviceTrace#end} wrote: a line with begin, end and the numbers of lost and of
   * untimed records, then one for each item with begin, end and name.
   *
   * @throws IOException if it cannot be read or is no such file
   */
  static Timeline read(Path file) throws IOException {
    List<String> lines = Files.readAllLines(file);
    try {
      String[] first = lines.getFirst().split(" ");
      List<Item> items = new ArrayList<>();
      for (String line : lines.subList(1, lines.size())) {
        String[] parts = line.split(" ", 3);
        items.add(new Item(Long.parseLong(parts[0]), Long.parseLong(parts[1]), parts[2]));
      }
      return new Timeline(
          Long.parseLong(first[0]),
          Long.parseLong(first[1]),
          Long.parseLong(first[2]),
          Long.parseLong(first[3]),
          items);
    } catch (RuntimeException e) {
      throw new IOException(file + " is no trace: " + e.getMessage(), e);
    }
  }

  /** What of the time something ran in: an end of every stretch in which nothing did. */
  private record Cover(long busy, long longestGap) {}

  private Cover cover() {
    List<Item> sorted = items.stream().sorted(Comparator.comparingLong(Item::start)).toList();
    long busy = 0;
    long longestGap = 0;
    long reached = from;
    for (Item item : sorted) {
      long start = Math.clamp(item.start(), reached, Math.max(reached, to));
      long end = Math.clamp(item.end(), start, Math.max(start, to));
      longestGap = Math.max(longestGap, start - reached);
      busy += end - start;
      reached = end;
    }
    return new Cover(busy, Math.max(longestGap, to - reached));
  }

  /** Share of the time in which something ran. */
  double busyShare() {
    return (double) cover().busy() / (to - from);
  }

  /**
   * As results have it.
   *
   * @param steps trained in the time
   * @param byName whether times by name are wanted, the longest first
   * @throws IllegalStateException if records were lost or there are none
   */
  Map<String, Object> values(int steps, boolean byName) {
    if (dropped > 0 || items.isEmpty() || to <= from) {
      throw new IllegalStateException(
          "the trace says nothing: %d records, %d lost, of %d ns"
              .formatted(items.size(), dropped, to - from));
    }
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("steps", steps);
    values.put("items", items.size());
    values.put("untimed", untimed);
    values.put("microsPerStep", (to - from) / 1e3 / steps);
    values.put("busyShare", busyShare());
    values.put("longestGapMicros", cover().longestGap() / 1e3);
    if (byName) {
      values.put("profile", profile(steps));
    }
    return values;
  }

  private List<Map<String, Object>> profile(int steps) {
    Map<String, long[]> sums = new TreeMap<>();
    long all = 0;
    for (Item item : items) {
      long[] sum = sums.computeIfAbsent(item.name(), name -> new long[2]);
      sum[0] += item.end() - item.start();
      sum[1]++;
      all += item.end() - item.start();
    }
    long total = Math.max(1, all);
    return sums.entrySet().stream()
        .sorted((a, b) -> Long.compare(b.getValue()[0], a.getValue()[0]))
        .limit(NAMES)
        .map(e -> row(e.getKey(), e.getValue(), steps, total))
        .toList();
  }

  private static Map<String, Object> row(String name, long[] sum, int steps, long all) {
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("name", name.substring(0, Math.min(NAME_LENGTH, name.length())));
    row.put("microsPerStep", sum[0] / 1e3 / steps);
    row.put("launchesPerStep", (double) sum[1] / steps);
    row.put("share", (double) sum[0] / all);
    return row;
  }
}
