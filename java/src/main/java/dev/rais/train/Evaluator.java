package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.MemoryPlan;
import dev.rais.nn.Mode;
import dev.rais.nn.Model;
import dev.rais.nn.Network;
import dev.rais.sampling.ScoreKind;
import java.util.Arrays;
import java.util.List;

/** Measures loss and error of a network on sets of images, without changing it. */
public final class Evaluator implements AutoCloseable {
  private static final int BATCH = 500;

  /** Elements of a workspace that is small enough for every machine: 64 MiB. */
  static final long SMALL_WORKSPACE = 1 << 24;

  /**
   * Result of an evaluation, or that part of it which concerns one class. All figures but the first
   * are NaN where there is no image.
   *
   * @param images number of images
   * @param loss mean cross-entropy
   * @param error share whose most likely class is wrong
   * @param top5Error share whose class is not among the five most likely
   */
  public record Result(int images, double loss, double error, double top5Error) {
    private static Result of(Sums sums) {
      double n = sums.images;
      return new Result(sums.images, sums.loss / n, sums.errors / n, sums.top5Errors / n);
    }
  }

  /** What results are means of. */
  private static final class Sums {
    int images;
    double loss;
    int errors;
    int top5Errors;

    void add(float imageLoss, byte flags) {
      images++;
      loss += imageLoss;
      errors += (flags & Backend.TOP_1) == 0 ? 1 : 0;
      top5Errors += (flags & Backend.TOP_5) == 0 ? 1 : 0;
    }
  }

  /**
   * An evaluation class by class.
   *
   * @param all of all images
   * @param classes of the images of class k at position k
   */
  public record ByClass(Result all, List<Result> classes) {}

  private final BoundNetwork net;
  private final int classes;
  private final Backend backend;
  private final Buffer indices;
  private final Buffer labels;
  private final Buffer losses;
  private final Buffer norms;
  private final Buffer correctness;

  /**
   * An evaluator in memory that others use too, in turns.
   *
   * @param plan of the network's model in evaluation mode
   */
  Evaluator(Network network, MemoryPlan plan, Buffer workspace) {
    this(network, network.bind(plan, workspace));
  }

  private Evaluator(Network network, BoundNetwork net) {
    this.net = net;
    int batch = net.batch();
    backend = network.backend();
    classes = network.model().classes();
    indices = backend.allocate(DType.INT32, batch);
    labels = backend.allocate(DType.INT32, batch);
    losses = backend.allocate(DType.FLOAT32, batch);
    norms = backend.allocate(DType.FLOAT32, batch);
    correctness = backend.allocate(DType.UINT8, batch);
  }

  /**
   * Plans for batches of the set's size, but not of more than 500, nor of more than there is room
   * for.
   *
   * @param count elements that the workspace has anyway
   */
  static MemoryPlan plan(Model model, int largestSet, long count) {
    return MemoryPlan.within(
        Math.max(count, SMALL_WORKSPACE), model, Math.min(BATCH, largestSet), Mode.EVALUATION);
  }

  /** Evaluates a network on a whole data set's test images, class by class. */
  public static ByClass evaluate(Network network, Dataset data, Normalization normalization) {
    ImageSet test = data.test();
    MemoryPlan plan = plan(network.model(), test.count(), 0);
    Backend backend = network.backend();
    long beside = plan.numBytes(backend.activations());
    try (DeviceImages images = new DeviceImages(backend, test, normalization, beside);
        Evaluator evaluator = new Evaluator(network, network.bind(plan.batch(), Mode.EVALUATION))) {
      return evaluator.evaluateByClass(images, all(test.count()));
    }
  }

  static int[] all(int n) {
    int[] indices = new int[n];
    for (int i = 0; i < n; i++) {
      indices[i] = i;
    }
    return indices;
  }

  Result evaluate(DeviceImages images, int[] chosen) {
    return evaluateByClass(images, chosen).all();
  }

  private ByClass evaluateByClass(DeviceImages images, int[] chosen) {
    int batch = net.batch();
    float[] batchLosses = new float[batch];
    byte[] flags = new byte[batch];
    Sums all = new Sums();
    Sums[] byClass = new Sums[classes];
    Arrays.setAll(byClass, k -> new Sums());
    forward(
        images,
        chosen,
        (from, used) -> {
          losses.download(batchLosses, 0);
          correctness.download(flags);
          for (int j = 0; j < used; j++) {
            all.add(batchLosses[j], flags[j]);
            byClass[images.set().label(chosen[from + j])].add(batchLosses[j], flags[j]);
          }
        });
    return new ByClass(Result.of(all), Arrays.stream(byClass).map(Result::of).toList());
  }

  /** Losses or loss-layer norms of images, in their order. */
  float[] scores(DeviceImages images, int[] chosen, ScoreKind kind) {
    Buffer source = kind == ScoreKind.LOSS ? losses : norms;
    float[] batchScores = new float[net.batch()];
    float[] scores = new float[chosen.length];
    forward(
        images,
        chosen,
        (from, used) -> {
          source.download(batchScores, 0);
          System.arraycopy(batchScores, 0, scores, from, used);
        });
    return scores;
  }

  /** Takes the results of the images [from, from + used) of those chosen from the buffers. */
  private interface BatchDone {
    void accept(int from, int used);
  }

  private void forward(DeviceImages images, int[] chosen, BatchDone done) {
    int batch = net.batch();
    int[] batchIndices = new int[batch];
    int[] batchLabels = new int[batch];
    for (int from = 0; from < chosen.length; from += batch) {
      int used = Math.min(batch, chosen.length - from);
      for (int j = 0; j < batch; j++) {
        // The last batch is filled up with its first image, which is not counted again.
        batchIndices[j] = chosen[j < used ? from + j : from];
        batchLabels[j] = images.set().label(batchIndices[j]);
      }
      indices.upload(batchIndices);
      labels.upload(batchLabels);
      images.gather(indices, net.input());
      net.forward();
      backend.lossLayer(
          batch, classes, net.logits(), labels, null, 1, losses, norms, null, correctness);
      done.accept(from, used);
    }
  }

  @Override
  public void close() {
    net.close();
    for (Buffer buffer : new Buffer[] {indices, labels, losses, norms, correctness}) {
      buffer.close();
    }
  }
}
