package dev.rais.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Finds and loads data sets, by name or from a directory. A name is looked for, in this order, in
 * the directory the caller gives, in $RAIS_DATA (each as DIR/NAME and as DIR itself), where
 * Debian's package dataset-fashion-mnist puts it, and in the user's cache, where downloads go. What
 * was imported under a name comes before what is known by it.
 */
public final class Datasets {
  /** Those that a directory is recognised by. */
  private static final List<DatasetLayout> LAYOUTS =
      List.of(new IdxLayout(), CifarLayout.CIFAR_10, CifarLayout.CIFAR_100, new SvhnLayout());

  /** Bytes of files in a directory below which reading them takes no time worth a cache. */
  private static final long WORTH_A_CACHE = 16L << 20;

  private Datasets() {}

  /**
   * Loads a data set.
   *
   * @param nameOrDirectory a known or imported name, or a directory with the files of MNIST, CIFAR
   *     or SVHN, which is then named after it
   * @param dataDir where to look first for a known name, or null
   * @throws DataException if it is unknown, not found or damaged
   */
  public static Dataset load(String nameOrDirectory, Path dataDir) {
    return load(nameOrDirectory, dataDir, Locations.ofSystem());
  }

  static Dataset load(String nameOrDirectory, Path dataDir, Locations locations) {
    Optional<Path> imported = imported(nameOrDirectory, dataDir, locations);
    if (imported.isPresent()) {
      return DatasetFile.read(imported.get());
    }
    Optional<KnownDataset> known = find(nameOrDirectory);
    int mark = DerivedDataset.mark(nameOrDirectory);
    if (known.isEmpty() && mark > 0 && directory(nameOrDirectory).isEmpty()) {
      return DerivedDataset.derive(
          load(nameOrDirectory.substring(0, mark), dataDir, locations),
          nameOrDirectory.substring(mark + 1));
    }
    if (known.isEmpty()) {
      return loadDirectory(
          directory(nameOrDirectory)
              .orElseThrow(() -> unknown(nameOrDirectory, importedNames(dataDir, locations))),
          locations);
    }
    KnownDataset dataset = known.get();
    if (dataset.builtIn()) {
      return FashionMnistSample.load(dataset.classNames());
    }
    Path found =
        locate(dataset, dataDir, locations)
            .orElseThrow(() -> notFound(dataset, locations.candidates(dataset, dataDir)));
    return cached(
        dataset.layout(),
        dataset.name(),
        found,
        dataset.classNames(),
        locations.cache(dataset.name()).resolve(DatasetFile.CACHE));
  }

  /** Reads the cache, if it is of the files in {@code found} as they are now; else makes it. */
  static Dataset cached(
      DatasetLayout layout, String name, Path found, List<String> classNames, Path cache) {
    List<Path> sources = layout.cachedSources(found);
    if (sources.isEmpty()) {
      return layout.read(name, found, classNames);
    }
    String stamp = stamp(sources);
    if (Files.isRegularFile(cache)) {
      try {
        if (DatasetFile.header(cache).stamp().equals(stamp)) {
          return DatasetFile.read(cache);
        }
      } catch (DataException e) {
        // Damaged or of another version: made anew below.
      }
    }
    Dataset data = layout.read(name, found, classNames);
    try {
      DatasetFile.write(cache, data, found.toString(), stamp);
    } catch (DataException e) {
      // A full disk or a read-only home: the data is there all the same, and next time as slow.
    }
    return data;
  }

  /** Names, lengths and times: another stamp means other files. */
  private static String stamp(List<Path> files) {
    StringBuilder stamp = new StringBuilder();
    try {
      for (Path file : files) {
        stamp
            .append(file.toAbsolutePath())
            .append(' ')
            .append(Files.size(file))
            .append(' ')
            .append(Files.getLastModifiedTime(file).toMillis())
            .append('\n');
      }
    } catch (IOException e) {
      throw new DataException("cannot read %s".formatted(DataException.reason(e)), e);
    }
    return stamp.toString();
  }

  /** The name of the data set that a derived one is made of; any other name as it is. */
  public static String baseName(String name) {
    int mark = DerivedDataset.mark(name);
    return mark > 0 ? baseName(name.substring(0, mark)) : name;
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
    List<DatasetInfo> all = new ArrayList<>(known(dataDir, locations));
    for (String name : importedNames(dataDir, locations)) {
      // Empty where no data set can have the folder's name, or where it is gone by now.
      imported(name, dataDir, locations)
          .ifPresent(
              file -> {
                all.removeIf(known -> known.name().equals(name));
                all.add(
                    new DatasetInfo(
                        name, describe(file), "-", false, Optional.of(file.getParent()), 0, ""));
              });
    }
    return all;
  }

  /** The data sets that RAIS knows by itself, whether or not another was imported by the name. */
  public static List<DatasetInfo> known() {
    return known(null, Locations.ofSystem());
  }

