package dev.rais.bench.peers;

import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Schedule;
import dev.rais.nn.Shape;
import dev.rais.train.TrainingConfig;
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
public record Workload(
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

  /** Epochs of the schedule, a tenth of which is more than a benchmark ever trains. */
  private static final double ENDLESS = 1e6;

  private static final int CELL = 4;

  /** Images of the default data set: enough for a fraction of an epoch to be the rule. */
  static int examples(String model) {
    // Few for the larger networks: RAIS weights nothing before an epoch is over.
    return isResidual(model) ? 10_000 : 60_000;
  }

  private static boolean isResidual(String model) {
    return model.startsWith("resnet");
  }

  /** The model on images of CIFAR's shape if it is a residual network, else of MNIST's. */
  public static Workload of(String model, int examples, int batch, String sampler, int threads) {
    return isResidual(model)
        ? new Workload(model, 32, 32, 3, 10, examples, batch, sampler, threads, 1)
        : new Workload(model, 28, 28, 1, 10, examples, batch, sampler, threads, 1);
  }

  /**
   * Random images that can be learnt: mostly dark, as drawings are, with {@value #CELL} x {@value
   * #CELL} cells of random brightness, some of them the class's own, under a third of noise. Pure
   * noise would drive most units into silence within a few steps.
   */
  public Dataset dataset() {
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

  /** This library's description of the network. */
  public Model network() {
    return Models.create(model, new Shape(height, width, channels), classes);
  }

  /** How this library trains it: a schedule so long that no evaluation falls into a run. */
  public TrainingConfig config() {
    return TrainingConfig.builder("random", model, sampler)
        .epochs(ENDLESS)
        .evalEvery(ENDLESS)
        .batchSize(batch)
        .learningRate(LEARNING_RATE)
        .momentum(MOMENTUM)
        .weightDecay(WEIGHT_DECAY)
        .schedule(Schedule.CONSTANT)
        .seed(seed)
        .build();
  }

  /**
   * Whether this library draws as the others do for a first epoch at least: RAIS does until its set
   * is trained.
   */
  boolean beginsWithShuffledEpochs() {
    return sampler.equals("uniform") || sampler.equals("rais");
  }

  /** Whether the sampler is one that in time draws some examples more often than others. */
  boolean becomesWeighted() {
    return sampler.equals("rais");
  }

  private static int[] cells(int count, SplittableRandom random) {
    return random.ints(count, 0, 1024).map(v -> Math.max(0, v - 768)).toArray();
  }
}
