package dev.rais.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** MNIST's layout: four IDX files, each plain or with .gz after its name. */
final class IdxLayout implements DatasetLayout {
  static final String TRAIN_IMAGES = "train-images-idx3-ubyte";
  static final String TRAIN_LABELS = "train-labels-idx1-ubyte";
  static final String TEST_IMAGES = "t10k-images-idx3-ubyte";
  static final String TEST_LABELS = "t10k-labels-idx1-ubyte";

  private static final List<String> STEMS =
      List.of(TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS);

  @Override
  public List<String> needed() {
    return STEMS.stream().map(stem -> stem + "[.gz]").toList();
  }

  @Override
  public List<String> missingFrom(Path directory) {
    return STEMS.stream()
        .filter(stem -> find(directory, stem).isEmpty())
        .map(stem -> stem + "[.gz]")
        .toList();
  }

  @Override
  public Dataset read(String name, Path directory, List<String> classNames) {
    requireComplete(directory);
    ImageSet train = readPair(directory, TRAIN_IMAGES, TRAIN_LABELS);
    ImageSet test = readPair(directory, TEST_IMAGES, TEST_LABELS);
    List<String> names = classNames.isEmpty() ? numbers(train, test) : classNames;
    return new Dataset(name, train, test, names);
  }

  private static ImageSet readPair(Path directory, String imagesStem, String labelsStem) {
    return IdxReader.read(
        find(directory, imagesStem).orElseThrow(), find(directory, labelsStem).orElseThrow());
  }

  private static Optional<Path> find(Path directory, String stem) {
    Path plain = directory.resolve(stem);
    Path packed = directory.resolve(stem + ".gz");
    return Files.isRegularFile(plain)
        ? Optional.of(plain)
        : Optional.of(packed).filter(Files::isRegularFile);
  }

  private static List<String> numbers(ImageSet train, ImageSet test) {
    int highest =
        IntStream.concat(Arrays.stream(train.labels()), Arrays.stream(test.labels()))
            .max()
            .orElseThrow();
    return IntStream.rangeClosed(0, highest).mapToObj(Integer::toString).toList();
  }
}
