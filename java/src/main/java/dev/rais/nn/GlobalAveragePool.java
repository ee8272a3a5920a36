package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;

/** The mean of every channel over all positions: [height, width, channels] to a vector. */
public record GlobalAveragePool() implements Layer {
  @Override
  public String describe() {
    return "global average pool";
  }

  @Override
  public Shape outputShape(Shape input) {
    return Shape.vector(input.channels());
  }

  @Override
  public MemoryUse memory() {
    return MemoryUse.NONE;
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    Backend backend = context.backend();
    int batch = context.batch();
    int channels = context.inputShape().channels();
    int positions = context.inputShape().size() / channels;
    Buffer x = context.input();
    Buffer y = context.output();
    Buffer dy = context.outputGradient();
    Buffer dx = context.inputGradient();
    return new BoundLayer() {
      @Override
      public void forward(Step step) {
        backend.globalAveragePool(batch, positions, channels, x, y);
      }

      @Override
      public void backward(Step step) {
        if (dx != null) {
          backend.globalAveragePoolBackward(batch, positions, channels, dy, dx);
        }
      }
    };
  }
}
