package dev.rais.data;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Images in one folder per class, the folder's name being the class's. Folders train and test (or
 * their like) hold the two parts; without them, a fifth of each class's images is held back for
 * testing, always the same.
 */
final class ImageFolder {
  private static final Set<String> TRAIN = Set.of("train", "training");
  private static final Set<String> TEST =
      Set.of("test", "testing", "val", "valid", "validation", "t10k");
  private static final Set<String> ENDINGS = Set.of("png", "jpg", "jpeg");
  private static final int TEST_SHARE = 5;
  private static final int MOST_NAMED = 5;

  /** An image file and its class. */
  private record Example(Path file, int label) {}

  /** What lies in the folder. */
  private record Contents(List<String> classNames, List<Example> train, List<Example> test) {}

  /** A part's images that could be read. */
  private record Decoded(ImageSet images, int resized) {}

  private final Path directory;
  private final ImportOptions options;
  private final ImportProgress progress;
  private final List<String> bad = new ArrayList<>();

  ImageFolder(Path directory, ImportOptions options, ImportProgress progress) {
    this.directory = directory;
    this.options = options;
    this.progress = progress;
  }

  /**
   * Reads all images.
   *
   * @throws DataException if a class has no images, an image cannot be read or does not fit the
   *     others
   */
  ImportReport read(String name) {
    Contents contents = contents();
    Path firstFile = contents.train().getFirst().file();
    BufferedImage first = firstReadable(contents.train());
    int channels = options.channels().orElse(PixelSource.channelsOf(first));
    ImportOptions.Size size = options.size().orElseGet(() -> sizeOf(first));
    int total = contents.train().size() + contents.test().size();
    // Refused before an hour of decoding rather than after it.
    ImageSet.requiredBytes(contents.train().size(), size.height(), size.width(), channels);
    AtomicInteger done = new AtomicInteger();
    Decoded train = decode(contents.train(), size, channels, firstFile, done, total);
    Decoded test = decode(contents.test(), size, channels, firstFile, done, total);
    if (!bad.isEmpty() && !options.skipBad()) {
      throw new DataException(
          "%,d of %,d images in %s cannot be used: %s; mend or remove them, or leave them out with --skip-bad"
              .formatted(bad.size(), total, directory, named()));
    }
    requireAllClasses(contents, train, "training");
    requireAllClasses(contents, test, "test");
    return new ImportReport(
        new Dataset(name, train.images(), test.images(), contents.classNames()),
        train.resized() + test.resized(),
        List.copyOf(bad));
  }

  private String named() {
    String first = String.join("; ", bad.subList(0, Math.min(MOST_NAMED, bad.size())));
    return bad.size() > MOST_NAMED
        ? "%s; and %,d more".formatted(first, bad.size() - MOST_NAMED)
        : first;
  }

  private ImportOptions.Size sizeOf(BufferedImage first) {
    try {
      return new ImportOptions.Size(first.getHeight(), first.getWidth());
    } catch (DataException e) {
      throw new DataException(
          "%s: the first image is too large to give all images its size: %s; say with --size HxW what they are to be stretched to"
              .formatted(directory, e.getMessage()),
          e);
    }
  }

  private BufferedImage firstReadable(List<Example> examples) {
    DataException refusal = null;
    for (Example example : examples) {
      try {
        return ImageFiles.decode(example.file());
      } catch (DataException e) {
        refusal = e;
      }
    }
    throw new DataException(
        "none of the %,d training images in %s can be read; the last: %s"
            .formatted(examples.size(), directory, refusal.getMessage()),
        refusal);
  }

  private void requireAllClasses(Contents contents, Decoded part, String what) {
    int[] counts = part.images().classCounts(contents.classNames().size());
    for (int k = 0; k < counts.length; k++) {
      if (counts[k] == 0) {
        throw noImages(contents.classNames().get(k), what);
      }
    }
  }

  private DataException noImages(String className, String part) {
    return new DataException(
        "%s: class %s has no %s images (PNG or JPEG); add some, or remove the class's folder"
            .formatted(directory, className, part));
  }

