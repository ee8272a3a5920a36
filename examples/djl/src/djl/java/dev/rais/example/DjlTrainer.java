package dev.rais.example;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.pooling.Pool;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.translate.TranslateException;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import dev.rais.sampling.Observation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** A small convolutional network, trained by DJL's Trainer. */
final class DjlTrainer implements ForeignTrainer {
  /** Examples in a forward pass of an evaluation. */
  private static final int EVALUATION_BATCH = 500;

  private final Dataset data;
  private final NDManager manager = NDManager.newBaseManager();
  private final Model model = Model.newInstance("small-cnn");
  private final Trainer trainer;
  private final NDArray images;
  private final NDArray labels;
  private final NDArray testImages;
  private final NDArray scale;
  private final NDArray shift;
  private final ArrayDataset shuffled;

  /** What the optimizer takes as learning rate whenever it is asked. */
  private double learningRate;

  DjlTrainer(Dataset data, RunSettings settings) {
    this.data = data;
    Engine.getInstance().setRandomSeed(settings.seed());
    ImageSet train = data.train();
    int channels = train.channels();
    Normalization normalization = data.normalization();
    float[] scales = new float[channels];
    float[] shifts = new float[channels];
    for (int c = 0; c < channels; c++) {
      scales[c] = 1 / (255 * normalization.standardDeviation()[c]);
      shifts[c] = -normalization.mean()[c] / normalization.standardDeviation()[c];
    }
    scale = manager.create(scales, new Shape(1, channels, 1, 1));
    shift = manager.create(shifts, new Shape(1, channels, 1, 1));
    images = load(train);
    testImages = load(data.test());
    labels = manager.create(train.labels()).toType(DataType.INT64, false);
    shuffled =
        new ArrayDataset.Builder()
            .setData(images)
            .optLabels(labels)
            .setSampling(settings.batchSize(), true)
            .build();
    model.setBlock(network(data.numClasses()));
    // DJL's SGD keeps the rate inside the velocity, as algorithms that change it every step need.
    Optimizer sgd =
        Optimizer.sgd()
            .setLearningRateTracker((parameter, update) -> (float) learningRate)
            .optMomentum((float) settings.momentum())
            .optWeightDecays((float) settings.weightDecay())
            .build();
    trainer =
        model.newTrainer(
            new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss()).optOptimizer(sgd));
    trainer.initialize(new Shape(settings.batchSize(), channels, train.height(), train.width()));
  }

  private static Block network(int classes) {
    return new SequentialBlock()
        .add(convolution(16))
        .add(Activation::relu)
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(convolution(32))
        .add(Activation::relu)
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(Blocks.batchFlattenBlock())
        .add(Linear.builder().setUnits(128).build())
        .add(Activation::relu)
        .add(Linear.builder().setUnits(classes).build());
  }

  private static Block convolution(int filters) {
    return Conv2d.builder().setFilters(filters).setKernelShape(new Shape(5, 5)).build();
  }

  /** Images as bytes, [n, channels, height, width]. */
  private NDArray load(ImageSet set) {
    Shape shape = new Shape(set.count(), set.height(), set.width(), set.channels());
    try (NDManager scope = manager.newSubManager()) {
      // A copy, because an array made from Java's memory does not outlive it.
      NDArray copy = scope.create(ByteBuffer.wrap(set.pixels()), shape, DataType.UINT8).duplicate();
      NDArray channelsFirst = copy.transpose(0, 3, 1, 2);
      NDArray kept = channelsFirst.flatten().reshape(channelsFirst.getShape()); // in memory too
      kept.attach(manager);
      return kept;
    }
  }

  private NDArray normalized(NDArray bytes) {
    return bytes.toType(DataType.FLOAT32, true).muli(scale).addi(shift);
  }

  @Override
  public double step(int[] indices, float[] weights, StepRate rate) {
    long[] chosen = Arrays.stream(indices).asLongStream().toArray();
    int[] classes = Arrays.stream(indices).map(data.train()::label).toArray();
    try (NDManager scope = manager.newSubManager()) {
      NDIndex rows = new NDIndex("{}", scope.create(chosen));
      NDArray x = normalized(images.get(scope, rows));
      NDArray y = labels.get(scope, rows);
      NDArray w = scope.create(weights);
      NDArray loss;
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDArray logits = trainer.forward(new NDList(x)).singletonOrThrow();
        learningRate =
            rate.afterForward(
                Observation.logitGradients(logits.toFloatArray(), classes, data.numClasses()));
        // Flat: the picked column is [m, 1], which times [m] would be [m, m].
        NDIndex ofLabels = new NDIndex().addAllDim().addPickDim(y);
        NDArray losses = logits.logSoftmax(1).get(ofLabels).neg().flatten();
        loss = losses.mul(w).mean();
        collector.backward(loss);
      }
      trainer.step();
      return loss.getFloat();
    }
  }

  /** Minibatches of DJL's own data set, every example once, in an order of its RandomSampler. */
  Iterable<Batch> shuffledEpoch() throws IOException, TranslateException {
    return trainer.iterateDataset(shuffled);
  }

  /** A step of DJL's own examples. */
  double step(Batch batch, double rate) {
    learningRate = rate;
    NDArray x = normalized(batch.getData().singletonOrThrow());
    NDArray loss;
    try (GradientCollector collector = trainer.newGradientCollector()) {
      NDList logits = trainer.forward(new NDList(x));
      loss = trainer.getLoss().evaluate(batch.getLabels(), logits);
      collector.backward(loss);
    }
    trainer.step();
    return loss.getFloat();
  }

  @Override
  public double trainLoss() {
    return evaluate(images, data.train().labels()).meanLoss();
  }

  @Override
  public double testError() {
    return evaluate(testImages, data.test().labels()).error();
  }

  private record Evaluation(double meanLoss, double error) {}

  private Evaluation evaluate(NDArray set, int[] truth) {
    int classes = data.numClasses();
    double loss = 0;
    int wrong = 0;
    for (int from = 0; from < truth.length; from += EVALUATION_BATCH) {
      int to = Math.min(from + EVALUATION_BATCH, truth.length);
      try (NDManager scope = manager.newSubManager()) {
        NDArray bytes = set.get(scope, new NDIndex(from + ":" + to));
        NDArray logits = trainer.evaluate(new NDList(normalized(bytes))).singletonOrThrow();
        float[] logProbabilities = logits.logSoftmax(1).toFloatArray();
        for (int i = from; i < to; i++) {
          int at = (i - from) * classes;
          loss -= logProbabilities[at + truth[i]];
          int best = 0;
          for (int k = 1; k < classes; k++) {
            best = logProbabilities[at + k] > logProbabilities[at + best] ? k : best;
          }
          wrong += best == truth[i] ? 0 : 1;
        }
      }
    }
    return new Evaluation(loss / truth.length, (double) wrong / truth.length);
  }

  @Override
  public void close() {
    trainer.close();
    model.close();
    manager.close();
  }
}
