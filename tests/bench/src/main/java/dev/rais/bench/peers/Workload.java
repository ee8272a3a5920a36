package dev.rais.bench.peers;

import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * What is trained: the same for every library, down to the bytes of the images.
 *
 * @param model name in {@link dev.rais.nn.Models}
 * @param height rows of an image
 * @param width columns of an image
 * @param channels values of a pixel
 * @param classes number of classes K
 * @param examples images to train on
 * @param batch examples of a minibatch
 * @param sampler how this library draws; the others always draw shuffled epochs
 * @param threads threads to compute with
 * @param seed of the data, the initial values and the draws
 */
record Workload(
    String model,
    int height,
    int width,
    int channels,
    int classes,
    int examples,
    int batch,
    String sampler,
    int threads,
    long seed) {
  static final double LEARNING_RATE = 0.01;
  static final double MOMENTUM = 0.9;
  static final double WEIGHT_DECAY = 5e-4;

  /** Share of random labels: keeps the loss away from 0, where gradients would become denormal. */
  private static final double LABEL_NOISE = 0.2;

  private static final int TEST_EXAMPLES = 16;

  private static final int CELL = 4;

  /** The model on images of MNIST's shape. */
  static Workload of(String model, int examples, int batch, String sampler, int threads) {
    return new Workload(model, 28, 28, 1, 10, examples, batch, sampler, threads, 1);
  }

  /**
   * Random images that can be learnt: mostly dark, as drawings are, with {@value #CELL} x {@value
   * #CELL} cells of random brightness, some of them the class's own, under a third of noise. Pure
   * noise would drive most units into silence within a few steps.
   */
  Dataset dataset() {
    SplittableRandom random = new SplittableRandom(seed);
    int rows = (height + CELL - 1) / CELL;
    int columns = (width + CELL - 1) / CELL;
    int[][] templates = new int[classes][];
    for (int k = 0; k < classes; k++) {
      templates[k] = cells(rows * columns, random);
    }
    int size = height * width * channels;
    byte[] pixels = new byte[Math.multiplyExact(examples, size)];
    random.nextBytes(pixels);
    int[] labels = new int[examples];
    for (int i = 0, at = 0; i < examples; i++) {
      int label = random.nextInt(classes);
      int[] template = templates[label];
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
          int cell = template[y / CELL * columns + x / CELL];
          for (int c = 0; c < channels; c++, at++) {
            pixels[at] = (byte) ((cell * 2 + (pixels[at] & 0xff)) / 3);
          }
        }
      }
      labels[i] = random.nextDouble() < LABEL_NOISE ? random.nextInt(classes) : label;
    }
    ImageSet train = new ImageSet(height, width, channels, pixels, labels);
    ImageSet test = train.slice(0, Math.min(TEST_EXAMPLES, examples));
    List<String> names = IntStream.range(0, classes).mapToObj(Integer::toString).toList();
    return new Dataset("random", train, test, names);
  }

  /** Whether this library draws as the others do. */
  boolean drawsShuffledEpochs() {
    return sampler.equals("uniform");
  }

  private static int[] cells(int count, SplittableRandom random) {
    return random.ints(count, 0, 1024).map(v -> Math.max(0, v - 768)).toArray();
  }
}
