package dev.rais.bench.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.pooling.Pool;
import dev.rais.bench.BenchException;
import java.util.List;

/**
 * The models of {@link dev.rais.nn.Models}, layer by layer, for DJL, their parameters in the same
 * order.
 */
final class DjlModels {
  private DjlModels() {}

  static Block create(String name, int classes) {
    return switch (name) {
      case "lenet5" -> lenet5(classes);
      case "mlp" -> mlp(classes);
      case "resnet8" -> resnet(classes, 1, 16, 32, 64);
      case "resnet20" -> resnet(classes, 3, 16, 32, 64);
      case "resnet18" -> resnet(classes, 2, 64, 128, 256, 512);
      default -> throw new BenchException("DJL's side has no model '" + name + "' yet");
    };
  }

  private static Block lenet5(int classes) {
    return new SequentialBlock()
        .add(biasedConvolution(20, 5))
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(Activation::relu)
        .add(biasedConvolution(50, 5))
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

  private static Block resnet(int classes, int blocksPerStage, int... widths) {
    SequentialBlock net =
        new SequentialBlock()
            .add(convolution(widths[0], 3, 1))
            .add(batchNorm())
            .add(Activation::relu);
    for (int stage = 0; stage < widths.length; stage++) {
      for (int block = 0; block < blocksPerStage; block++) {
        net.add(residualBlock(widths[stage], stage > 0 && block == 0));
      }
    }
    return net.add(Pool.globalAvgPool2dBlock()).add(Linear.builder().setUnits(classes).build());
  }

  /**
   * @param smaller whether height and width are halved
   */
  private static Block residualBlock(int channels, boolean smaller) {
    int stride = smaller ? 2 : 1;
    Block shortcut =
        smaller
            ? new SequentialBlock().add(convolution(channels, 1, stride)).add(batchNorm())
            : Blocks.identityBlock();
    Block body =
        new SequentialBlock()
            .add(convolution(channels, 3, stride))
            .add(batchNorm())
            .add(Activation::relu)
            .add(convolution(channels, 3, 1))
            .add(batchNorm());
    return new ParallelBlock(DjlModels::rectifiedSum, List.of(shortcut, body));
  }

  private static NDList rectifiedSum(List<NDList> paths) {
    NDArray sum = paths.get(0).singletonOrThrow().add(paths.get(1).singletonOrThrow());
    return new NDList(Activation.relu(sum));
  }

  /** Zeros around the image, so that a stride of 1 keeps its size. */
  private static Block convolution(int channels, int kernel, int stride) {
    return Conv2d.builder()
        .setFilters(channels)
        .setKernelShape(new Shape(kernel, kernel))
        .optStride(new Shape(stride, stride))
        .optPadding(new Shape(kernel / 2, kernel / 2))
        .optBias(false)
        .build();
  }

  /**
   * DJL's momentum is the share that the running statistics keep, ours the share that they take in.
   */
  private static Block batchNorm() {
    return BatchNorm.builder().optEpsilon(1e-5f).optMomentum(0.9f).build();
  }

  private static Block biasedConvolution(int channels, int kernel) {
    return Conv2d.builder()
        .setFilters(channels)
        .setKernelShape(new Shape(kernel, kernel))
        .optBias(true)
        .build();
  }
}
