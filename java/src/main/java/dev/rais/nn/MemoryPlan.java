package dev.rais.nn;

import dev.rais.backend.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Where activations and their gradients lie in one block of memory, so that what is never needed at
 * the same time shares a place.
 *
 * <p>Time runs in steps: the input is filled at 0, layer i runs forward at i + 1, the loss is
 * computed at n + 1, layer i runs backward at 2n + 1 − i. A slot is taken from its first use to its
 * last, as the layers' {@link MemoryUse} says; slots whose times overlap must not overlap in space.
 * The largest are placed first, each as low as it can be.
 */
public final class MemoryPlan {
  /**
   * Elements to whose multiples slots are aligned: 256 bytes of floats, 128 of bfloat16s, which is
   * what devices want of an operand.
   */
  private static final long ALIGNMENT = 64;

  /** Space for one activation or gradient. */
  static final class Slot {
    private final long count;
    private int first;
    private int last;
    private long offset;

    private Slot(long count, int first) {
      this.count = count;
      this.first = first;
      this.last = first;
    }

    private void use(int time) {
      last = Math.max(last, time);
    }

    private boolean meets(Slot other) {
      return first <= other.last && other.first <= last;
    }

    private long end() {
      return offset + (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    long offset() {
      return offset;
    }

    long count() {
      return count;
    }
  }

  /**
   * The gradients that a layer writes.
   *
   * @param to null where the gradient is not wanted
   * @param sum what {@code to} has to be added to after the layer ran, because another layer reads
   *     the same activation; else null
   */
  record Contribution(Slot to, Slot sum) {
    static final Contribution NONE = new Contribution(null, null);
  }

  private final Model model;
  private final Mode mode;
  private final int batch;
  private final int n;
  private final List<Slot> slots = new ArrayList<>();
  private final Slot[] activations;
  private final Slot[] gradients;
  private final Contribution[] toInput;
  private final Contribution[] toResidual;
  private final long count;

  private MemoryPlan(Model model, int batch, Mode mode, boolean shared) {
    this.model = model;
    this.mode = mode;
    this.batch = batch;
    n = model.layers().size();
    activations = new Slot[n + 1];
    gradients = new Slot[n + 1];
    toInput = new Contribution[n];
    toResidual = new Contribution[n];
    planActivations();
    Arrays.fill(toInput, Contribution.NONE);
    Arrays.fill(toResidual, Contribution.NONE);
    if (mode.hasBackward()) {
      planGradients();
    }
    if (!shared) {
      slots.forEach(slot -> slot.use(end()));
      slots.forEach(slot -> slot.first = 0);
    }
    count = place();
  }

  /** Plans the memory of a model for one batch size. */
  public static MemoryPlan of(Model model, int batch, Mode mode) {
    return new MemoryPlan(model, batch, mode, true);
  }

  /** A plan in which nothing shares a place, but what works in place: to compare with. */
  static MemoryPlan separate(Model model, int batch, Mode mode) {
    return new MemoryPlan(model, batch, mode, false);
  }

  /**
   * Plans for as many examples as there is room for.
   *
   * @param most largest batch size that is of use
   * @param count elements that the plan may have
   * @return a plan for at least one example, whatever that needs
   */
  public static MemoryPlan within(long count, Model model, int most, Mode mode) {
    int fits = 1;
    int above = most + 1;
    while (above - fits > 1) {
      int middle = fits + (above - fits) / 2;
      if (of(model, middle, mode).count <= count) {
        fits = middle;
      } else {
        above = middle;
      }
    }
    return of(model, fits, mode);
  }

  private int forward(int layer) {
    return layer + 1;
  }

  private int loss() {
    return n + 1;
  }

  private int backward(int layer) {
    return 2 * n + 1 - layer;
  }

  /** After the backward pass, when what came of the step is read. */
  private int end() {
    return 2 * n + 2;
  }

  private Slot slot(Shape shape, int first) {
    Slot slot = new Slot(Math.multiplyExact((long) batch, shape.size()), first);
    slots.add(slot);
    return slot;
  }

  private void planActivations() {
    int[] readers = new int[n + 1];
    for (Model.NamedLayer layer : model.layers()) {
      readers[layer.input()]++;
      if (layer.residual() >= 0) {
        readers[layer.residual()]++;
      }
    }
    activations[0] = slot(model.input(), 0);
    for (int i = 0; i < n; i++) {
      Model.NamedLayer layer = model.layers().get(i);
      MemoryUse memory = layer.layer().memory();
      int x = layer.input();
      boolean alone = readers[x] == 1 && x > 0 && !(mode.hasBackward() && isKept(x, memory));
      activations[i + 1] =
          memory.outputInPlace() && alone ? activations[x] : slot(layer.outputShape(), forward(i));
      activations[x].use(forward(i));
      activations[i + 1].use(forward(i));
      if (layer.residual() >= 0) {
        activations[layer.residual()].use(forward(i));
      }
      if (mode.hasBackward() && memory.keepsInput()) {
        activations[x].use(backward(i));
      }
      if (mode.hasBackward() && memory.keepsOutput()) {
        activations[i + 1].use(backward(i));
      }
    }
    // The sampler is told of both after the step.
    activations[n].use(end());
    activations[model.layers().getLast().input()].use(end());
  }

  /** Whether the backward pass of the layer that made an activation, or of its reader, reads it. */
  private boolean isKept(int activation, MemoryUse reader) {
    return reader.keepsInput() || model.layers().get(activation - 1).layer().memory().keepsOutput();
  }

  private void planGradients() {
    gradients[n] = slot(model.layers().getLast().outputShape(), loss());
    for (int i = n - 1; i >= 0; i--) {
      Model.NamedLayer layer = model.layers().get(i);
      Slot dy = gradients[i + 1];
      dy.use(backward(i));
      Slot inPlace = layer.layer().memory().gradientInPlace() ? dy : null;
      if (layer.input() > 0) {
        toInput[i] = contribute(layer.input(), layer.inputShape(), i, inPlace);
      }
      if (layer.residual() > 0) {
        toResidual[i] = contribute(layer.residual(), layer.outputShape(), i, null);
      } else if (layer.residual() == 0) {
        // Nobody wants the image's gradient, but a layer that joins writes it.
        toResidual[i] = new Contribution(slot(layer.outputShape(), backward(i)), null);
      }
    }
  }

  private Contribution contribute(int activation, Shape shape, int layer, Slot inPlace) {
    Slot to = inPlace == null ? slot(shape, backward(layer)) : inPlace;
    if (gradients[activation] == null) {
      gradients[activation] = to;
      return new Contribution(to, null);
    }
    gradients[activation].use(backward(layer));
    return new Contribution(to, gradients[activation]);
  }

  private long place() {
    List<Slot> ordered = new ArrayList<>(slots);
    ordered.sort(
        Comparator.comparingLong((Slot slot) -> -slot.count).thenComparingInt(slot -> slot.first));
    List<Slot> placed = new ArrayList<>();
    long total = 0;
    for (Slot slot : ordered) {
      slot.offset = 0;
      // Those placed are in the order of their offsets, so the first gap that is wide enough shows.
      for (Slot other : placed) {
        if (other.meets(slot) && other.offset < slot.end()) {
          slot.offset = Math.max(slot.offset, other.end());
        }
      }
      total = Math.max(total, slot.end());
      placed.add(slot);
      placed.sort(Comparator.comparingLong(other -> other.offset));
    }
    return total;
  }

  /** The model. */
  public Model model() {
    return model;
  }

  /** What the passes are for. */
  public Mode mode() {
    return mode;
  }

  /** Examples m. */
  public int batch() {
    return batch;
  }

  /** Elements of the block. */
  public long count() {
    return count;
  }

  /** Size of a block of such activations. */
  public long numBytes(DType activations) {
    return count * activations.numBytes();
  }

  /** Place of an activation. */
  Slot activation(int number) {
    return activations[number];
  }

  /** Place of an activation's gradient, null where there is none. */
  Slot gradient(int number) {
    return gradients[number];
  }

  Contribution toInput(int layer) {
    return toInput[layer];
  }

  Contribution toResidual(int layer) {
    return toResidual[layer];
  }
}
