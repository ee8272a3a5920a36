package dev.rais.nn;

import dev.rais.backend.Buffer;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;

/**
 * Max pooling over square windows, without padding.
 *
 * @param kernel rows and columns of a window
 * @param stride step in both directions
 */
public record MaxPool2d(int kernel, int stride) implements Layer {
  private PoolShape shape(int batch, Shape in) {
    return new PoolShape(batch, in.height(), in.width(), in.channels(), kernel, stride);
  }

  @Override
  public Shape outputShape(Shape input) {
    PoolShape s = shape(1, input);
    return new Shape(s.outputHeight(), s.outputWidth(), input.channels());
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    MaxPool op = context.backend().maxPool(shape(context.batch(), context.inputShape()));
    Buffer x = context.input();
    Buffer y = context.activation(outputShape(context.inputShape()));
    Buffer dx = context.inputGradientOrNull();
    return new BoundLayer() {
      @Override
      public Buffer output() {
        return y;
      }

      @Override
      public void forward() {
        op.forward(x, y);
      }

      @Override
      public Buffer backward(Buffer dy, BackwardPass pass) {
        if (dx != null) {
          op.backward(dy, dx);
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
