package dev.rais.data;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;

/**
 * The binary versions of CIFAR-10 and CIFAR-100: records of one or two label bytes and 32x32
 * pixels, all red ones first, then green, then blue. They are read from the published archive, from
 * the folder that it unpacks to, or from a folder with the files.
 *
 * @param title the data set's name in messages
 * @param archive the published file
 * @param folder what the archive unpacks to
 * @param trainFiles in the order of the images
 * @param namesFile class names, one a line
 * @param labelBytes bytes before the pixels, of which the last is the label
 */
record CifarLayout(
    String title,
    String archive,
    String folder,
    List<String> trainFiles,
    String testFile,
    String namesFile,
    int labelBytes,
    int classes)
    implements DatasetLayout {

  static final CifarLayout CIFAR_10 =
      new CifarLayout(
          "CIFAR-10",
          "cifar-10-binary.tar.gz",
          "cifar-10-batches-bin",
          // Not formatted: some locales have other digits.
          IntStream.rangeClosed(1, 5).mapToObj(k -> "data_batch_" + k + ".bin").toList(),
          "test_batch.bin",
          "batches.meta.txt",
          1,
          10);

  static final CifarLayout CIFAR_100 =
      new CifarLayout(
          "CIFAR-100",
          "cifar-100-binary.tar.gz",
          "cifar-100-binary",
          List.of("train.bin"),
          "test.bin",
          "fine_label_names.txt",
          2,
          100);

  private static final int SIDE = 32;
  private static final int CHANNELS = 3;
  private static final int PLANE = SIDE * SIDE;

  /** Five times a published file: what is more is not CIFAR. */
  private static final int MAX_FILE_BYTES = 1 << 28;

  /** Nearly three times a published archive. */
  private static final long MAX_UNPACKED_BYTES = 512L << 20;

  @Override
  public List<String> needed() {
    List<String> files = new ArrayList<>(trainFiles);
    files.add(testFile);
    return files;
  }

  @Override
  public List<String> missingFrom(Path directory) {
    if (Files.isRegularFile(directory.resolve(archive))) {
      return List.of();
    }
    Path at = unpacked(directory);
    return needed().stream().filter(name -> !Files.isRegularFile(at.resolve(name))).toList();
  }

  private Path unpacked(Path directory) {
    Path below = directory.resolve(folder);
    return Files.isDirectory(below) ? below : directory;
  }

  @Override
  public List<Path> cachedSources(Path directory) {
    Path packed = directory.resolve(archive);
    return Files.isRegularFile(packed)
        ? List.of(packed)
        : needed().stream().map(unpacked(directory)::resolve).toList();
  }

  @Override
  public Dataset read(String name, Path directory, List<String> classNames) {
    requireComplete(directory);
    Path packed = directory.resolve(archive);
    Map<String, byte[]> files = new HashMap<>();
    String where;
    try {
      if (Files.isRegularFile(packed)) {
        where = packed + ": ";
        unpack(packed, files);
      } else {
        Path at = unpacked(directory);
        where = at + "/";
        for (String file : needed()) {
          files.put(file, contents(at.resolve(file)));
        }
        if (Files.isRegularFile(at.resolve(namesFile))) {
          files.put(namesFile, contents(at.resolve(namesFile)));
        }
      }
    } catch (IOException e) {
      throw unreadable(packed, e);
    }
    for (String file : needed()) {
      if (!files.containsKey(file)) {
        throw new DataException(
            "%s lacks %s; fetch or copy the archive again".formatted(packed, file));
      }
    }
    ImageSet train = images(where, trainFiles, files);
    ImageSet test = images(where, List.of(testFile), files);
    return new Dataset(name, train, test, names(files.get(namesFile)));
  }

  private void unpack(Path packed, Map<String, byte[]> files) throws IOException {
    List<String> wanted = new ArrayList<>(needed());
    wanted.add(namesFile);
    // Two resources: the second may fail to open, on a file that is no gzip.
    try (InputStream file = Files.newInputStream(packed);
        InputStream in = new BufferedInputStream(new GZIPInputStream(file, 1 << 16), 1 << 16)) {
      TarReader.read(
          in,
          MAX_UNPACKED_BYTES,
          (path, numBytes, contents) -> {
            String name = path.substring(path.lastIndexOf('/') + 1);
            if (wanted.contains(name)
                && files.put(name, contents(packed + ": " + name, contents)) != null) {
              throw new IOException("it holds " + name + " twice");
            }
          });
    }
  }

  private static byte[] contents(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      return contents(file.toString(), in);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private static DataException unreadable(Path file, IOException e) {
    return new DataException(
        "%s cannot be read (%s); fetch or copy it again".formatted(file, DataException.reason(e)),
        e);
  }

  private static byte[] contents(String name, InputStream in) throws IOException {
    byte[] bytes = in.readNBytes(MAX_FILE_BYTES);
    if (bytes.length == MAX_FILE_BYTES) {
      throw new DataException("%s is too long for a file of CIFAR".formatted(name));
    }
    return bytes;
  }

  private ImageSet images(String where, List<String> names, Map<String, byte[]> files) {
    int record = labelBytes + CHANNELS * PLANE;
    int count = 0;
    for (String name : names) {
      int length = files.get(name).length;
      if (length == 0 || length % record != 0) {
        throw new DataException(
            "%s%s is cut off: %,d bytes are no whole number of records of %,d bytes; fetch or copy the file again"
                .formatted(where, name, length, record));
      }
      count += length / record;
    }
    byte[] pixels = new byte[ImageSet.requiredBytes(count, SIDE, SIDE, CHANNELS)];
    int[] labels = new int[count];
    int image = 0;
    for (String name : names) {
      byte[] bytes = files.get(name);
      for (int at = 0; at < bytes.length; at += record, image++) {
        labels[image] = bytes[at + labelBytes - 1] & 0xff;
        if (labels[image] >= classes) {
          throw new DataException(
              "%s%s: image %,d has the label %d, but labels of %s end at %d; is it the right file?"
                  .formatted(where, name, at / record, labels[image], title, classes - 1));
        }
        interleave(bytes, at + labelBytes, pixels, image * CHANNELS * PLANE);
      }
    }
    return new ImageSet(SIDE, SIDE, CHANNELS, pixels, labels);
  }

  private static void interleave(byte[] planes, int from, byte[] pixels, int to) {
    for (int i = 0; i < PLANE; i++) {
      pixels[to++] = planes[from + i];
      pixels[to++] = planes[from + PLANE + i];
      pixels[to++] = planes[from + 2 * PLANE + i];
    }
  }

  private List<String> names(byte[] file) {
    if (file != null) {
      List<String> lines =
          Arrays.stream(new String(file, StandardCharsets.UTF_8).split("\\R"))
              .map(String::strip)
              .filter(line -> !line.isEmpty())
              .toList();
      if (lines.size() == classes) {
        return lines;
      }
    }
    return IntStream.range(0, classes).mapToObj(Integer::toString).toList();
  }
}
