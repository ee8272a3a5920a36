package dev.rais.data;

import java.nio.file.Path;
import java.util.List;

/** How a data set lies in a directory: which files it needs there and how they are read. */
interface DatasetLayout {
  /** What a complete directory must hold beside what {@code directory} has; empty if complete. */
  List<String> missingFrom(Path directory);

  /**
   * Reads a complete directory.
   *
   * @param classNames names of the classes, or empty to call them by their numbers
   * @throws DataException if a file is missing or damaged
   */
  Dataset read(String name, Path directory, List<String> classNames);
}
