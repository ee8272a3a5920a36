package dev.rais.data;

import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * Where data sets are looked for on this machine.
 *
 * @param environment environment variables; read are RAIS_DATA and XDG_CACHE_HOME
 * @param home the user's home directory
 * @param systemDatasets where Debian's packages dataset-NAME install NAME/
 */
record Locations(Map<String, String> environment, Path home, Path systemDatasets) {

  static Locations ofSystem() {
    return new Locations(
        System.getenv(), home(System.getProperty("user.home")), Path.of("/usr/share/datasets"));
  }

  /** Java calls the home of a user without one "?"; it is "/" then, as at a login. */
  private static Path home(String property) {
    return Path.of(property.equals("?") ? "/" : property);
  }

  /**
   * The directories that may hold {@code dataset}, in the order to try; {@code dataDir} or null.
   */
  List<Path> candidates(KnownDataset dataset, Path dataDir) {
    List<Path> candidates = new ArrayList<>();
    if (dataDir != null) {
      addBoth(candidates, dataDir, dataset);
    }
    directory("RAIS_DATA").ifPresent(path -> addBoth(candidates, path, dataset));
    if (dataset.systemPackage()) {
      candidates.add(systemDatasets.resolve(dataset.name()));
    }
    candidates.add(cache(dataset.name()));
    return candidates;
  }

  /** The folders that hold imported data sets, each in a folder of its name, in order. */
  List<Path> roots(Path dataDir) {
    List<Path> roots = new ArrayList<>();
    if (dataDir != null) {
      roots.add(dataDir);
    }
    directory("RAIS_DATA").ifPresent(roots::add);
    roots.add(cacheRoot());
    return roots;
  }

  /** Where the current user's downloads of data set {@code name} are kept. */
  Path cache(String name) {
    return cacheRoot().resolve(name);
  }

  /** Where a copy of what lies in a directory of the user's own is kept. */
  Path cacheOf(Path directory) {
    String path = directory.toAbsolutePath().normalize().toString();
    // Told apart by 122 bits of the path's hash; the dot keeps it from being a data set's name.
    String key = UUID.nameUUIDFromBytes(path.getBytes(StandardCharsets.UTF_8)).toString();
    return cacheRoot().resolve(".folders").resolve(key + ".rais");
  }

  private Path cacheRoot() {
    // A relative XDG_CACHE_HOME must be ignored, says the XDG base directory specification.
    Path root = directory("XDG_CACHE_HOME").filter(Path::isAbsolute).orElse(home.resolve(".cache"));
    return root.resolve("rais").resolve("datasets");
  }

  /**
   * Adds DIR/NAME and DIR itself. DIR itself is left out when it is called like another data set:
   * MNIST and Fashion-MNIST have the same file names, so one would be taken for the other.
   */
  private static void addBoth(List<Path> candidates, Path directory, KnownDataset dataset) {
    candidates.add(directory.resolve(dataset.name()));
    String itself = Datasets.directoryName(directory);
    boolean another =
        KnownDataset.all().stream()
            .map(KnownDataset::name)
            .anyMatch(name -> name.equals(itself) && !name.equals(dataset.name()));
    if (!another) {
      candidates.add(directory);
    }
  }

  private Optional<Path> directory(String variable) {
    String value = environment.get(variable);
    if (value == null || value.isBlank()) {
      return Optional.empty();
    }
    try {
      return Optional.of(Path.of(value));
    } catch (InvalidPathException e) {
      throw new DataException(
          "%s is \"%s\", which is no path; set it to a directory or unset it"
              .formatted(variable, value),
          e);
    }
  }
}
