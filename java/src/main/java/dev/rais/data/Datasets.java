package dev.rais.data;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Finds and loads data sets, by name or from a directory. A name is looked for, in this order, in
 * the directory the caller gives, in $RAIS_DATA (each as DIR/NAME and as DIR itself), where
 * Debian's package dataset-fashion-mnist puts it, and in the user's cache, where downloads go.
 */
public final class Datasets {
  private Datasets() {}

  /**
   * Loads a data set.
   *
   * @param nameOrDirectory a known name, or a directory with the four IDX files, which is then
   *     named after it
   * @param dataDir where to look first for a known name, or null
   * @throws DataException if it is unknown, not found or damaged
   */
  public static Dataset load(String nameOrDirectory, Path dataDir) {
    return load(nameOrDirectory, dataDir, Locations.ofSystem());
  }

  static Dataset load(String nameOrDirectory, Path dataDir, Locations locations) {
    Optional<KnownDataset> known = find(nameOrDirectory);
    if (known.isEmpty()) {
      return loadDirectory(directory(nameOrDirectory).orElseThrow(() -> unknown(nameOrDirectory)));
    }
    KnownDataset dataset = known.get();
    if (dataset.builtIn()) {
      return FashionMnistSample.load(dataset.classNames());
    }
    Path found =
        locate(dataset, dataDir, locations)
            .orElseThrow(() -> notFound(dataset, locations.candidates(dataset, dataDir)));
    return dataset.layout().read(dataset.name(), found, dataset.classNames());
  }

  /**
   * Every known data set and where it is.
   *
   * @param dataDir where to look first, or null
   */
  public static List<DatasetInfo> list(Path dataDir) {
    return list(dataDir, Locations.ofSystem());
  }

  static List<DatasetInfo> list(Path dataDir, Locations locations) {
    return KnownDataset.all().stream()
        .map(
            dataset ->
                new DatasetInfo(
                    dataset.name(),
                    dataset.description(),
                    dataset.licence(),
                    dataset.builtIn(),
                    dataset.builtIn() ? Optional.empty() : locate(dataset, dataDir, locations),
                    dataset.download().map(KnownDataset.Download::numBytes).orElse(0L)))
        .toList();
  }

  /** Where downloads of data set {@code name} are kept for this user, and later found. */
  public static Path cacheDirectory(String name) {
    return Locations.ofSystem().cache(name);
  }

  /** The known data set of this name; throws with the nearest name if there is none. */
  static KnownDataset require(String name) {
    return find(name).orElseThrow(() -> unknown(name));
  }

  /** The last part of a directory's absolute path; for the root, the root. */
  static String directoryName(Path directory) {
    Path absolute = directory.toAbsolutePath().normalize();
    Path last = absolute.getFileName();
    return (last == null ? absolute : last).toString();
  }

  private static Optional<KnownDataset> find(String name) {
    return KnownDataset.all().stream().filter(known -> known.name().equals(name)).findFirst();
  }

  private static Optional<Path> directory(String text) {
    try {
      return Optional.of(Path.of(text)).filter(Files::isDirectory);
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  private static Dataset loadDirectory(Path directory) {
    String name = directoryName(directory);
    // A copy of a known data set keeps its class names when the directory keeps the name.
    List<String> classNames = find(name).map(KnownDataset::classNames).orElse(List.of());
    return new IdxLayout().read(name, directory, classNames);
  }

  private static Optional<Path> locate(KnownDataset dataset, Path dataDir, Locations locations) {
    return locations.candidates(dataset, dataDir).stream()
        .filter(candidate -> dataset.layout().missingFrom(candidate).isEmpty())
        .findFirst();
  }

  private static DataException unknown(String given) {
    List<String> names = KnownDataset.all().stream().map(KnownDataset::name).toList();
    String suggestion =
        NearestName.of(given, names).map(name -> "did you mean \"" + name + "\"? ").orElse("");
    return new DataException(
        "\"%s\" is neither a known data set nor a directory; %sknown are %s, and a directory with the four IDX files also works"
            .formatted(given, suggestion, String.join(", ", names)));
  }

  private static DataException notFound(KnownDataset dataset, List<Path> tried) {
    String places =
        tried.stream()
            .map(path -> "%s (%s)".formatted(path, whatIsWrong(path, dataset.layout())))
            .collect(Collectors.joining(", "));
    return new DataException(
        "data set %s is in none of these places: %s; download it with `./rais data fetch %s` or say with --data-dir DIR where it is"
            .formatted(dataset.name(), places, dataset.name()));
  }

  private static String whatIsWrong(Path path, DatasetLayout layout) {
    return Files.isDirectory(path)
        ? "lacks " + String.join(", ", layout.missingFrom(path))
        : "no such directory";
  }
}
