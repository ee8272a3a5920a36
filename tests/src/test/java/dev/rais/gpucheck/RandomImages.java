package dev.rais.gpucheck;

import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.nn.Shape;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Random images that can be learnt, with which times can be measured and errors cannot: each is its
 * class's own noise under a third of fresh noise. A fifth of the labels are random, so that the
 * loss stays away from 0.
 */
final class RandomImages {
  static final int CLASSES = 10;
  private static final double LABEL_NOISE = 0.2;
  private static final int TEST_EXAMPLES = 16;

  private RandomImages() {}

  /** A data set of so many images to train on, of one shape; the same at every call. */
  static Dataset of(int examples, Shape image) {
    SplittableRandom random = new SplittableRandom(examples);
    int size = image.height() * image.width() * image.channels();
    byte[][] templates = new byte[CLASSES][size];
    for (byte[] template : templates) {
      random.nextBytes(template);
    }
    byte[] pixels = new byte[Math.multiplyExact(examples, size)];
    random.nextBytes(pixels);
    int[] labels = new int[examples];
    for (int i = 0, at = 0; i < examples; i++) {
      int label = random.nextInt(CLASSES);
      byte[] template = templates[label];
      for (int k = 0; k < size; k++, at++) {
        pixels[at] = (byte) (((template[k] & 0xff) * 2 + (pixels[at] & 0xff)) / 3);
      }
      labels[i] = random.nextDouble() < LABEL_NOISE ? random.nextInt(CLASSES) : label;
    }
    ImageSet train = new ImageSet(image.height(), image.width(), image.channels(), pixels, labels);
    List<String> names = IntStream.range(0, CLASSES).mapToObj(Integer::toString).toList();
    return new Dataset("random", train, train.slice(0, Math.min(TEST_EXAMPLES, examples)), names);
  }
}
