package dev.rais.bench.peers;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import dev.rais.sampling.DrawMode;
import dev.rais.sampling.UniformSampler;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/**
 * Main class of DJL's worker process: the training loop of DJL's own examples, with its Trainer,
 * loss and optimizer. It draws the same minibatches as this library's uniform sampler.
 */
final class DjlWorker implements AutoCloseable {
  private static final double LOSS_ALPHA = 0.02;

  private final Workload workload;
  private final NDManager manager = NDManager.newBaseManager();
  private final Model model = Model.newInstance("peer");
  private final Trainer trainer;
  private final NDArray images;
  private final NDArray labels;
  private final NDArray scale;
  private final NDArray shift;
  private final UniformSampler sampler;
  private double loss = Double.NaN;

  private DjlWorker(Workload workload) {
    this.workload = workload;
    Block block = DjlModels.create(workload.model(), workload.classes());
    model.setBlock(block);
    Dataset data = workload.dataset();
    ImageSet train = data.train();
    Normalization normalization = data.normalization();
    float[] mean = normalization.mean();
    float[] deviation = normalization.standardDeviation();
    int channels = train.channels();
    float[] scales = new float[channels];
    float[] shifts = new float[channels];
    for (int c = 0; c < channels; c++) {
      scales[c] = 1 / (255 * deviation[c]);
      shifts[c] = -mean[c] / deviation[c];
    }
    scale = manager.create(scales, new Shape(1, channels, 1, 1));
    shift = manager.create(shifts, new Shape(1, channels, 1, 1));
    images = load(train);
    labels = manager.create(train.labels()).toType(DataType.INT64, false);
    sampler = new UniformSampler(train.count(), workload.seed(), DrawMode.ROUNDS);
    Optimizer sgd =
        Optimizer.sgd()
            .setLearningRateTracker(Tracker.fixed((float) Workload.LEARNING_RATE))
            .optMomentum((float) Workload.MOMENTUM)
            .optWeightDecays((float) Workload.WEIGHT_DECAY)
            .build();
    trainer =
        model.newTrainer(
            new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss()).optOptimizer(sgd));
    Shape input = new Shape(workload.batch(), channels, workload.height(), workload.width());
    // The trainer takes hold of the parameters' arrays, so they are exchanged before.
    block.initialize(model.getNDManager(), DataType.FLOAT32, input);
    DjlValues.copyInitialValues(workload, trained(block));
    trainer.initialize(input);
  }

  /** Parameters with gradients: batch norm has running statistics among its parameters here. */
  private static List<Parameter> trained(Block block) {
    return block.getParameters().values().stream().filter(Parameter::requiresGradient).toList();
  }

  private NDArray load(ImageSet set) {
    Shape shape = new Shape(set.count(), set.height(), set.width(), set.channels());
    try (NDManager scope = manager.newSubManager()) {
      // A copy, because an array made from Java's memory does not outlive it, nor do its views.
      NDArray copy = scope.create(ByteBuffer.wrap(set.pixels()), shape, DataType.UINT8).duplicate();
      NDArray kept = DjlValues.toChannelsFirst(copy);
      kept.attach(manager);
      return kept;
    }
  }

  private void step() {
    var batch = sampler.draw(workload.batch());
    long[] chosen = Arrays.stream(batch.indices()).asLongStream().toArray();
    try (NDManager scope = manager.newSubManager()) {
      NDArray indices = scope.create(chosen);
      NDArray bytes = images.get(scope, new NDIndex("{}", indices));
      NDArray x = bytes.toType(DataType.FLOAT32, true).muli(scale).addi(shift);
      NDArray y = labels.get(scope, new NDIndex("{}", indices));
      NDArray lost;
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDList predictions = trainer.forward(new NDList(x));
        lost = trainer.getLoss().evaluate(new NDList(y), predictions);
        collector.backward(lost);
      }
      trainer.step();
      // The running mean that this library's trainer keeps, so that the two can be compared.
      double now = lost.getFloat();
      loss = Double.isNaN(loss) ? now : loss + LOSS_ALPHA * (now - loss);
    }
  }

  private void train(Conductor conductor) {
    long parameters =
        trained(model.getBlock()).stream()
            .mapToLong(parameter -> parameter.getArray().size())
            .sum();
    Engine engine = Engine.getInstance();
    conductor.ready(
        new Conductor.Ready(
            "DJL "
                + Engine.getDjlVersion()
                + ", "
                + engine.getEngineName()
                + " "
                + engine.getVersion()
                + ", "
                + workload.threads()
                + (workload.threads() == 1 ? " thread" : " threads"),
            parameters));
    Pacer pacer = new Pacer(conductor, () -> 0);
    pacer.begin();
    while (true) {
      step();
      pacer.stepped(() -> loss);
    }
  }

  @Override
  public void close() {
    trainer.close();
    model.close();
    manager.close();
    sampler.close();
  }

  public static void main(String[] args) {
    PipeConductor conductor = PipeConductor.ofStandardStreams();
    try (DjlWorker worker = new DjlWorker(Json.read(args[0], Workload.class))) {
      worker.train(conductor);
    } catch (Pacer.Finished e) {
      // The one way this run ends.
    }
  }
}
