package dev.rais.nn;

import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.util.ArrayList;
import java.util.List;

/** A network with activations for one batch size. Close it before its {@link Network}. */
public final class BoundNetwork implements AutoCloseable {
  private final int batch;
  private final Buffer input;
  private final Buffer finalInput;
  private final List<BoundLayer> layers = new ArrayList<>();

  BoundNetwork(Network network, List<List<Parameter>> parameters, int batch, boolean training) {
    this.batch = batch;
    Model model = network.model();
    Shape shape = model.input();
    input = network.backend().allocate(DType.FLOAT32, (long) batch * shape.size());
    Buffer x = input;
    Buffer last = input;
    for (int i = 0; i < model.layers().size(); i++) {
      Layer layer = model.layers().get(i).layer();
      LayerContext context =
          new LayerContext(network.backend(), batch, shape, x, parameters.get(i), training, i > 0);
      BoundLayer bound = layer.bind(context);
      layers.add(bound);
      last = x;
      x = bound.output();
      shape = layer.outputShape(shape);
    }
    finalInput = last;
  }

  /** Examples m. */
  public int batch() {
    return batch;
  }

  /** FLOAT32 [m, image]: to be filled before {@link #forward}. */
  public Buffer input() {
    return input;
  }

  /** FLOAT32 [m, K]: filled by {@link #forward}. */
  public Buffer logits() {
    return layers.getLast().output();
  }

  /** FLOAT32 [m, H]: h, the input of the final linear layer. */
  public Buffer finalInput() {
    return finalInput;
  }

  /** Computes the logits from the input. */
  public void forward() {
    for (BoundLayer layer : layers) {
      layer.forward();
    }
  }

  /**
   * Propagates the logits' gradient through all layers.
   *
   * @param logitGradients FLOAT32 [m, K]
   * @param pass what to do for the parameters
   */
  public void backward(Buffer logitGradients, BackwardPass pass) {
    Buffer dy = logitGradients;
    for (BoundLayer layer : layers.reversed()) {
      dy = layer.backward(dy, pass);
    }
  }

  @Override
  public void close() {
    for (BoundLayer layer : layers) {
      layer.close();
    }
    input.close();
  }
}
