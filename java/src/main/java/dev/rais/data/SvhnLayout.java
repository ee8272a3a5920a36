package dev.rais.data;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import us.hebi.matlab.mat.format.BufferAllocator;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.types.Array;
import us.hebi.matlab.mat.types.MatFile;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Matrix;
import us.hebi.matlab.mat.types.Source;
import us.hebi.matlab.mat.types.Sources;

/**
 * SVHN with cropped digits: two MATLAB files, each with {@code X} [32, 32, 3, count] (the first
 * index runs fastest) and {@code y} [count], where 10 stands for the digit 0.
 */
final class SvhnLayout implements DatasetLayout {
  static final String TRAIN = "train_32x32.mat";
  static final String TEST = "test_32x32.mat";

  private static final int CLASSES = 10;

  @Override
  public List<String> needed() {
    return List.of(TRAIN, TEST);
  }

  @Override
  public List<String> missingFrom(Path directory) {
    return needed().stream().filter(name -> !Files.isRegularFile(directory.resolve(name))).toList();
  }

  @Override
  public List<Path> cachedSources(Path directory) {
    return needed().stream().map(directory::resolve).toList();
  }

  @Override
  public Dataset read(String name, Path directory, List<String> classNames) {
    requireComplete(directory);
    return new Dataset(
        name,
        images(directory.resolve(TRAIN)),
        images(directory.resolve(TEST)),
        IntStream.range(0, CLASSES).mapToObj(Integer::toString).toList());
  }

  private static ImageSet images(Path file) {
    try {
      MatFileCheck.check(file);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
    try (Source source = Sources.openStreamingFile(file.toFile());
        MatFile contents =
            Mat5.newReader(source)
                .setEntryFilter(entry -> Set.of("X", "y").contains(entry.getName()))
                .disableSubsystemProcessing()
                .setBufferAllocator(new Bounded(MatFileCheck.MOST_PACKED * Files.size(file)))
                .readMat()) {
      return images(file, matrix(file, contents, "X"), matrix(file, contents, "y"));
    } catch (DataException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // On damaged files the library also throws IllegalArgumentException and its like.
      throw unreadable(file, e);
    }
  }

  private static DataException unreadable(Path file, Exception e) {
    return new DataException(
        "%s cannot be read as a MATLAB file of version 5 to 7 (%s); fetch or copy it again"
            .formatted(file, reason(e)),
        e);
  }

  /** What lies at the bottom of the library's nested exceptions. */
  private static String reason(Exception e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause instanceof EOFException ? "it ends too early" : cause.getMessage();
  }

  private static Matrix matrix(Path file, MatFile contents, String name) {
    for (MatFile.Entry entry : contents.getEntries()) {
      if (entry.getName().equals(name)) {
        Array value = entry.getValue();
        if (value instanceof Matrix matrix && !matrix.isComplex()) {
          return matrix;
        }
        throw new DataException(
            "%s: %s is no array of numbers; is it SVHN's file of cropped digits?"
                .formatted(file, name));
      }
    }
    throw new DataException(
        "%s has no variable %s, but SVHN's files of cropped digits have X and y; is it the right file?"
            .formatted(file, name));
  }

  private static ImageSet images(Path file, Matrix x, Matrix y) {
    int[] dims = x.getDimensions();
    if (x.getType() != MatlabType.UInt8 || dims.length != 4 || dims[2] != 3) {
      throw new DataException(
          "%s: X is %s %s, but uint8 [height, width, 3, count] was expected; is it SVHN's file of cropped digits?"
              .formatted(file, x.getType(), Arrays.toString(dims)));
    }
    int height = dims[0];
    int width = dims[1];
    int channels = dims[2];
    int count = dims[3];
    int total = ImageSet.requiredBytes(count, height, width, channels);
    if (x.getNumElements() != total || y.getNumElements() != count) {
      throw new DataException(
          "%s: y has %,d labels for %,d images in X; fetch or copy the file again"
              .formatted(file, y.getNumElements(), count));
    }
    byte[] pixels = new byte[total];
    int from = 0;
    for (int image = 0; image < count; image++) {
      int base = image * height * width * channels;
      for (int c = 0; c < channels; c++) {
        for (int column = 0; column < width; column++) {
          for (int row = 0; row < height; row++) {
            pixels[base + (row * width + column) * channels + c] = x.getByte(from++);
          }
        }
      }
    }
    int[] labels = new int[count];
    for (int image = 0; image < count; image++) {
      double label = y.getDouble(image);
      if (!(label >= 1 && label <= CLASSES) || label != Math.rint(label)) {
        throw new DataException(
            "%s: image %,d has the label %s, but SVHN's are 1 to 10; is it the right file?"
                .formatted(file, image, text(label)));
      }
      labels[image] = (int) label % CLASSES;
    }
    return new ImageSet(height, width, channels, pixels, labels);
  }

  private static String text(double label) {
    return label == (int) label ? Integer.toString((int) label) : Double.toString(label);
  }

  /** Refuses what a header claims but the file cannot hold. */
  private record Bounded(long limit) implements BufferAllocator {
    @Override
    public ByteBuffer allocate(int numBytes) {
      if (numBytes < 0 || numBytes > limit) {
        throw new IllegalArgumentException(
            "it claims to hold an array of %d bytes".formatted(numBytes));
      }
      return ByteBuffer.allocate(numBytes);
    }

    @Override
    public void release(ByteBuffer buffer) {
      // The garbage collector's.
    }
  }
}
