package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.util.ArrayList;
import java.util.List;

/**
 * A model with its parameters on a backend.
 *
 * <p>Values, gradients and velocities each lie in one flat buffer, so that an update is one
 * operation.
 */
public final class Network implements AutoCloseable {
  private final Backend backend;
  private final Model model;
  private final Buffer values;
  private final Buffer gradients;
  private final Buffer velocities;
  private final List<Parameter> parameters = new ArrayList<>();
  private final List<List<Parameter>> byLayer = new ArrayList<>();

  /**
   * Allocates the parameters and draws their initial values (He et al. 2015: N(0, 2/fanIn), biases
   * 0).
   *
   * @param seed same seed, same values, on every backend
   */
  public Network(Backend backend, Model model, long seed) {
    this.backend = backend;
    this.model = model;
    List<ParameterSpec> specs = new ArrayList<>();
    Shape shape = model.input();
    long total = 0;
    for (Model.NamedLayer layer : model.layers()) {
      for (ParameterSpec spec : layer.layer().parameters(shape)) {
        specs.add(spec);
        total += spec.count();
      }
      shape = layer.layer().outputShape(shape);
    }
    values = backend.allocate(DType.FLOAT32, total);
    gradients = backend.allocate(DType.FLOAT32, total);
    velocities = backend.allocate(DType.FLOAT32, total);
    shape = model.input();
    long offset = 0;
    for (Model.NamedLayer layer : model.layers()) {
      List<Parameter> own = new ArrayList<>();
      for (ParameterSpec spec : layer.layer().parameters(shape)) {
        long count = spec.count();
        own.add(
            new Parameter(
                layer.name() + "." + spec.name(),
                spec.dims(),
                offset,
                values.slice(offset, count),
                gradients.slice(offset, count)));
        offset += count;
      }
      parameters.addAll(own);
      byLayer.add(List.copyOf(own));
      shape = layer.layer().outputShape(shape);
    }
    initialise(specs, seed);
  }

  private void initialise(List<ParameterSpec> specs, long seed) {
    Philox philox = new Philox(seed, Streams.INITIAL_VALUES);
    for (int p = 0; p < specs.size(); p++) {
      int fanIn = specs.get(p).fanIn();
      if (fanIn > 0) {
        float[] w = new float[Math.toIntExact(specs.get(p).count())];
        double deviation = Math.sqrt(2.0 / fanIn);
        for (int i = 0; i < w.length; i++) {
          w[i] = (float) (deviation * philox.normal(p, i));
        }
        parameters.get(p).value().upload(w);
      }
    }
  }

  /** The backend the parameters live on. */
  public Backend backend() {
    return backend;
  }

  /** The description. */
  public Model model() {
    return model;
  }

  /** All parameters in order. */
  public List<Parameter> parameters() {
    return List.copyOf(parameters);
  }

  /** Parameters of the final linear layer: weight and bias. */
  public List<Parameter> finalParameters() {
    return byLayer.getLast();
  }

  /** All values w, flat. */
  public Buffer values() {
    return values;
  }

  /** All gradients g, flat. */
  public Buffer gradients() {
    return gradients;
  }

  /** All velocities u of the momentum, flat. */
  public Buffer velocities() {
    return velocities;
  }

  /**
   * Allocates activations for one batch size.
   *
   * @param batch examples m
   * @param training whether backward passes will follow
   */
  public BoundNetwork bind(int batch, boolean training) {
    return new BoundNetwork(this, byLayer, batch, training);
  }

  @Override
  public void close() {
    values.close();
    gradients.close();
    velocities.close();
  }
}
