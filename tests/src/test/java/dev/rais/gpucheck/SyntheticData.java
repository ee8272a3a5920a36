package dev.rais.gpucheck;

import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Data sets to train on: those in the user's folder, or random ones of the same shapes, with which
 * times can be measured and errors cannot.
 */
final class SyntheticData {
  private static final int PIXELS = 28 * 28;
  private static final int CIFAR_BYTES = 1 + 3 * 32 * 32;

  private SyntheticData() {}

  /** The folder in which a set's file lies: the given one, or one in it. */
  static Optional<Path> find(Path folder, String file) throws IOException {
    if (folder == null || !Files.isDirectory(folder)) {
      return Optional.empty();
    }
    try (Stream<Path> all = Files.walk(folder, 2)) {
      return all.filter(f -> f.getFileName().toString().matches("\\Q" + file + "\\E(\\.gz)?"))
          .map(Path::getParent)
          .sorted()
          .findFirst();
    }
  }

  /** Random images and labels as MNIST has them. */
  static void mnist(Path folder) throws IOException {
    Files.createDirectories(folder);
    idx(folder, "train", 60_000);
    idx(folder, "t10k", 10_000);
  }

  private static void idx(Path folder, String name, int count) throws IOException {
    Random random = new Random(count);
    try (var out = open(folder.resolve(name + "-images-idx3-ubyte"))) {
      for (int value : new int[] {0x803, count, 28, 28}) {
        out.writeInt(value);
      }
      byte[] image = new byte[PIXELS];
      for (int i = 0; i < count; i++) {
        random.nextBytes(image);
        out.write(image);
      }
    }
    try (var out = open(folder.resolve(name + "-labels-idx1-ubyte"))) {
      out.writeInt(0x801);
      out.writeInt(count);
      for (int i = 0; i < count; i++) {
        out.writeByte(i % 10);
      }
    }
  }

  /** Random images and labels as CIFAR-10 has them. */
  static void cifar(Path folder) throws IOException {
    Files.createDirectories(folder);
    Random random = new Random(10);
    byte[] example = new byte[CIFAR_BYTES];
    for (String name :
        new String[] {
          "data_batch_1",
          "data_batch_2",
          "data_batch_3",
          "data_batch_4",
          "data_batch_5",
          "test_batch"
        }) {
      try (var out = open(folder.resolve(name + ".bin"))) {
        for (int i = 0; i < 10_000; i++) {
          random.nextBytes(example);
          example[0] = (byte) (i % 10);
          out.write(example);
        }
      }
    }
  }

  private static DataOutputStream open(Path file) throws IOException {
    return new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)));
  }
}
