package dev.rais.gpucheck;

import dev.rais.data.Dataset;
import dev.rais.nn.Conv2d;
import dev.rais.nn.Dense;
import dev.rais.nn.MaxPool2d;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Relu;
import dev.rais.nn.Schedule;
import dev.rais.nn.Shape;
import dev.rais.train.TrainingConfig;

/**
 * What is trained to measure times.
 *
 * @param network the model
 * @param data random images
 * @param batch examples m of a minibatch
 * @param augmented whether images are shifted and mirrored on the device
 */
record Workload(Model network, Dataset data, int batch, boolean augmented) {
  /** Epochs of the schedule, a tenth of which is more than is ever trained. */
  private static final double ENDLESS = 1e6;

  /**
   * A workload.
   *
   * @param model lenet5, resnet18, or lenet5-small, whose images are of 14 x 14: ten million images
   *     of 28 x 28 are more bytes than a Java array can have. Its convolutions are padded, so that
   *     it has LeNet-5's layers, channels and units
   */
  static Workload of(String model, int examples, int batch) {
    boolean residual = model.startsWith("resnet");
    boolean small = model.equals("lenet5-small");
    Shape image =
        residual ? new Shape(32, 32, 3) : small ? new Shape(14, 14, 1) : new Shape(28, 28, 1);
    Model network = small ? smallLenet5(image) : Models.create(model, image, RandomImages.CLASSES);
    return new Workload(network, RandomImages.of(examples, image), batch, residual);
  }

  private static Model smallLenet5(Shape image) {
    return Model.builder("lenet5-small", image)
        .add("conv1", new Conv2d(20, 5, 1, 2))
        .add("pool1", new MaxPool2d(2, 2))
        .add("relu1", new Relu())
        .add("conv2", new Conv2d(50, 5, 1, 2))
        .add("pool2", new MaxPool2d(2, 2))
        .add("relu2", new Relu())
        .add("fc1", new Dense(500))
        .add("relu3", new Relu())
        .add("fc2", new Dense(RandomImages.CLASSES))
        .build();
  }

  /** How it is trained: a schedule so long that no evaluation falls into a measurement. */
  TrainingConfig.Builder config(String sampler) {
    // Without caution, so that the weights never go: they are what is to be paid for.
    return TrainingConfig.builder("random", "lenet5", sampler)
        .epochs(ENDLESS)
        .evalEvery(ENDLESS)
        .batchSize(batch)
        .learningRate(0.01)
        .schedule(Schedule.CONSTANT)
        .caution(false)
        .padding(augmented ? 4 : 0)
        .flip(augmented)
        .seed(1);
  }
}
