package dev.rais.data;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Per-channel mean and standard deviation of pixels scaled to [0, 1]. A network's input is {@code
 * (pixel / 255 − mean) / standardDeviation}.
 *
 * @param mean [channels]
 * @param standardDeviation [channels], every one above 0
 */
public record Normalization(float[] mean, float[] standardDeviation) {
  /** Images that one thread counts at a time. */
  private static final int PART = 1024;

  /**
   * Copies both arrays.
   *
   * @throws DataException if the lengths differ, or a value is not finite, or a deviation is not
   *     above 0
   */
  public Normalization {
    mean = mean.clone();
    standardDeviation = standardDeviation.clone();
    if (mean.length != standardDeviation.length) {
      throw new DataException(
          "a normalization needs one deviation per mean, but has %d means and %d deviations"
              .formatted(mean.length, standardDeviation.length));
    }
    for (int c = 0; c < mean.length; c++) {
      if (!Float.isFinite(mean[c])
          || !Float.isFinite(standardDeviation[c])
          || !(standardDeviation[c] > 0)) {
        throw new DataException(
            "channel %d has the mean %s and the deviation %s; both must be finite and the deviation above 0"
                .formatted(c, mean[c], standardDeviation[c]));
      }
    }
  }

  /**
   * Measures {@code images}. A channel that is constant gets the deviation 1: it then becomes 0
   * everywhere, where its true deviation of 0 would make it NaN.
   */
  public static Normalization of(ImageSet images) {
    int channels = images.channels();
    // Counting values first makes the sums short and exact, however many pixels there are.
    long[][] histogram =
        IntStream.range(0, Math.ceilDiv(images.count(), PART))
            .parallel()
            .mapToObj(part -> histogram(images, part * PART))
            .reduce(new long[channels][256], Normalization::sum);
    double perChannel = (double) images.count() * images.height() * images.width();
    float[] mean = new float[channels];
    float[] deviation = new float[channels];
    for (int c = 0; c < channels; c++) {
      double sum = 0;
      int distinct = 0;
      for (int value = 0; value < 256; value++) {
        sum += histogram[c][value] * (value / 255.0);
        distinct += histogram[c][value] > 0 ? 1 : 0;
      }
      double average = sum / perChannel;
      double squares = 0;
      for (int value = 0; value < 256; value++) {
        double difference = value / 255.0 - average;
        squares += histogram[c][value] * difference * difference;
      }
      mean[c] = (float) average;
      deviation[c] = distinct == 1 ? 1 : (float) Math.sqrt(squares / perChannel);
    }
    return new Normalization(mean, deviation);
  }

  /** Values of each channel, [channels, 256], in a part of the images. */
  private static long[][] histogram(ImageSet images, int first) {
    int channels = images.channels();
    long[][] histogram = new long[channels][256];
    byte[] pixels = images.pixels();
    int end = Math.min(images.count(), first + PART) * images.bytesPerImage();
    for (int i = first * images.bytesPerImage(); i < end; ) {
      for (int c = 0; c < channels; c++) {
        histogram[c][pixels[i++] & 0xff]++;
      }
    }
    return histogram;
  }

  private static long[][] sum(long[][] a, long[][] b) {
    long[][] sum = new long[a.length][256];
    for (int c = 0; c < sum.length; c++) {
      for (int value = 0; value < 256; value++) {
        sum[c][value] = a[c][value] + b[c][value];
      }
    }
    return sum;
  }

  /** A copy, [channels]. */
  @Override
  public float[] mean() {
    return mean.clone();
  }

  /** A copy, [channels]. */
  @Override
  public float[] standardDeviation() {
    return standardDeviation.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Normalization that
        && Arrays.equals(mean, that.mean)
        && Arrays.equals(standardDeviation, that.standardDeviation);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(mean) + Arrays.hashCode(standardDeviation);
  }

  @Override
  public String toString() {
    return "mean "
        + Arrays.toString(mean)
        + ", standard deviation "
        + Arrays.toString(standardDeviation);
  }
}
