package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;

/** max(x, 0), in place where that is possible. */
public record Relu() implements Layer {
  @Override
  public String describe() {
    return "relu";
  }

  @Override
  public Shape outputShape(Shape input) {
    return input;
  }

  @Override
  public MemoryUse memory() {
    return new MemoryUse(false, true, true, true);
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    Backend backend = context.backend();
    Buffer x = context.input();
    Buffer y = context.output();
    Buffer dy = context.outputGradient();
    Buffer dx = context.inputGradient();
    return new BoundLayer() {
      @Override
      public void forward(Step step) {
        backend.relu(x, y);
      }

      @Override
      public void backward(Step step) {
        if (dx != null) {
          backend.reluBackward(y, dy, dx);
        }
      }
    };
  }
}
