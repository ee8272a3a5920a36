package dev.rais.data;

import java.util.Arrays;
import java.util.Objects;

/**
 * Images of one shape with their class labels, held in memory as the files hold them.
 *
 * <p>Pixels are unsigned bytes [count, height, width, channels]; labels are [count], each 0 or
 * more. The set is immutable by agreement: {@link #pixels()} and {@link #labels()} hand out the
 * arrays themselves, so that a backend can upload them without a copy, and callers must not modify
 * them. One set holds less than 2 GiB of pixels, the most a Java array can.
 */
public final class ImageSet {
  /** The longest byte array every JVM can allocate. */
  private static final long MAX_BYTES = Integer.MAX_VALUE - 8L;

  private final int count;
  private final int height;
  private final int width;
  private final int channels;
  private final byte[] pixels;
  private final int[] labels;

  /**
   * Wraps the arrays without copying; the caller must not modify them afterwards.
   *
   * @param pixels unsigned bytes [labels.length, height, width, channels]
   * @param labels class of each image, 0 or more
   * @throws DataException if there is no image, a dimension is not positive, the number of pixels
   *     does not fit the shape, or a label is negative
   */
  public ImageSet(int height, int width, int channels, byte[] pixels, int[] labels) {
    int expected = requiredBytes(labels.length, height, width, channels);
    if (pixels.length != expected) {
      throw new DataException(
          "%d images of %dx%dx%d need %d bytes of pixels, but there are %d"
              .formatted(labels.length, height, width, channels, expected, pixels.length));
    }
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] < 0) {
        throw new DataException(
            "image %d has the label %d, but labels must be 0 or more".formatted(i, labels[i]));
      }
    }
    this.count = labels.length;
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.pixels = pixels;
    this.labels = labels;
  }

  /** Bytes of pixels in {@code count} images; refuses what one array cannot hold. */
  static int requiredBytes(long count, long height, long width, long channels) {
    if (count < 1 || height < 1 || width < 1 || channels < 1) {
      throw new DataException(
          "%d images of %dx%dx%d are no data, every dimension must be at least 1"
              .formatted(count, height, width, channels));
    }
    try {
      long bytes =
          Math.multiplyExact(
              Math.multiplyExact(count, height), Math.multiplyExact(width, channels));
      if (bytes <= MAX_BYTES) {
        return (int) bytes;
      }
    } catch (ArithmeticException e) {
      // More than a long can count: the same refusal as just above 2 GiB.
    }
    throw new DataException(
        "%d images of %dx%dx%d are too many for one set, which holds at most %d bytes of pixels"
            .formatted(count, height, width, channels, MAX_BYTES));
  }

  /** Number of images. */
  public int count() {
    return count;
  }

  /** Rows of an image, in pixels. */
  public int height() {
    return height;
  }

  /** Columns of an image, in pixels. */
  public int width() {
    return width;
  }

  /** Values of a pixel: 1 for grey, 3 for red, green, blue. */
  public int channels() {
    return channels;
  }

  /** Bytes of one image: height · width · channels. */
  public int bytesPerImage() {
    return height * width * channels;
  }

  /** All pixels as unsigned bytes [count, height, width, channels]; not a copy, do not modify. */
  public byte[] pixels() {
    return pixels;
  }

  /** The label of every image, [count]; not a copy, do not modify. */
  public int[] labels() {
    return labels;
  }

  /** The label of image {@code index}. */
  public int label(int index) {
    return labels[Objects.checkIndex(index, count)];
  }

  /** A copy of one image's pixels as unsigned bytes [height, width, channels]. */
  public byte[] image(int index) {
    // No overflow: the offsets of a valid index lie within the array.
    int from = Objects.checkIndex(index, count) * bytesPerImage();
    return Arrays.copyOfRange(pixels, from, from + bytesPerImage());
  }

  /**
   * A copy of the images {@code from} (inclusive) to {@code to} (exclusive), in order.
   *
   * @throws IndexOutOfBoundsException if the range does not lie within the set
   * @throws DataException if the range is empty
   */
  public ImageSet slice(int from, int to) {
    Objects.checkFromToIndex(from, to, count);
    return new ImageSet(
        height,
        width,
        channels,
        Arrays.copyOfRange(pixels, from * bytesPerImage(), to * bytesPerImage()),
        Arrays.copyOfRange(labels, from, to));
  }

  /**
   * How many images each class has, [numClasses].
   *
   * @throws DataException if a label is {@code numClasses} or more
   */
  public int[] classCounts(int numClasses) {
    int[] counts = new int[numClasses];
    for (int i = 0; i < count; i++) {
      if (labels[i] >= numClasses) {
        throw new DataException(
            "image %d has the label %d, but with %d classes labels end at %d"
                .formatted(i, labels[i], numClasses, numClasses - 1));
      }
      counts[labels[i]]++;
    }
    return counts;
  }

  /** The shape of one image, for messages: "28x28x1". */
  String shape() {
    return height + "x" + width + "x" + channels;
  }

  @Override
  public String toString() {
    return count + " images of " + shape();
  }
}
