package dev.rais.nn;

import dev.rais.backend.Buffer;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;

/**
 * Max pooling over square windows, without padding.
 *
 * @param kernel rows and columns of a window; not every backend has more than 16
 * @param stride step in both directions
 */
public record MaxPool2d(int kernel, int stride) implements Layer {
  private PoolShape shape(int batch, Shape in) {
    return new PoolShape(batch, in.height(), in.width(), in.channels(), kernel, stride);
  }

  @Override
  public String describe() {
    return "max pool %dx%d, stride %d".formatted(kernel, kernel, stride);
  }

  @Override
  public Shape outputShape(Shape input) {
    PoolShape s = shape(1, input);
    return new Shape(s.outputHeight(), s.outputWidth(), input.channels());
  }

  @Override
  public MemoryUse memory() {
    return MemoryUse.NONE; // the operation remembers who won
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    MaxPool op = context.backend().maxPool(shape(context.batch(), context.inputShape()));
    Buffer x = context.input();
    Buffer y = context.output();
    Buffer dy = context.outputGradient();
    Buffer dx = context.inputGradient();
    return new BoundLayer() {
      @Override
      public void forward(Step step) {
        op.forward(x, y);
      }

      @Override
      public void backward(Step step) {
        if (dx != null) {
          op.backward(dy, dx);
        }
      }

      @Override
      public void close() {
        op.close();
      }
    };
  }
}