  private static List<DatasetInfo> known(Path dataDir, Locations locations) {
    return KnownDataset.all().stream()
        .map(
            dataset ->
                new DatasetInfo(
                    dataset.name(),
                    dataset.description(),
                    dataset.licence(),
                    dataset.builtIn(),
                    dataset.builtIn() ? Optional.empty() : locate(dataset, dataDir, locations),
                    dataset.download().map(KnownDataset.Download::numBytes).orElse(0L),
                    dataset.download().flatMap(KnownDataset.Download::weakSource).orElse("")))
        .toList();
  }

  private static String describe(Path file) {
    try {
      DatasetFile.Header header = DatasetFile.header(file);
      return "%,d training and %,d test images, %dx%d %s, %d classes; imported from %s"
          .formatted(
              header.trainCount(),
              header.testCount(),
              header.height(),
              header.width(),
              header.channels() == 1 ? "grey" : "colour",
              header.classNames().size(),
              header.source());
    } catch (DataException e) {
      return e.getMessage();
    }
  }

  private static Optional<Path> imported(String name, Path dataDir, Locations locations) {
    if (name.isEmpty() || name.contains("/") || name.contains("\\") || name.contains("\0")) {
      return Optional.empty();
    }
    return locations.roots(dataDir).stream()
        .map(root -> root.resolve(name).resolve(DatasetFile.IMPORTED))
        .filter(Files::isRegularFile)
        .findFirst();
  }

  private static List<String> importedNames(Path dataDir, Locations locations) {
    TreeSet<String> names = new TreeSet<>();
    for (Path root : locations.roots(dataDir)) {
      if (Files.isDirectory(root)) {
        try (Stream<Path> folders = Files.list(root)) {
          folders
              .filter(folder -> Files.isRegularFile(folder.resolve(DatasetFile.IMPORTED)))
              .forEach(folder -> names.add(folder.getFileName().toString()));
        } catch (IOException | UncheckedIOException e) {
          // A folder that cannot be listed has nothing to offer.
        }
      }
    }
    return List.copyOf(names);
  }

  static boolean isBuiltIn(String name) {
    return find(name).map(KnownDataset::builtIn).orElse(false);
  }

  /** The layout whose files a directory has, all or some of them. */
  static Optional<DatasetLayout> layoutOf(Path directory) {
    return LAYOUTS.stream()
        .filter(layout -> layout.missingFrom(directory).size() < layout.needed().size())
        .min(Comparator.comparingInt(layout -> layout.missingFrom(directory).size()));
  }

  /** Where downloads of data set {@code name} are kept for this user, and later found. */
  public static Path cacheDirectory(String name) {
    return Locations.ofSystem().cache(name);
  }

  /** The known data set of this name; throws with the nearest name if there is none. */
  static KnownDataset require(String name) {
    return find(name).orElseThrow(() -> unknown(name, List.of()));
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
      // An empty text, as of a variable that is not set, would be the present directory.
      return Optional.of(text).filter(t -> !t.isEmpty()).map(Path::of).filter(Files::isDirectory);
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  private static Dataset loadDirectory(Path directory, Locations locations) {
    String name = directoryName(directory);
    DatasetLayout layout =
        layoutOf(directory)
            .orElseThrow(
                () ->
                    new DataException(
                        "%s holds no files of MNIST (%s), CIFAR or SVHN; a folder of images is imported first: ./rais data import %s --name NAME"
                            .formatted(
                                directory,
                                String.join(", ", new IdxLayout().needed()),
                                directory)));
    // A copy of a known data set keeps its class names when the directory keeps the name.
    List<String> classNames = find(name).map(KnownDataset::classNames).orElse(List.of());
    if (numBytes(layout.cachedSources(directory)) < WORTH_A_CACHE) {
      return layout.read(name, directory, classNames);
    }
    return cached(layout, name, directory, classNames, locations.cacheOf(directory));
  }

  private static long numBytes(List<Path> files) {
    long sum = 0;
    for (Path file : files) {
      // 0 for one that is missing, which reading will refuse.
      sum += file.toFile().length();
    }
    return sum;
  }

  private static Optional<Path> locate(KnownDataset dataset, Path dataDir, Locations locations) {
    return locations.candidates(dataset, dataDir).stream()
        .filter(candidate -> dataset.layout().missingFrom(candidate).isEmpty())
        .findFirst();
  }

  private static DataException unknown(String given, List<String> imported) {
    List<String> names =
        Stream.concat(KnownDataset.all().stream().map(KnownDataset::name), imported.stream())
            .distinct()
            .toList();
    String suggestion =
        NearestName.of(given, names).map(name -> "did you mean \"" + name + "\"? ").orElse("");
    return new DataException(
        "\"%s\" is neither a known data set nor a directory; %sknown are %s, and a directory with the files of MNIST, CIFAR or SVHN also works"
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
