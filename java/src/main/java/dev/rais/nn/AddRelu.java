package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;

/** max(x + residual, 0): the end of a residual block whose body does not end in a batch norm. */
record AddRelu() implements JoiningLayer {
  @Override
  public String describe() {
    return "add, relu";
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
    Buffer residual = context.residual();
    Buffer y = context.output();
    Buffer dy = context.outputGradient();
    Buffer dx = context.inputGradient();
    Buffer dresidual = context.residualGradient();
    return new BoundLayer() {
      @Override
      public void forward(Step step) {
        backend.add(x, residual, y);
        backend.relu(y, y);
      }

      @Override
      public void backward(Step step) {
        backend.reluBackward(y, dy, dresidual);
        if (dx != null) {
          dx.copyFrom(dresidual);
        }
      }
    };
  }
}
