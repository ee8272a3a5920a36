package dev.rais.cli;

import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.data.ImageSet;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Runs the command in this process, and makes the small data set that its tests train on. */
final class Cli {
  /**
   * What a command left behind.
   *
   * @param code exit code
   * @param out standard output
   * @param err standard error
   */
  record Outcome(int code, String out, String err) {
    /** The last line of standard output. */
    String lastLine() {
      List<String> lines = out.lines().toList();
      return lines.isEmpty() ? "" : lines.getLast();
    }

    @Override
    public String toString() {
      return "exit code " + code + "\n--- out\n" + out + "--- err\n" + err;
    }
  }

  private Cli() {}

  /** Runs {@code rais ARGUMENTS...} without a terminal. */
  static Outcome rais(String... arguments) {
    return raisOn(0, arguments);
  }

  /** The same where standard error is a terminal of this width. */
  static Outcome raisOn(int columns, String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Console console =
        new Console(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            columns);
    int code = Main.run(console, arguments);
    return new Outcome(
        code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  /** Writes the beginning of the built-in data as a data set of its own: fast to train on. */
  static Path smallData(Path directory, int training, int test) throws IOException {
    Dataset sample = Datasets.load("fashion-mnist-sample", null);
    Files.createDirectories(directory);
    write(directory, "train", sample.train().slice(0, training));
    write(directory, "t10k", sample.test().slice(0, test));
    return directory;
  }

  private static void write(Path directory, String part, ImageSet set) throws IOException {
    ByteBuffer images = ByteBuffer.allocate(16 + set.pixels().length);
    images.putInt(0x803).putInt(set.count()).putInt(set.height()).putInt(set.width());
    images.put(set.pixels());
    ByteBuffer labels = ByteBuffer.allocate(8 + set.count());
    labels.putInt(0x801).putInt(set.count());
    for (int label : set.labels()) {
      labels.put((byte) label);
    }
    Files.write(directory.resolve(part + "-images-idx3-ubyte"), images.array());
    Files.write(directory.resolve(part + "-labels-idx1-ubyte"), labels.array());
  }

  /** Everything in a folder, sorted, relative to it. */
  static List<String> contents(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(path -> !path.equals(folder))
          .map(path -> folder.relativize(path).toString())
          .sorted()
          .toList();
    }
  }
}
