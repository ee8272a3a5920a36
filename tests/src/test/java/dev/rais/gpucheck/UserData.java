package dev.rais.gpucheck;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The user's data sets, in a folder or in folders of it. */
final class UserData {
  private static final int DEPTH = 3;

  private UserData() {}

  /**
   * CIFAR-10.
   *
   * @param folder where it lies
   * @param images whether it is images in folders train and test, to be imported first
   */
  record Cifar10(Path folder, boolean images) {}

  /** The folder with MNIST's files; of several the one that is called so. */
  static Optional<Path> mnist(Path data) throws IOException {
    return holding(data, "train-images-idx3-ubyte(\\.gz)?").stream()
        .min(
            Comparator.comparing((Path folder) -> !name(folder).equals("mnist"))
                .thenComparing(folder -> name(folder).contains("fashion")));
  }

  /** The folder with CIFAR-10. */
  static Optional<Cifar10> cifar10(Path data) throws IOException {
    Optional<Cifar10> binary =
        holding(data, "data_batch_1\\.bin|cifar-10-binary\\.tar\\.gz").stream()
            .findFirst()
            .map(folder -> new Cifar10(folder, false));
    if (binary.isPresent()) {
      return binary;
    }
    return holding(data, "airplane").stream()
        .filter(folder -> name(folder).equals("train"))
        .map(folder -> new Cifar10(folder.getParent(), true))
        .findFirst();
  }

  private static String name(Path folder) {
    return String.valueOf(folder.getFileName());
  }

  /** Folders in which something has such a name, in the order of their names. */
  private static List<Path> holding(Path data, String pattern) throws IOException {
    if (data == null || !Files.isDirectory(data)) {
      return List.of();
    }
    try (Stream<Path> all = Files.walk(data, DEPTH)) {
      return all.filter(f -> name(f).matches(pattern)).map(Path::getParent).sorted().toList();
    }
  }

  /** Why a set is not there. */
  static String missing(String set, Path data) {
    return data == null
        ? "--data was not given, so there is no " + set
        : "there is no %s in %s".formatted(set, data);
  }
}
