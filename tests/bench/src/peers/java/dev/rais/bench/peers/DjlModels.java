package dev.rais.bench.peers;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.pooling.Pool;
import dev.rais.bench.BenchException;

/** The models of {@link dev.rais.nn.Models}, layer by layer, for DJL. */
final class DjlModels {
  private DjlModels() {}

  static Block create(String name, int classes) {
    return switch (name) {
      case "lenet5" -> lenet5(classes);
      case "mlp" -> mlp(classes);
      default -> throw new BenchException("DJL's side has no model '" + name + "' yet");
    };
  }

  private static Block lenet5(int classes) {
    return new SequentialBlock()
        .add(convolution(20, 5))
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(Activation::relu)
        .add(convolution(50, 5))
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(Activation::relu)
        .add(Blocks.batchFlattenBlock())
        .add(Linear.builder().setUnits(500).build())
        .add(Activation::relu)
        .add(Linear.builder().setUnits(classes).build());
  }

  private static Block mlp(int classes) {
    return new SequentialBlock()
        .add(Blocks.batchFlattenBlock())
        .add(Linear.builder().setUnits(300).build())
        .add(Activation::relu)
        .add(Linear.builder().setUnits(100).build())
        .add(Activation::relu)
        .add(Linear.builder().setUnits(classes).build());
  }

  private static Block convolution(int channels, int kernel) {
    return Conv2d.builder()
        .setFilters(channels)
        .setKernelShape(new Shape(kernel, kernel))
        .optBias(true)
        .build();
  }
}