  private Contents contents() {
    try {
      List<Path> folders = folders(directory);
      Optional<Path> train = part(folders, TRAIN);
      Optional<Path> test = part(folders, TEST);
      if (train.isPresent() && test.isPresent()) {
        return inTwoParts(train.get(), test.get());
      }
      if (train.isPresent()) {
        folders = folders(train.get());
      }
      return divided(folders);
    } catch (UncheckedIOException e) {
      throw unreadable(e.getCause());
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  private DataException unreadable(IOException e) {
    return new DataException(
        "%s cannot be read: %s".formatted(directory, DataException.reason(e)), e);
  }

  private static Optional<Path> part(List<Path> folders, Set<String> names) {
    return folders.stream().filter(f -> names.contains(lower(f))).findFirst();
  }

  private static String lower(Path path) {
    return path.getFileName().toString().toLowerCase(Locale.ROOT);
  }

  private Contents inTwoParts(Path train, Path test) throws IOException {
    List<String> classNames = classNames(folders(train));
    List<String> testNames = classNames(folders(test));
    if (!classNames.equals(testNames)) {
      List<String> odd =
          Stream.concat(classNames.stream(), testNames.stream())
              .filter(name -> !classNames.contains(name) || !testNames.contains(name))
              .toList();
      throw new DataException(
          "%s and %s must have the same classes, but only one of them has %s; add or remove those folders"
              .formatted(train, test, String.join(", ", odd)));
    }
    return new Contents(
        classNames, examples(train, classNames, "training"), examples(test, classNames, "test"));
  }

  private List<Example> examples(Path part, List<String> classNames, String what)
      throws IOException {
    List<Example> examples = new ArrayList<>();
    for (int k = 0; k < classNames.size(); k++) {
      List<Path> files = images(part.resolve(classNames.get(k)));
      if (files.isEmpty()) {
        throw noImages(classNames.get(k), what);
      }
      for (Path file : files) {
        examples.add(new Example(file, k));
      }
    }
    return examples;
  }

  private Contents divided(List<Path> folders) throws IOException {
    List<String> classNames = classNames(folders);
    List<Example> train = new ArrayList<>();
    List<Example> test = new ArrayList<>();
    for (int k = 0; k < folders.size(); k++) {
      List<Path> files = new ArrayList<>(images(folders.get(k)));
      if (files.isEmpty()) {
        throw noImages(classNames.get(k), "training");
      }
      if (files.size() == 1) {
        throw new DataException(
            "%s: class %s has one image, but one to learn from and one to test with are needed; add some, or give folders train and test"
                .formatted(directory, classNames.get(k)));
      }
      // Neighbours by name are often alike, so the test images are taken from everywhere.
      List<Path> shuffled = new ArrayList<>(files);
      Collections.shuffle(shuffled, new Random(0));
      Set<Path> held = Set.copyOf(shuffled.subList(0, Math.ceilDiv(files.size(), TEST_SHARE)));
      for (Path file : files) {
        (held.contains(file) ? test : train).add(new Example(file, k));
      }
    }
    return new Contents(classNames, train, test);
  }

  private List<String> classNames(List<Path> folders) {
    if (folders.size() < 2) {
      throw new DataException(
          "%s holds %s; a data set needs a folder of PNG or JPEG images for each of its classes, at least 2, in it or in folders train and test"
              .formatted(
                  directory,
                  folders.isEmpty()
                      ? "no class folders"
                      : "the one class folder " + folders.getFirst()));
    }
    return folders.stream().map(folder -> folder.getFileName().toString()).toList();
  }

  /** Folders that are not hidden, by name. */
  private static List<Path> folders(Path directory) throws IOException {
    return sorted(directory, Files::isDirectory);
  }

  private static List<Path> images(Path folder) throws IOException {
    return sorted(
        folder,
        file -> {
          String name = lower(file);
          return ENDINGS.contains(name.substring(name.lastIndexOf('.') + 1))
              && Files.isRegularFile(file);
        });
  }

  private static List<Path> sorted(Path folder, java.util.function.Predicate<Path> wanted)
      throws IOException {
    // By the names' characters, not the locale: the same order on every machine.
    TreeMap<String, Path> byName = new TreeMap<>();
    try (Stream<Path> all = Files.list(folder)) {
      all.filter(path -> !path.getFileName().toString().startsWith("."))
          .filter(wanted)
          .forEach(path -> byName.put(path.getFileName().toString(), path));
    }
    return List.copyOf(byName.values());
  }

  /** Decodes on all processors; the order of the images is that of the files. */
  private Decoded decode(
      List<Example> examples,
      ImportOptions.Size size,
      int channels,
      Path firstFile,
      AtomicInteger done,
      int total) {
    int imageBytes = size.height() * size.width() * channels;
    byte[] pixels =
        new byte[ImageSet.requiredBytes(examples.size(), size.height(), size.width(), channels)];
    AtomicReferenceArray<String> refusals = new AtomicReferenceArray<>(examples.size());
    AtomicIntegerArray otherSize = new AtomicIntegerArray(1);
    IntStream.range(0, examples.size())
        .parallel()
        .forEach(
            i -> {
              Path file = examples.get(i).file();
              try {
                BufferedImage image = ImageFiles.decode(file);
                int found = PixelSource.channelsOf(image);
                if (options.channels().isEmpty() && found != channels) {
                  throw new DataException(
                      "%s is %s, but %s is %s; give --channels 1 or 3 to make all alike"
                          .formatted(file, kind(found), firstFile, kind(channels)));
                }
                if (image.getHeight() != size.height() || image.getWidth() != size.width()) {
                  otherSize.incrementAndGet(0);
                }
                byte[] bytes =
                    Resampling.resize(PixelSource.of(image, channels), size.height(), size.width());
                System.arraycopy(bytes, 0, pixels, i * imageBytes, imageBytes);
              } catch (DataException e) {
                refusals.set(i, e.getMessage());
              }
              progress.advance(done.incrementAndGet(), total);
            });
    return new Decoded(without(examples, refusals, pixels, size, channels), otherSize.get(0));
  }

  private static String kind(int channels) {
    return channels == 1 ? "grey (1 channel)" : "in colour (3 channels)";
  }

  /** Closes the gaps that images leave which could not be read. */
  private ImageSet without(
      List<Example> examples,
      AtomicReferenceArray<String> refusals,
      byte[] pixels,
      ImportOptions.Size size,
      int channels) {
    BitSet good = new BitSet(examples.size());
    for (int i = 0; i < examples.size(); i++) {
      if (refusals.get(i) == null) {
        good.set(i);
      } else {
        bad.add(refusals.get(i));
      }
    }
    if (good.isEmpty()) {
      throw new DataException(
          "none of the %,d images can be used: %s".formatted(examples.size(), named()));
    }
    int imageBytes = size.height() * size.width() * channels;
    int kept = 0;
    int[] labels = new int[good.cardinality()];
    for (int i = good.nextSetBit(0); i >= 0; i = good.nextSetBit(i + 1), kept++) {
      if (kept != i) {
        System.arraycopy(pixels, i * imageBytes, pixels, kept * imageBytes, imageBytes);
      }
      labels[kept] = examples.get(i).label();
    }
    byte[] used =
        kept == examples.size() ? pixels : java.util.Arrays.copyOf(pixels, kept * imageBytes);
    return new ImageSet(size.height(), size.width(), channels, used, labels);
  }
}
