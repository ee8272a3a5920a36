package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.util.ArrayList;
import java.util.List;

/** A network with activations for one batch size. Close it before its {@link Network}. */
public final class BoundNetwork implements AutoCloseable {
  /** A gradient that has to be added to what another layer left. */
  private record Addition(Buffer what, Buffer to) {}

  private final Network network;
  private final MemoryPlan plan;
  private final Buffer workspace;

  /** The workspace where this network owns it, else null. */
  private final Buffer owned;

  private final Buffer squaredNorms;
  private final List<BoundLayer> layers = new ArrayList<>();
  private final List<List<Addition>> additions = new ArrayList<>();
  private Step step;

  BoundNetwork(Network network, MemoryPlan plan, Buffer workspace, boolean owns) {
    this.network = network;
    this.plan = plan;
    this.workspace = workspace;
    owned = owns ? workspace : null;
    step = new Step(null, network.seed(), 0);
    Backend backend = network.backend();
    squaredNorms =
        plan.mode() == Mode.EXAMPLE_NORMS ? backend.allocate(DType.FLOAT32, plan.batch()) : null;
    List<Parameter> parameters = network.parameters();
    List<StateTensor> state = network.state();
    int p = 0;
    int s = 0;
    for (int i = 0; i < plan.model().layers().size(); i++) {
      Model.NamedLayer layer = plan.model().layers().get(i);
      int ownParameters = layer.layer().parameters(layer.inputShape()).size();
      int ownState = layer.layer().state(layer.inputShape()).size();
      MemoryPlan.Contribution toInput = plan.toInput(i);
      MemoryPlan.Contribution toResidual = plan.toResidual(i);
      layers.add(
          layer
              .layer()
              .bind(
                  new LayerContext(
                      backend,
                      plan.mode(),
                      plan.batch(),
                      i,
                      layer.inputShape(),
                      parameters.subList(p, p + ownParameters),
                      state.subList(s, s + ownState),
                      activation(layer.input()),
                      layer.residual() < 0 ? null : activation(layer.residual()),
                      activation(i + 1),
                      view(plan.gradient(i + 1)),
                      view(toInput.to()),
                      view(toResidual.to()),
                      squaredNorms)));
      List<Addition> own = new ArrayList<>();
      for (MemoryPlan.Contribution contribution : List.of(toInput, toResidual)) {
        if (contribution.sum() != null) {
          own.add(new Addition(view(contribution.to()), view(contribution.sum())));
        }
      }
      additions.add(own);
      p += ownParameters;
      s += ownState;
    }
  }

  private Buffer activation(int number) {
    return view(plan.activation(number));
  }

  private Buffer view(MemoryPlan.Slot slot) {
    return slot == null ? null : workspace.slice(slot.offset(), slot.count());
  }

  /** Examples m. */
  public int batch() {
    return plan.batch();
  }

  /** {@link Backend#activations} [m, image]: to be filled before each {@link #forward}. */
  public Buffer input() {
    return activation(0);
  }

  /** {@link Backend#activations} [m, K]: filled by {@link #forward}. */
  public Buffer logits() {
    return activation(layers.size());
  }

  /** {@link Backend#activations} [m, H]: h, the input of the final linear layer. */
  public Buffer finalInput() {
    return activation(plan.model().layers().getLast().input());
  }

  /**
   * {@link Backend#activations} [m, K]: to be filled before {@link #backward}; null in evaluation
   * mode.
   */
  public Buffer logitGradients() {
    return view(plan.gradient(layers.size()));
  }

  /** FLOAT32 [m]: filled by {@link #backward} in the mode for example norms, else null. */
  public Buffer squaredNorms() {
    return squaredNorms;
  }

  /** Computes the logits from the input; in training, as in iteration 0 with equal weights. */
  public void forward() {
    forward(null, 0);
  }

  /**
   * Computes the logits from the input.
   *
   * @param exampleWeights FLOAT32 [m] importance weights for the statistics of batch norms, or null
   *     where all are equal; not read outside training
   * @param iteration t, for what is random in a layer
   */
  public void forward(Buffer exampleWeights, long iteration) {
    step = new Step(exampleWeights, network.seed(), iteration);
    for (BoundLayer layer : layers) {
      layer.forward(step);
    }
  }

  /**
   * Propagates the logits' gradients through all layers, after a {@link #forward}: to the
   * parameters' gradients, summed over the batch, or to the examples' squared norms.
   */
  public void backward() {
    if (squaredNorms != null) {
      squaredNorms.fillZero();
    }
    for (int i = layers.size() - 1; i >= 0; i--) {
      layers.get(i).backward(step);
      for (Addition addition : additions.get(i)) {
        network.backend().add(addition.to(), addition.what(), addition.to());
      }
    }
  }

  @Override
  public void close() {
    for (BoundLayer layer : layers) {
      layer.close();
    }
    if (squaredNorms != null) {
      squaredNorms.close();
    }
    if (owned != null) {
      owned.close();
    }
  }
}
