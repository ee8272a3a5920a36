package dev.rais.backend.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Which algorithm was found the fastest for which convolution: in memory, and in a file so that the
 * next run neither searches again nor, as times vary, finds another one with other roundings.
 *
 * <p>The file is text: a line for each, its algorithm's number and what it was found for. A line
 * that is none, or says something impossible, is passed over; a later line counts over an earlier
 * one. Processes may append at the same time.
 */
final class AlgorithmCache {
  private final Path file;
  private final Map<String, Integer> found = new HashMap<>();
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
        String[] parts = line.split(" ", 2);
        if (parts.length == 2 && parts[0].matches("\\d{1,3}")) {
          cache.found.put(parts[1], Integer.parseInt(parts[0]));
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
  OptionalInt get(String key) {
    Integer number = found.get(key);
    return number == null ? OptionalInt.empty() : OptionalInt.of(number);
  }

  /**
   * Remembers what was found.
   *
   * @param key without line breaks
   */
  void put(String key, int number) {
    found.put(key, number);
    if (writable) {
      try {
        Files.writeString(
            file,
            number + " " + key + "\n",
            StandardCharsets.ISO_8859_1,
            StandardOpenOption.CREATE,
            StandardOpenOption.APPEND);
      } catch (IOException e) {
        writable = false; // searching again next time is no harm
      }
    }
  }
}
