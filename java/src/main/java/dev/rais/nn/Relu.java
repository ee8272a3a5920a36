package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;

/** max(x, 0), in place: the output is the input's buffer, and so are the gradients. */
public record Relu() implements Layer {
  @Override
  public Shape outputShape(Shape input) {
    return input;
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    Backend backend = context.backend();
    Buffer y = context.input();
    return new BoundLayer() {
      @Override
      public Buffer output() {
        return y;
      }

      @Override
      public void forward() {
        backend.relu(y, y);
      }

      @Override
      public Buffer backward(Buffer dy, BackwardPass pass) {
        backend.reluBackward(y, dy, dy);
        return dy;
      }

      @Override
      public void close() {
        // The buffers belong to the neighbours.
      }
    };
  }
}
