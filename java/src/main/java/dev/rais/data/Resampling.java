package dev.rais.data;

/**
 * Resizes images, each axis for itself: where it shrinks, an output pixel is the mean of the area
 * it covers; where it grows, it is interpolated between the two nearest pixels. Written out here
 * because the JDK's own scaling skips pixels when it shrinks by much, and differs by platform.
 */
final class Resampling {
  private Resampling() {}

  /** One output position of an axis: input positions from {@code first}, with weights of sum 1. */
  private record Tap(int first, float[] weights) {}

  /** Returns unsigned bytes [height, width, channels]. */
  static byte[] resize(PixelSource source, int height, int width) {
    int channels = source.channels();
    Tap[] columns = taps(source.width(), width);
    Tap[] rows = taps(source.height(), height);
    float[] input = new float[source.width() * channels];
    float[] narrowed = new float[width * channels];
    float[] sums = new float[height * width * channels];
    // Row by row, so that the source never exists as floats.
    int firstRow = 0;
    for (int y = 0; y < source.height(); y++) {
      source.readRow(y, input);
      narrow(input, columns, channels, narrowed);
      while (firstRow < height && rows[firstRow].first() + rows[firstRow].weights().length <= y) {
        firstRow++;
      }
      for (int r = firstRow; r < height && rows[r].first() <= y; r++) {
        int tap = y - rows[r].first();
        if (tap < rows[r].weights().length) {
          float weight = rows[r].weights()[tap];
          for (int i = 0; i < narrowed.length; i++) {
            sums[r * narrowed.length + i] += weight * narrowed[i];
          }
        }
      }
    }
    byte[] pixels = new byte[sums.length];
    for (int i = 0; i < sums.length; i++) {
      // Rounding errors may lead a hair outside 0..255, which a byte would wrap around.
      pixels[i] = (byte) Math.clamp(Math.round(sums[i]), 0, 255);
    }
    return pixels;
  }

  private static void narrow(float[] input, Tap[] columns, int channels, float[] output) {
    for (int x = 0; x < columns.length; x++) {
      float[] weights = columns[x].weights();
      for (int c = 0; c < channels; c++) {
        float sum = 0;
        for (int t = 0; t < weights.length; t++) {
          sum += weights[t] * input[(columns[x].first() + t) * channels + c];
        }
        output[x * channels + c] = sum;
      }
    }
  }

  private static Tap[] taps(int from, int to) {
    double scale = (double) from / to;
    Tap[] taps = new Tap[to];
    for (int i = 0; i < to; i++) {
      taps[i] = scale > 1 ? area(i, scale, from) : between(i, scale, from);
    }
    return taps;
  }

  /** Weights by how much of each input pixel lies in [i, i + 1) · scale. */
  private static Tap area(int i, double scale, int from) {
    double start = i * scale;
    double end = Math.min(start + scale, from);
    int first = (int) start;
    float[] weights = new float[Math.min((int) Math.ceil(end), from) - first];
    for (int t = 0; t < weights.length; t++) {
      double covered = Math.min(end, first + t + 1) - Math.max(start, first + t);
      weights[t] = (float) (covered / (end - start));
    }
    return new Tap(first, weights);
  }

  /** The two input pixels whose centres enclose the output pixel's centre; one at the edges. */
  private static Tap between(int i, double scale, int from) {
    double centre = Math.clamp((i + 0.5) * scale - 0.5, 0.0, from - 1.0);
    int first = (int) centre;
    float fraction = (float) (centre - first);
    return fraction == 0
        ? new Tap(first, new float[] {1})
        : new Tap(first, new float[] {1 - fraction, fraction});
  }
}
