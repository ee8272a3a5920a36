package dev.rais.example;

import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import java.util.List;
import java.util.Random;

/** A small data set: a cluster of points for each class, most of them easy and some far out. */
final class Clusters {
  static final int COUNT = 4000;
  private static final int PIXELS = 12;
  private static final List<String> CLASSES = List.of("a", "b", "c", "d");

  private Clusters() {}

  static Dataset create() {
    Random random = new Random(7);
    double[][] centres = new double[CLASSES.size()][PIXELS];
    for (double[] centre : centres) {
      for (int c = 0; c < PIXELS; c++) {
        centre[c] = 128 + 30 * random.nextGaussian();
      }
    }
    return new Dataset(
        "clusters", points(centres, COUNT, random), points(centres, 1000, random), CLASSES);
  }

  private static ImageSet points(double[][] centres, int count, Random random) {
    byte[] pixels = new byte[count * PIXELS];
    int[] labels = new int[count];
    for (int i = 0; i < count; i++) {
      labels[i] = random.nextInt(centres.length);
      double spread = random.nextInt(10) == 0 ? 35 : 12;
      for (int c = 0; c < PIXELS; c++) {
        double value = centres[labels[i]][c] + spread * random.nextGaussian();
        pixels[i * PIXELS + c] = (byte) Math.clamp(Math.round(value), 0, 255);
      }
    }
    return new ImageSet(1, PIXELS, 1, pixels, labels);
  }
}
