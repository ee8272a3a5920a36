package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;

/**
 * Sets elements to zero at random in training and scales the others up, so that the mean stays;
 * does nothing otherwise. Which ones depends on the network's seed, the layer and the iteration
 * alone.
 *
 * @param rate share of elements that are dropped, 0 to below 1
 */
public record Dropout(float rate) implements Layer {
  /** Checks the rate. */
  public Dropout {
    if (!(rate >= 0 && rate < 1)) {
      throw new IllegalArgumentException(
          "the rate of a dropout must be from 0 to below 1, not " + rate);
    }
  }

  @Override
  public String describe() {
    return "dropout " + rate;
  }

  @Override
  public Shape outputShape(Shape input) {
    return input;
  }

  @Override
  public MemoryUse memory() {
    return new MemoryUse(false, false, true, true);
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    Backend backend = context.backend();
    Buffer x = context.input();
    Buffer y = context.output();
    Buffer dy = context.outputGradient();
    Buffer dx = context.inputGradient();
    boolean drops = context.mode() == Mode.TRAINING;
    return new BoundLayer() {
      @Override
      public void forward(Step step) {
        pass(step, x, y);
      }

      @Override
      public void backward(Step step) {
        if (dx != null) {
          // The gradient is dropped and scaled where the element was.
          pass(step, dy, dx);
        }
      }

      private void pass(Step step, Buffer from, Buffer to) {
        if (drops) {
          backend.dropout(from, rate, step.seed(), context.index(), step.iteration(), to);
        } else if (from != to) {
          to.copyFrom(from);
        }
      }
    };
  }
}
