package dev.rais.nn;

import dev.rais.backend.Buffer;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import java.util.List;

/**
 * Fully connected layer with a bias, over all elements of the input in [height, width, channels]
 * order.
 *
 * @param outputs features out
 */
public record Dense(int outputs) implements Layer {
  @Override
  public Shape outputShape(Shape input) {
    return Shape.vector(outputs);
  }

  @Override
  public List<ParameterSpec> parameters(Shape input) {
    return List.of(
        new ParameterSpec("weight", List.of(outputs, input.size()), input.size()),
        new ParameterSpec("bias", List.of(outputs), 0));
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    LinearShape shape = new LinearShape(context.batch(), context.inputShape().size(), outputs);
    Linear op = context.backend().linear(shape);
    Buffer x = context.input();
    Parameter weight = context.parameters().get(0);
    Parameter bias = context.parameters().get(1);
    Buffer y = context.activation(Shape.vector(outputs));
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
