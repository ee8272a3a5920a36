package dev.rais.nn;

/**
 * Residual networks for small images (He et al. 2016, "Deep Residual Learning for Image
 * Recognition"): a 3×3 convolution, stages of residual blocks of two 3×3 convolutions each, the
 * mean over all positions, K logits. Every convolution is followed by a batch norm and has no bias.
 *
 * <p>The first block of each later stage halves height and width; its shortcut is a 1×1 convolution
 * of stride 2 with a batch norm. He et al. give the 6n + 2 family shortcuts without parameters
 * instead (every second position, missing channels zero) and report the same error for both; the
 * 1×1 convolution is what the common implementations of ResNet-18 have and many of the family too,
 * and needs no operation of its own.
 */
final class ResNets {
  private ResNets() {}

  /** Stages of n blocks with 16, 32 and 64 channels: 6n + 2 layers with weights. */
  static Model family(String name, Shape input, int classes, int n) {
    return resnet(name, input, classes, n, 16, 32, 64);
  }

  /** One stage for each width, of that many channels. */
  static Model resnet(String name, Shape input, int classes, int blocksPerStage, int... widths) {
    Model.Builder model =
        Model.builder(name, input)
            .add("conv1", convolution(widths[0], 1))
            .add("bn1", new BatchNorm2d())
            .add("relu1", new Relu());
    int channels = widths[0];
    for (int stage = 0; stage < widths.length; stage++) {
      for (int block = 0; block < blocksPerStage; block++) {
        int width = widths[stage];
        int stride = stage > 0 && block == 0 ? 2 : 1;
        boolean sameShape = stride == 1 && width == channels;
        model.residual(
            "stage" + (stage + 1) + ".block" + (block + 1),
            body ->
                body.add("conv1", convolution(width, stride))
                    .add("bn1", new BatchNorm2d())
                    .add("relu1", new Relu())
                    .add("conv2", convolution(width, 1))
                    .add("bn2", new BatchNorm2d()),
            shortcut ->
                sameShape
                    ? shortcut
                    : shortcut
                        .add("shortcut.conv", new Conv2d(width, 1, stride, 0).withoutBias())
                        .add("shortcut.bn", new BatchNorm2d()));
        channels = width;
      }
    }
    return model.add("pool", new GlobalAveragePool()).add("fc", new Dense(classes)).build();
  }

  private static Conv2d convolution(int channels, int stride) {
    return new Conv2d(channels, 3, stride, 1).withoutBias();
  }
}
