package dev.rais.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.cpu.JavaBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A network, or a binding of it, that cannot be made leaves nothing in a backend that goes on. */
class NetworkTest {
  private static final Shape INPUT = new Shape(2, 2, 1);

  /** Tells whether somebody went back to how things were when the first savepoint was asked for. */
  private static final class Backend extends JavaBackend {
    private int savepoints;
    private final List<Integer> goneBackTo = new ArrayList<>();

    Backend() {
      super(1);
    }

    @Override
    public Consumer<Throwable> savepoint() {
      int number = savepoints++;
      return super.savepoint().andThen(failure -> goneBackTo.add(number));
    }
  }

  private final Backend backend = new Backend();

  @AfterEach
  void close() {
    backend.close();
  }

  /** Allocates something when it is bound, and then fails if it shall. */
  private static final class Failing implements Layer {
    private final List<Buffer> seen = new ArrayList<>();
    private boolean fails = true;

    @Override
    public Shape outputShape(Shape input) {
      return input;
    }

    @Override
    public BoundLayer bind(LayerContext context) {
      seen.add(context.input());
      seen.add(context.backend().allocate(DType.FLOAT32, 3));
      if (fails) {
        throw new OutOfMemoryError("as if there were no more");
      }
      return new BoundLayer() {
        @Override
        public void forward(Step step) {
          context.output().copyFrom(context.input());
        }

        @Override
        public void backward(Step step) {
          // Nobody asks for it.
        }
      };
    }
  }

  private static Model model(Layer layer) {
    return Model.builder("m", INPUT)
        .add("first", new Relu())
        .add("layer", layer)
        .add("fc", new Dense(2))
        .build();
  }

  @Test
  void aBindingThatFailsFreesItsMemory() {
    Failing layer = new Failing();
    try (Network network = new Network(backend, model(layer), 1)) {
      float[] values = network.values().toFloats();
      assertThrows(OutOfMemoryError.class, () -> network.bind(3, Mode.TRAINING));
      assertEquals(2, layer.seen.size());
      for (Buffer buffer : layer.seen) {
        assertThrows(IllegalStateException.class, buffer::fillZero, "open: " + buffer);
      }

      layer.fails = false;
      try (BoundNetwork net = network.bind(2, Mode.EVALUATION)) {
        net.forward();
        assertArrayEquals(new float[4], net.logits().toFloats());
      }
      assertArrayEquals(values, network.values().toFloats(), "the network is still there");
    }
  }

  @Test
  void aBindingThatFailsLeavesAWorkspaceToItsOwner() {
    Failing layer = new Failing();
    Model model = model(layer);
    MemoryPlan plan = MemoryPlan.of(model, 3, Mode.TRAINING);
    try (Network network = new Network(backend, model, 1);
        Buffer workspace = backend.allocate(DType.FLOAT32, plan.count())) {
      assertThrows(OutOfMemoryError.class, () -> network.bind(plan, workspace));
      assertThrows(IllegalStateException.class, layer.seen.getLast()::fillZero);
      workspace.fillZero();
    }
  }

  /** Of a parameter that cannot be, found when the others have their memory. */
  @Test
  void aNetworkThatFailsFreesItsMemory() {
    Layer layer =
        new Layer() {
          @Override
          public Shape outputShape(Shape input) {
            return input;
          }

          @Override
          public List<TensorSpec> parameters(Shape input) {
            return List.of(TensorSpec.constant("weight", List.of(-1), 0));
          }

          @Override
          public BoundLayer bind(LayerContext context) {
            throw new UnsupportedOperationException("never bound");
          }
        };
    assertThrows(
        IndexOutOfBoundsException.class, () -> new Network(backend, model(layer), 1).close());
    assertEquals(List.of(0), backend.goneBackTo);
  }
}
