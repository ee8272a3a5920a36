package dev.rais.nn;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * A model with its parameters on a backend.
 *
 * <p>Values, gradients and velocities each lie in one flat buffer, so that an update is one
 * operation; what layers keep beside parameters lies in another.
 */
public final class Network implements AutoCloseable {
  private final Backend backend;
  private final Model model;
  private final long seed;
  private final Buffer values;

  /** Null where activations are floats. */
  private final Buffer rounded;

  private final Buffer gradients;
  private final Buffer velocities;

  /** At least one element, so that a network without state needs no exception anywhere. */
  private final Buffer stateValues;

  private final List<Parameter> parameters = new ArrayList<>();
  private final List<StateTensor> state = new ArrayList<>();

  /**
   * Allocates the parameters and draws their initial values (He et al. 2015: N(0, 2/fanIn), biases
   * 0).
   *
   * @param seed same seed, same values, on every backend
   */
  public Network(Backend backend, Model model, long seed) {
    this.backend = backend;
    this.model = model;
    this.seed = seed;
    List<TensorSpec> specs = model.parameters();
    List<TensorSpec> stateSpecs = model.state();
    Consumer<Throwable> savepoint = backend.savepoint();
    try {
      values = allocate(specs);
      rounded =
          backend.activations() == DType.FLOAT32
              ? null
              : backend.allocate(backend.activations(), values.count());
      gradients = allocate(specs);
      velocities = allocate(specs);
      stateValues = allocate(stateSpecs);
      addTensors(specs, stateSpecs);
      initialise(specs, stateSpecs);
    } catch (Throwable e) {
      savepoint.accept(e);
      throw e;
    }
  }

  private void addTensors(List<TensorSpec> specs, List<TensorSpec> stateSpecs) {
    long offset = 0;
    for (TensorSpec spec : specs) {
      Buffer value = values.slice(offset, spec.count());
      Buffer gradient = gradients.slice(offset, spec.count());
      Buffer operand = rounded == null ? value : rounded.slice(offset, spec.count());
      parameters.add(new Parameter(spec.name(), spec.dims(), offset, value, operand, gradient));
      offset += spec.count();
    }
    offset = 0;
    for (TensorSpec spec : stateSpecs) {
      Buffer value = stateValues.slice(offset, spec.count());
      state.add(new StateTensor(spec.name(), spec.dims(), offset, value));
      offset += spec.count();
    }
  }

  private void initialise(List<TensorSpec> specs, List<TensorSpec> stateSpecs) {
    Philox philox = new Philox(seed, Streams.INITIAL_VALUES);
    for (int p = 0; p < specs.size(); p++) {
      initialise(parameters.get(p), specs.get(p), philox, p);
    }
    for (int k = 0; k < stateSpecs.size(); k++) {
      initialise(state.get(k), stateSpecs.get(k), null, k);
    }
    valuesWritten();
  }

  private Buffer allocate(List<TensorSpec> specs) {
    long count = specs.stream().mapToLong(TensorSpec::count).sum();
    return backend.allocate(DType.FLOAT32, Math.max(1, count));
  }

  private static void initialise(NamedTensor tensor, TensorSpec spec, Philox philox, int number) {
    if (spec.fanIn() == 0 && spec.constant() == 0) {
      return; // as it was allocated
    }
    float[] w = new float[Math.toIntExact(spec.count())];
    double deviation = spec.fanIn() == 0 ? 0 : Math.sqrt(2.0 / spec.fanIn());
    for (int i = 0; i < w.length; i++) {
      w[i] = spec.fanIn() == 0 ? spec.constant() : (float) (deviation * philox.normal(number, i));
    }
    tensor.value().upload(w);
  }

  /** The backend the parameters live on. */
  public Backend backend() {
    return backend;
  }

  /** The description. */
  public Model model() {
    return model;
  }

  /** What every random choice of its layers follows from. */
  public long seed() {
    return seed;
  }

  /** All parameters in order. */
  public List<Parameter> parameters() {
    return List.copyOf(parameters);
  }

  /** Parameters of the final linear layer: weight and bias. */
  public List<Parameter> finalParameters() {
    return List.copyOf(parameters.subList(parameters.size() - 2, parameters.size()));
  }

  /** All that layers keep beside parameters, in order. */
  public List<StateTensor> state() {
    return List.copyOf(state);
  }

  /** Parameters and state, in the order of files. */
  public List<NamedTensor> tensors() {
    return Stream.<NamedTensor>concat(parameters.stream(), state.stream()).toList();
  }

  /** All values w, flat. Who writes to them calls {@link #valuesWritten} then. */
  public Buffer values() {
    return values;
  }

  /**
   * All values rounded to the type of activations, flat, which layers multiply by; null where
   * activations are floats. {@link Backend#sgd(Buffer, Buffer, Buffer, Buffer, float, float,
   * float)} fills it.
   */
  public Buffer rounded() {
    return rounded;
  }

  /** Rounds values that were not written by an update. */
  public void valuesWritten() {
    if (rounded != null) {
      backend.round(values, rounded);
    }
  }

  /** All gradients g, flat. */
  public Buffer gradients() {
    return gradients;
  }

  /** All velocities u of the momentum, flat. */
  public Buffer velocities() {
    return velocities;
  }

  /** All state, flat; one element that means nothing where there is none. */
  public Buffer stateValues() {
    return stateValues;
  }

  /**
   * Prepares passes for one batch size, with memory of their own.
   *
   * @param batch examples m
   * @param mode what the passes are for
   */
  public BoundNetwork bind(int batch, Mode mode) {
    MemoryPlan plan = MemoryPlan.of(model, batch, mode);
    return bound(
        () ->
            new BoundNetwork(
                this, plan, backend.allocate(backend.activations(), plan.count()), true));
  }

  /**
   * Prepares passes in memory that others use too, in turns: between an input's filling and the
   * last look at what came of it, nobody else may use it.
   *
   * @param workspace {@link Backend#activations} of at least the plan's count
   */
  public BoundNetwork bind(MemoryPlan plan, Buffer workspace) {
    return bound(() -> new BoundNetwork(this, plan, workspace, false));
  }

  /**
   * If this fails half-way, say for memory, nothing of it is left: a smaller batch may be tried.
   */
  private BoundNetwork bound(Supplier<BoundNetwork> maker) {
    Consumer<Throwable> savepoint = backend.savepoint();
    try {
      return maker.get();
    } catch (Throwable e) {
      savepoint.accept(e);
      throw e;
    }
  }

  @Override
  public void close() {
    values.close();
    if (rounded != null) {
      rounded.close();
    }
    gradients.close();
    velocities.close();
    stateValues.close();
  }
}
