package dev.rais.nn;

import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import java.util.List;

/**
 * Convolution with a square kernel.
 *
 * @param channels output channels
 * @param kernel rows and columns of the kernel
 * @param stride step in both directions
 * @param padding zeros added on every side
 * @param bias whether a bias is added; before a batch norm, which takes the mean off, it is wasted
 */
public record Conv2d(int channels, int kernel, int stride, int padding, boolean bias)
    implements Layer {
  /** Stride 1, no padding, with a bias. */
  public Conv2d(int channels, int kernel) {
    this(channels, kernel, 1, 0);
  }

  /** With a bias. */
  public Conv2d(int channels, int kernel, int stride, int padding) {
    this(channels, kernel, stride, padding, true);
  }

  /** The same without a bias. */
  public Conv2d withoutBias() {
    return new Conv2d(channels, kernel, stride, padding, false);
  }

  private ConvolutionShape shape(int batch, Shape in) {
    return new ConvolutionShape(
        batch, in.height(), in.width(), in.channels(), channels, kernel, stride, padding, bias);
  }

  @Override
  public String describe() {
    return "conv %dx%d%s".formatted(kernel, kernel, stride == 1 ? "" : ", stride " + stride);
  }

  @Override
  public Shape outputShape(Shape input) {
    ConvolutionShape s = shape(1, input);
    return new Shape(s.outputHeight(), s.outputWidth(), channels);
  }

  @Override
  public List<TensorSpec> parameters(Shape input) {
    TensorSpec weight =
        TensorSpec.drawn(
            "weight", List.of(channels, kernel, kernel, input.channels()), shape(1, input).patch());
    return bias
        ? List.of(weight, TensorSpec.constant("bias", List.of(channels), 0))
        : List.of(weight);
  }

  @Override
  public MemoryUse memory() {
    return MemoryUse.INPUT;
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    Convolution op = context.backend().convolution(shape(context.batch(), context.inputShape()));
    Buffer weight = context.parameters().getFirst().operand();
    Buffer weightGradient = context.parameters().getFirst().gradient();
    Buffer b = bias ? context.parameters().getLast().value() : null;
    Buffer biasGradient = bias ? context.parameters().getLast().gradient() : null;
    Buffer x = context.input();
    Buffer y = context.output();
    Buffer dy = context.outputGradient();
    Buffer dx = context.inputGradient();
    return new BoundLayer() {
      @Override
      public void forward(Step step) {
        op.forward(x, weight, b, y);
      }

      @Override
      public void backward(Step step) {
        if (context.mode() == Mode.TRAINING) {
          op.backwardWeights(x, dy, weightGradient, biasGradient);
        } else {
          op.addExampleSquaredNorms(x, dy, context.squaredNorms());
        }
        if (dx != null) {
          op.backwardData(dy, weight, dx);
        }
      }

      @Override
      public void close() {
        op.close();
      }
    };
  }
}
