package dev.rais.backend.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which algorithm was found the fastest for which convolution: in memory, and in a file so that the
 * next run neither searches again nor, as times vary, finds another one with other roundings.
 *
 * <p>The file is text: a line for each, its algorithm's number, a slash, its arithmetic's and what
 * it was found for. A line that is none, or says something impossible, is passed over; a later line
 * counts over an earlier one. Processes may append at the same time.
 */
final class AlgorithmCache {
  private static final Pattern LINE = Pattern.compile("(\\d{1,3})/(\\d{1,3}) (.*)");

  /**
   * What was found.
   *
   * @param number among its direction's algorithms
   * @param mathType a cudnnMathType_t
   */
  record Found(int number, int mathType) {}

  private final Path file;
  private final Map<String, Found> found = new HashMap<>();
  private boolean writable;

  private AlgorithmCache(Path file) {
    this.file = file;
    writable = file != null;
  }

  /** A cache that nothing outlives. */
  static AlgorithmCache inMemory() {
    return new AlgorithmCache(null);
  }

  /** A cache that is kept in a file, where that can be read and written. */
  static AlgorithmCache in(Path file) {
    AlgorithmCache cache = new AlgorithmCache(file);
    try {
      for (String line : Files.readAllLines(file, StandardCharsets.ISO_8859_1)) {
        Matcher parts = LINE.matcher(line);
        if (parts.matches()) {
          cache.found.put(
              parts.group(3),
              new Found(Integer.parseInt(parts.group(1)), Integer.parseInt(parts.group(2))));
        }
      }
    } catch (NoSuchFileException e) {
      // The first run.
    } catch (IOException e) {
      cache.writable = false;
    }
    return cache;
  }

  /** The algorithm that was found for a key. */
  Optional<Found> get(String key) {
    return Optional.ofNullable(found.get(key));
  }

  /**
   * Remembers what was found.
   *
   * @param key without line breaks
   */
  void put(String key, Found what) {
    found.put(key, what);
    if (writable) {
      try {
        Files.writeString(
            file,
            what.number() + "/" + what.mathType() + " " + key + "\n",
            StandardCharsets.ISO_8859_1,
            StandardOpenOption.CREATE,
            StandardOpenOption.APPEND);
      } catch (IOException e) {
        writable = false; // searching again next time is no harm
      }
    }
  }
}
