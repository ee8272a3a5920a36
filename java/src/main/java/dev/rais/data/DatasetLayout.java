package dev.rais.data;

import java.nio.file.Path;
import java.util.List;

/** How a data set lies in a directory: which files it needs there and how they are read. */
interface DatasetLayout {
  /** The files that it needs. */
  List<String> needed();

  /** What a complete directory must hold beside what {@code directory} has; empty if complete. */
  List<String> missingFrom(Path directory);

  /**
   * The files in a complete directory that are worth a cache, because reading them takes long;
   * empty if they are not.
   */
  default List<Path> cachedSources(Path directory) {
    return List.of();
  }

  /**
   * Reads a complete directory.
   *
   * @param classNames names of the classes, or empty to take those in the files, or numbers
   * @throws DataException if a file is missing or damaged
   */
  Dataset read(String name, Path directory, List<String> classNames);

  /** The refusal of {@link #read} where something is missing. */
  default void requireComplete(Path directory) {
    List<String> missing = missingFrom(directory);
    if (!missing.isEmpty()) {
      throw new DataException(
          "%s holds no complete data set: it lacks %s; give a directory with all of %s"
              .formatted(directory, String.join(", ", missing), String.join(", ", needed())));
    }
  }
}
