package dev.rais.cli;

import dev.rais.data.DataException;
import dev.rais.data.Dataset;
import dev.rais.data.DatasetInfo;
import dev.rais.data.Datasets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;

/** Loading of data sets for commands. */
final class DataOptions {
  static final String DATA_DIR_HELP =
      "Folder to look for data sets in first, as DIR/NAME or DIR itself. Then come $RAIS_DATA,"
          + " Debian's package dataset-fashion-mnist and the user's cache.";

  private DataOptions() {}

  /** Loads a data set; an unknown name is wrong usage, a missing or damaged file a failure. */
  static Dataset load(String nameOrDirectory, Path dataDir) {
    requireFolder(dataDir);
    try {
      return Datasets.load(nameOrDirectory, dataDir);
    } catch (DataException e) {
      if (known(nameOrDirectory, dataDir) || baseFails(nameOrDirectory, dataDir)) {
        throw e;
      }
      throw CommandException.usage(e.getMessage(), e);
    }
  }

  /**
   * Loads the data set that is asked for, or else the one that a saved run or network names.
   *
   * @param given null where none is asked for
   */
  static Dataset load(String given, String saved, Path dataDir) {
    if (given != null) {
      return load(given, dataDir);
    }
    try {
      return load(saved, dataDir);
    } catch (CommandException e) {
      if (e.exitCode() != CommandException.USAGE) {
        throw e;
      }
      throw CommandException.usage(
          e.getMessage() + "; if \"%s\" was a folder, give it with --data".formatted(saved), e);
    }
  }

  /**
   * Whether what a derived data set is made of is known and cannot be had, by no fault of usage.
   */
  private static boolean baseFails(String name, Path dataDir) {
    String base = Datasets.baseName(name);
    if (base.equals(name) || !known(base, dataDir)) {
      return false;
    }
    try {
      Datasets.load(base, dataDir);
      return false;
    } catch (DataException e) {
      return true;
    }
  }

  static void requireFolder(Path dataDir) {
    if (dataDir != null && !Files.isDirectory(dataDir)) {
      throw CommandException.failed("--data-dir " + dataDir + " is no folder", null);
    }
  }

  private static boolean known(String nameOrDirectory, Path dataDir) {
    List<DatasetInfo> all = Datasets.list(dataDir);
    try {
      return all.stream().anyMatch(info -> info.name().equals(nameOrDirectory))
          || Files.isDirectory(Path.of(nameOrDirectory));
    } catch (InvalidPathException e) {
      return false;
    }
  }
}
