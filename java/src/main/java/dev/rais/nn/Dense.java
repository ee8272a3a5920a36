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
  public String describe() {
    return "dense";
  }

  @Override
  public Shape outputShape(Shape input) {
    return Shape.vector(outputs);
  }

  @Override
  public List<TensorSpec> parameters(Shape input) {
    return List.of(
        TensorSpec.drawn("weight", List.of(outputs, input.size()), input.size()),
        TensorSpec.constant("bias", List.of(outputs), 0));
  }

  @Override
  public MemoryUse memory() {
    return MemoryUse.INPUT;
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    LinearShape shape = new LinearShape(context.batch(), context.inputShape().size(), outputs);
    Linear op = context.backend().linear(shape);
    Parameter weight = context.parameters().get(0);
    Parameter bias = context.parameters().get(1);
    Buffer x = context.input();
    Buffer y = context.output();
    Buffer dy = context.outputGradient();
    Buffer dx = context.inputGradient();
    return new BoundLayer() {
      @Override
      public void forward(Step step) {
        op.forward(x, weight.operand(), bias.value(), y);
      }

      @Override
      public void backward(Step step) {
        if (context.mode() == Mode.TRAINING) {
          op.backwardWeights(x, dy, weight.gradient(), bias.gradient());
        } else {
          op.addExampleSquaredNorms(x, dy, context.squaredNorms());
        }
        if (dx != null) {
          op.backwardData(dy, weight.operand(), dx);
        }
      }

      @Override
      public void close() {
        op.close();
      }
    };
  }
}
