package dev.rais.data;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Data sets made of others for experiments: {@code mnist@subset=5000}, {@code
 * fashion-mnist@imbalance=100}. The same name is always the same data: what is random follows from
 * fixed seeds of {@link Random}, whose numbers Java specifies.
 */
final class DerivedDataset {
  private static final char MARK = '@';

  private static final List<String> CHANGES =
      List.of("subset", "imbalance", "rotated", "label-noise");

  private static final long SUBSET_SEED = 1;
  private static final long IMBALANCE_SEED = 2;
  private static final long ROTATION_SEED = 3;
  private static final long NOISE_SEED = 4;

  private DerivedDataset() {}

  /** Where the last change of a name begins; -1 if it is that of no derived data set. */
  static int mark(String name) {
    int at = name.lastIndexOf(MARK);
    return at > 0 && name.indexOf('/', at) < 0 ? at : -1;
  }

  /**
   * Changes a data set.
   *
   * @param change what follows the mark
   * @throws DataException if there is no such change, or its value is out of range
   */
  static Dataset derive(Dataset base, String change) {
    String[] pair = change.split("=", 2);
    String value = pair.length == 2 ? pair[1] : null;
    Dataset changed =
        switch (pair[0]) {
          case "subset" -> subset(base, whole(change, value, base.train().count()));
          case "imbalance" -> imbalance(base, number(change, value, 1, 1e6));
          case "rotated" -> {
            if (value != null) {
              throw wrong(change, "rotated takes no value");
            }
            yield rotated(base);
          }
          case "label-noise" -> labelNoise(base, number(change, value, 0, 1));
          default ->
              throw wrong(
                  change,
                  "there is no such change; %sknown are %s"
                      .formatted(
                          NearestName.of(pair[0], CHANGES)
                              .map(name -> "did you mean \"" + name + "\"? ")
                              .orElse(""),
                          String.join(", ", CHANGES)));
        };
    return new Dataset(
        base.name() + MARK + change, changed.train(), changed.test(), base.classNames());
  }

  private static DataException wrong(String change, String why) {
    return new DataException("%s%s: %s".formatted(MARK, change, why));
  }

  private static int whole(String change, String value, int most) {
    try {
      int number = Integer.parseInt(String.valueOf(value));
      if (number >= 1 && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The sentence below says what it should be.
    }
    throw wrong(change, "expected a whole number from 1 to " + most);
  }

  private static double number(String change, String value, double least, double most) {
    try {
      double number = Double.parseDouble(String.valueOf(value));
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The sentence below says what it should be.
    }
    throw wrong(
        change, String.format(Locale.ROOT, "expected a number from %.0f to %.0f", least, most));
  }

  private static Dataset withTrain(Dataset base, ImageSet train) {
    return new Dataset(base.name(), train, base.test(), base.classNames());
  }

  /** N of the training images, in their order. */
  private static Dataset subset(Dataset base, int count) {
    int[] chosen = Arrays.copyOf(shuffled(base.train().count(), SUBSET_SEED), count);
    Arrays.sort(chosen);
    return withTrain(base, pick(base.train(), chosen));
  }

  /** Class k of K keeps its share R^(−k/(K − 1)): the last one an R-th of the first one's. */
  private static Dataset imbalance(Dataset base, double ratio) {
    ImageSet train = base.train();
    int classes = base.numClasses();
    int[] counts = train.classCounts(classes);
    int[] left = new int[classes];
    for (int k = 0; k < classes; k++) {
      double share = classes == 1 ? 1 : Math.pow(ratio, -(double) k / (classes - 1));
      left[k] = Math.max(Math.min(1, counts[k]), (int) Math.round(counts[k] * share));
    }
    int[] chosen =
        Arrays.stream(shuffled(train.count(), IMBALANCE_SEED))
            .filter(i -> left[train.label(i)]-- > 0)
            .sorted()
            .toArray();
    return withTrain(base, pick(train, chosen));
  }

  /** Every image, of the test set too, turned by an angle of its own. */
  private static Dataset rotated(Dataset base) {
    Random random = new Random(ROTATION_SEED);
    return new Dataset(
        base.name(),
        rotated(base.train(), random),
        rotated(base.test(), random),
        base.classNames());
  }

  private static ImageSet rotated(ImageSet images, Random random) {
    byte[] pixels = new byte[images.pixels().length];
    for (int i = 0; i < images.count(); i++) {
      double angle = 2 * Math.PI * random.nextDouble();
      rotate(images, i, StrictMath.cos(angle), StrictMath.sin(angle), pixels);
    }
    return new ImageSet(
        images.height(), images.width(), images.channels(), pixels, images.labels());
  }

  /** About the centre, interpolated between the four nearest pixels; black beyond the edges. */
  private static void rotate(ImageSet images, int index, double cos, double sin, byte[] to) {
    int height = images.height();
    int width = images.width();
    int channels = images.channels();
    int base = index * images.bytesPerImage();
    byte[] from = images.pixels();
    double middleY = (height - 1) / 2.0;
    double middleX = (width - 1) / 2.0;
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        double atX = middleX + cos * (x - middleX) + sin * (y - middleY);
        double atY = middleY - sin * (x - middleX) + cos * (y - middleY);
        int left = (int) Math.floor(atX);
        int top = (int) Math.floor(atY);
        for (int c = 0; c < channels; c++) {
          double sum = 0;
          for (int dy = 0; dy < 2; dy++) {
            for (int dx = 0; dx < 2; dx++) {
              int py = top + dy;
              int px = left + dx;
              if (py >= 0 && py < height && px >= 0 && px < width) {
                double weight = (1 - Math.abs(atY - py)) * (1 - Math.abs(atX - px));
                sum += weight * (from[base + (py * width + px) * channels + c] & 0xff);
              }
            }
          }
          to[base + (y * width + x) * channels + c] = (byte) Math.round(sum);
        }
      }
    }
  }

  /** A share of the training labels, each replaced by another class. */
  private static Dataset labelNoise(Dataset base, double share) {
    ImageSet train = base.train();
    if (base.numClasses() < 2) {
      return base;
    }
    int[] labels = train.labels().clone();
    int[] order = shuffled(labels.length, NOISE_SEED);
    Random random = new Random(NOISE_SEED);
    for (int j = 0; j < Math.round(share * labels.length); j++) {
      int shift = 1 + random.nextInt(base.numClasses() - 1);
      labels[order[j]] = (labels[order[j]] + shift) % base.numClasses();
    }
    return withTrain(
        base,
        new ImageSet(train.height(), train.width(), train.channels(), train.pixels(), labels));
  }

  private static int[] shuffled(int n, long seed) {
    Random random = new Random(seed);
    int[] order = IntStream.range(0, n).toArray();
    for (int i = n - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
    return order;
  }

  private static ImageSet pick(ImageSet images, int[] chosen) {
    int size = images.bytesPerImage();
    byte[] pixels = new byte[chosen.length * size];
    int[] labels = new int[chosen.length];
    for (int j = 0; j < chosen.length; j++) {
      System.arraycopy(images.pixels(), chosen[j] * size, pixels, j * size, size);
      labels[j] = images.label(chosen[j]);
    }
    return new ImageSet(images.height(), images.width(), images.channels(), pixels, labels);
  }
}
