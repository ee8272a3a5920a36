package dev.rais.nn;

import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import java.util.List;

/**
 * Convolution with a square kernel and a bias.
 *
 * @param channels output channels
 * @param kernel rows and columns of the kernel
 * @param stride step in both directions
 * @param padding zeros added on every side
 */
public record Conv2d(int channels, int kernel, int stride, int padding) implements Layer {
  /** Stride 1, no padding. */
  public Conv2d(int channels, int kernel) {
    this(channels, kernel, 1, 0);
  }

  private ConvolutionShape shape(int batch, Shape in) {
    return new ConvolutionShape(
        batch, in.height(), in.width(), in.channels(), channels, kernel, stride, padding);
  }

  @Override
  public Shape outputShape(Shape input) {
    ConvolutionShape s = shape(1, input);
    return new Shape(s.outputHeight(), s.outputWidth(), channels);
  }

  @Override
  public List<ParameterSpec> parameters(Shape input) {
    int patch = shape(1, input).patch();
    return List.of(
        new ParameterSpec("weight", List.of(channels, kernel, kernel, input.channels()), patch),
        new ParameterSpec("bias", List.of(channels), 0));
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    Convolution op = context.backend().convolution(shape(context.batch(), context.inputShape()));
    Buffer x = context.input();
    Parameter weight = context.parameters().get(0);
    Parameter bias = context.parameters().get(1);
    Buffer y = context.activation(outputShape(context.inputShape()));
    Buffer dx = context.inputGradientOrNull();
    return new BoundLayer() {
      @Override
      public Buffer output() {
        return y;
      }

      @Override
      public void forward() {
        op.forward(x, weight.value(), bias.value(), y);
      }

      @Override
      public Buffer backward(Buffer dy, BackwardPass pass) {
        if (pass.wantsGradients()) {
          op.backwardWeights(x, dy, weight.gradient(), bias.gradient());
        } else {
          op.addExampleSquaredNorms(x, dy, pass.squaredNorms());
        }
        if (dx != null) {
          op.backwardData(dy, weight.value(), dx);
        }
        return dx;
      }

      @Override
      public void close() {
        op.close();
        y.close();
        if (dx != null) {
          dx.close();
        }
      }
    };
  }
}
