package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.types.MatFile;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Matrix;

/** CIFAR's binary files and SVHN's MATLAB files: what they become, and which are refused. */
class LayoutsTest {
  private static final int PLANE = 32 * 32;

  @TempDir Path folder;

  @Test
  void cifar10IsReadFromItsFiles() throws IOException {
    Path files = cifar10(folder.resolve("cifar"));
    Files.writeString(files.resolve("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    Dataset data = Datasets.load(files.toString(), null);
    assertEquals("10 images of 32x32x3", data.train().toString());
    assertArrayEquals(new int[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, data.train().labels());
    assertArrayEquals(new int[] {7}, data.test().labels());
    assertEquals(List.of("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"), data.classNames());
    byte[] image = data.train().image(3);
    for (int i = 0; i < PLANE; i++) {
      for (int c = 0; c < 3; c++) {
        assertEquals(pixel(3, c, i), image[3 * i + c], "pixel " + i + ", channel " + c);
      }
    }
  }

  @Test
  void cifar100TakesTheFineLabels() throws IOException {
    Path files = Files.createDirectories(folder.resolve("c100/cifar-100-binary"));
    Files.write(files.resolve("train.bin"), concat(record(19, 99), record(3, 42)));
    Files.write(files.resolve("test.bin"), record(0, 7));
    Dataset data = Datasets.load(folder.resolve("c100").toString(), null);
    assertArrayEquals(new int[] {99, 42}, data.train().labels());
    assertEquals(100, data.numClasses());
    assertEquals("42", data.classNames().get(42), "without a file of names");
  }

  @Test
  void thePublishedArchiveIsReadAsItIs() throws IOException {
    Path files = cifar10(folder.resolve("files"));
    Path packed = Files.createDirectory(folder.resolve("packed"));
    archive(files, packed.resolve("cifar-10-binary.tar.gz"));
    Dataset expected = Datasets.load(files.toString(), null);
    Dataset data = Datasets.load(packed.toString(), null);
    assertArrayEquals(expected.train().pixels(), data.train().pixels());
    assertArrayEquals(expected.test().labels(), data.test().labels());
  }

  @Test
  void anArchiveCutAnywhereIsRefused() throws IOException {
    Path files = cifar10(folder.resolve("files"));
    Path archive = folder.resolve("cifar-10-binary.tar.gz");
    archive(files, archive);
    byte[] whole = Files.readAllBytes(archive);
    for (int length = 0; length < whole.length; length += 97) {
      Files.write(archive, Arrays.copyOf(whole, length));
      refused(folder, "fetch or copy");
    }
    byte[] changed = whole.clone();
    changed[whole.length - 6] ^= 1; // of the checksum
    Files.write(archive, changed);
    refused(folder, "fetch or copy");
  }

  @Test
  void aCifarFileCutOffIsRefused() throws IOException {
    Path files = cifar10(folder.resolve("cifar"));
    byte[] whole = Files.readAllBytes(files.resolve("data_batch_3.bin"));
    for (int length : new int[] {0, 1, 3072, whole.length - 1}) {
      Files.write(files.resolve("data_batch_3.bin"), Arrays.copyOf(whole, length));
      refused(files, "data_batch_3.bin is cut off");
    }
  }

  @Test
  void aCifarLabelOutOfRangeIsRefused() throws IOException {
    Path files = cifar10(folder.resolve("cifar"));
    Files.write(files.resolve("data_batch_2.bin"), concat(record(1), record(10)));
    refused(files, "data_batch_2.bin: image 1 has the label 10, but labels of CIFAR-10 end at 9");
  }

  @Test
  void cifarLacksAFile() throws IOException {
    Path files = cifar10(folder.resolve("cifar"));
    Files.delete(files.resolve("test_batch.bin"));
    refused(files, "it lacks test_batch.bin;");
  }

  @Test
  void svhnIsReadWithTenAsZero() throws IOException {
    Path files = svhn(folder, 3, new double[] {10, 1, 9});
    Dataset data = Datasets.load(files.toString(), null);
    assertEquals("3 images of 32x32x3", data.train().toString());
    assertArrayEquals(new int[] {0, 1, 9}, data.train().labels());
    for (int y = 0; y < 32; y++) {
      for (int x = 0; x < 32; x++) {
        for (int c = 0; c < 3; c++) {
          assertEquals(value(y, x, c, 2), data.train().image(2)[(y * 32 + x) * 3 + c], y + " " + x);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"X", "y"})
  void svhnWithoutAVariableIsRefused(String lacking) throws IOException {
    svhn(folder, 2, new double[] {1, 2});
    MatFile file = Mat5.newMatFile();
    if (lacking.equals("y")) {
      file.addArray("X", x(2));
    } else {
      file.addArray("y", y(1, 2));
    }
    Mat5.writeToFile(file, folder.resolve("test_32x32.mat").toFile());
    refused(folder, "test_32x32.mat has no variable " + lacking + ", but SVHN's files");
  }

  @Test
  void svhnOfTheWrongShapeIsRefused() throws IOException {
    svhn(folder, 2, new double[] {1, 2, 3});
    refused(folder, "train_32x32.mat: y has 3 labels for 2 images in X");
    svhn(folder, 2, new double[] {1, 11});
    refused(folder, "train_32x32.mat: image 1 has the label 11, but SVHN's are 1 to 10");
    MatFile flat =
        Mat5.newMatFile()
            .addArray("X", Mat5.newMatrix(new int[] {32, 32, 4}, MatlabType.UInt8))
            .addArray("y", y(1));
    Mat5.writeToFile(flat, folder.resolve("train_32x32.mat").toFile());
    refused(folder, "X is uint8 [32, 32, 4], but uint8 [height, width, 3, count] was expected");
  }

  @Test
  void svhnCutOffIsRefused() throws IOException {
    svhn(folder, 2, new double[] {1, 2});
    Path file = folder.resolve("train_32x32.mat");
    byte[] whole = Files.readAllBytes(file);
    for (int length = 0; length < whole.length - 8; length += 41) {
      Files.write(file, Arrays.copyOf(whole, length));
      refused(folder, "train_32x32.mat");
    }
    Files.writeString(file, "this is no MATLAB file, but a text that is long enough".repeat(9));
    refused(folder, "train_32x32.mat cannot be read as a MATLAB file");
    byte[] newer = Arrays.copyOf(whole, 512);
    newer[125] = 2;
    Files.write(file, newer);
    refused(folder, "it is of version 7.3; in MATLAB, save with -v7");
  }

  /** The second start reads the cache; another file, a damaged or an old cache is noticed. */
  @Test
  void theCacheFollowsItsSource() throws IOException {
    Path files = cifar10(folder.resolve("cifar"));
    Path cache = folder.resolve("home/cache.rais");
    Dataset first = cached(files, cache);
    byte[] written = Files.readAllBytes(cache);
    FileTime time = Files.getLastModifiedTime(cache);
    Dataset second = cached(files, cache);
    assertSame(first, second);
    assertEquals(time, Files.getLastModifiedTime(cache), "read, not written again");

    byte[] damaged = written.clone();
    damaged[damaged.length - 1] ^= 1;
    Files.write(cache, damaged);
    assertSame(first, cached(files, cache));
    assertArrayEquals(written, Files.readAllBytes(cache), "made anew");

    byte[] old = written.clone();
    old[11]++; // the version
    Files.write(cache, old);
    assertSame(first, cached(files, cache));
    assertArrayEquals(written, Files.readAllBytes(cache));

    Files.write(files.resolve("test_batch.bin"), concat(record(1), record(2)));
    Dataset changed = cached(files, cache);
    assertArrayEquals(new int[] {1, 2}, changed.test().labels());
    assertNotEquals(written.length, Files.size(cache));
  }

  @Test
  void withoutARoomForTheCacheTheDataIsReadAllTheSame() throws IOException {
    Path files = cifar10(folder.resolve("cifar"));
    Path inTheWay = Files.writeString(folder.resolve("file"), "mine");
    Dataset data = cached(files, inTheWay.resolve("below/cache.rais"));
    assertEquals(10, data.train().count());
  }

  /** A folder of the user's own is kept too, where reading it takes time. */
  @Test
  void aFolderIsReadFromItsCacheTheSecondTime() throws IOException {
    Locations locations = new Locations(Map.of(), folder.resolve("home"), folder);
    Path files = cifar10(folder.resolve("cifar"));
    Path cache = locations.cacheOf(files);
    Datasets.load(files.toString(), null, locations);
    assertFalse(Files.exists(cache), "ten images are read as fast as their cache");

    Files.write(files.resolve("data_batch_1.bin"), new byte[6000 * 3073]);
    Dataset first = Datasets.load(files.toString(), null, locations);
    FileTime time = Files.getLastModifiedTime(cache);
    assertSame(first, Datasets.load(files.toString(), null, locations));
    assertEquals(time, Files.getLastModifiedTime(cache), "read, not written again");

    Files.write(files.resolve("data_batch_1.bin"), new byte[5999 * 3073]);
    Dataset changed = Datasets.load(files.toString(), null, locations);
    assertEquals(first.train().count() - 1, changed.train().count());

    Path other = cifar10(folder.resolve("other"));
    assertNotEquals(cache, locations.cacheOf(other));
    assertEquals(cache, locations.cacheOf(other.resolve("../cifar")));
  }

  private static Dataset cached(Path files, Path cache) {
    return Datasets.cached(CifarLayout.CIFAR_10, "cifar10", files, List.of(), cache);
  }

  static void assertSame(Dataset expected, Dataset actual) {
    assertEquals(expected.classNames(), actual.classNames());
    for (var parts :
        List.of(
            Map.entry(expected.train(), actual.train()),
            Map.entry(expected.test(), actual.test()))) {
      assertArrayEquals(parts.getKey().pixels(), parts.getValue().pixels());
      assertArrayEquals(parts.getKey().labels(), parts.getValue().labels());
    }
  }

  private static void refused(Path directory, String because) {
    DataException e =
        assertThrows(DataException.class, () -> Datasets.load(directory.toString(), null));
    assertTrue(e.getMessage().contains(because), e.getMessage());
    assertFalse(e.getMessage().contains("Exception"), e.getMessage());
  }

  /** The same with ten images to test with, one of each class. */
  static Path cifar10WithAllClasses(Path directory) throws IOException {
    cifar10(directory);
    byte[] test = new byte[0];
    for (int k = 0; k < 10; k++) {
      test = concat(test, record(k));
    }
    Files.write(directory.resolve("test_batch.bin"), test);
    return directory;
  }

  /** Two images in each of the five files, with labels 0 to 9; one to test with. */
  static Path cifar10(Path directory) throws IOException {
    Files.createDirectories(directory);
    for (int file = 0; file < 5; file++) {
      Files.write(
          directory.resolve("data_batch_" + (file + 1) + ".bin"),
          concat(record(2 * file), record(2 * file + 1)));
    }
    Files.write(directory.resolve("test_batch.bin"), record(7));
    return directory;
  }

  private static byte[] record(int... labels) {
    byte[] bytes = new byte[labels.length + 3 * PLANE];
    for (int k = 0; k < labels.length; k++) {
      bytes[k] = (byte) labels[k];
    }
    for (int i = 0; i < 3 * PLANE; i++) {
      bytes[labels.length + i] = pixel(labels[labels.length - 1], i / PLANE, i % PLANE);
    }
    return bytes;
  }

  private static byte pixel(int label, int channel, int position) {
    return (byte) (31 * label + 89 * channel + 7 * position);
  }

  private static byte[] concat(byte[] a, byte[] b) {
    byte[] both = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, both, a.length, b.length);
    return both;
  }

  /** A tar archive as the publisher's: a folder's entry, then its files. */
  static void archive(Path files, Path target) throws IOException {
    TarBytes tar = new TarBytes().add("cifar-10-batches-bin/", '5', new byte[0]);
    try (var all = Files.list(files)) {
      for (Path file : all.sorted().toList()) {
        tar.add("cifar-10-batches-bin/" + file.getFileName(), '0', Files.readAllBytes(file));
      }
    }
    tar.writeTo(target);
  }

  private static Path svhn(Path directory, int images, double[] labels) throws IOException {
    MatFile train = Mat5.newMatFile().addArray("X", x(images)).addArray("y", y(labels));
    Mat5.writeToFile(train, directory.resolve("train_32x32.mat").toFile());
    MatFile test = Mat5.newMatFile().addArray("X", x(1)).addArray("y", y(4));
    Mat5.writeToFile(test, directory.resolve("test_32x32.mat").toFile());
    return directory;
  }

  private static Matrix x(int images) {
    Matrix x = Mat5.newMatrix(new int[] {32, 32, 3, images}, MatlabType.UInt8);
    for (int i = 0; i < images; i++) {
      for (int c = 0; c < 3; c++) {
        for (int column = 0; column < 32; column++) {
          for (int row = 0; row < 32; row++) {
            x.setByte(new int[] {row, column, c, i}, value(row, column, c, i));
          }
        }
      }
    }
    return x;
  }

  private static byte value(int row, int column, int channel, int image) {
    return (byte) (row + 3 * column + 50 * channel + 17 * image);
  }

  private static Matrix y(double... labels) {
    Matrix y = Mat5.newMatrix(labels.length, 1);
    for (int i = 0; i < labels.length; i++) {
      y.setDouble(i, labels[i]);
    }
    return y;
  }
}
