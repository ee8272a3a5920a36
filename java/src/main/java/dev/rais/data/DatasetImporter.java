package dev.rais.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Makes a data set with a name out of a directory: of images in one folder per class, or in any
 * layout that RAIS reads. It is kept as one file, which no longer depends on the directory.
 */
public final class DatasetImporter {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

  private DatasetImporter() {}

  /**
   * Imports a directory. Either all of it is there afterwards or nothing.
   *
   * @param target the folder to keep it in, made if need be; {@link Datasets#cacheDirectory} is
   *     where {@code name} is found later without further options
   * @throws DataException if something is wrong with the directory, its files or the name
   */
  public static ImportReport run(
      Path directory, String name, Path target, ImportOptions options, ImportProgress progress) {
    if (!NAME.matcher(name).matches()) {
      throw new DataException(
          "\"%s\" cannot be the name of a data set; use up to 64 letters, digits, dots, dashes and underscores"
              .formatted(name));
    }
    if (Datasets.isBuiltIn(name)) {
      throw new DataException(
          "%s is the name of the built-in data set; choose another".formatted(name));
    }
    Path file = target.resolve(DatasetFile.IMPORTED);
    if (Files.exists(file) && !options.replace()) {
      throw new DataException(
          "there is a data set %s already, in %s; choose another name, or replace it with --force"
              .formatted(name, target));
    }
    if (!Files.isDirectory(directory)) {
      throw new DataException("%s is no folder".formatted(directory));
    }
    ImportReport report = read(directory, name, options, progress);
    DatasetFile.write(file, report.data(), directory.toAbsolutePath().normalize().toString(), "");
    return report;
  }

  private static ImportReport read(
      Path directory, String name, ImportOptions options, ImportProgress progress) {
    Optional<DatasetLayout> layout = Datasets.layoutOf(directory);
    if (layout.isEmpty()) {
      return new ImageFolder(directory, options, progress).read(name);
    }
    if (options.size().isPresent() || options.channels().isPresent() || options.skipBad()) {
      throw new DataException(
          "%s holds a data set with a layout of its own, so size, channels and bad images are as they are; leave --size, --channels and --skip-bad out"
              .formatted(directory));
    }
    Dataset data = layout.get().read(name, directory, List.of());
    requireAllClasses(directory, data, data.train(), "training");
    requireAllClasses(directory, data, data.test(), "test");
    return new ImportReport(data, 0, List.of());
  }

  private static void requireAllClasses(Path directory, Dataset data, ImageSet part, String what) {
    int[] counts = part.classCounts(data.numClasses());
    for (int k = 0; k < counts.length; k++) {
      if (counts[k] == 0) {
        throw new DataException(
            "%s: class %s has no %s images; is it the whole data set?"
                .formatted(directory, data.classNames().get(k), what));
      }
    }
  }
}
