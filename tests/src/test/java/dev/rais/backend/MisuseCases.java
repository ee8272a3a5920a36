package dev.rais.backend;

import static dev.rais.backend.DType.BFLOAT16;
import static dev.rais.backend.DType.FLOAT32;
import static dev.rais.backend.DType.INT32;
import static dev.rais.backend.DType.UINT8;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.BatchNormShape.Fusion;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.function.Executable;

/**
 * Every operation called wrongly: an operand missing, of the wrong type, of the wrong count, or
 * closed; a label or an index out of range. The error names the operation and the operand.
 */
final class MisuseCases {
  /** An operand that fits. */
  private record Slot(String name, DType type, long count, boolean optional) {
    static Slot of(String name, DType type, long count) {
      return new Slot(name, type, count, false);
    }
  }

  private interface Call {
    void run(Backend backend, Buffer[] operands);
  }

  private final List<Case> cases = new ArrayList<>();

  private final DType activations;

  private MisuseCases(DType activations) {
    this.activations = activations;
  }

  /**
   * All misuse.
   *
   * @param activations their type
   */
  static List<Case> all(DType activations) {
    var table = new MisuseCases(activations);
    table.operations();
    table.withoutBias();
    table.batchNorm(Fusion.NONE);
    table.batchNorm(Fusion.RELU);
    table.batchNorm(Fusion.ADD_RELU);
    table.averagePool();
    table.dropout();
    table.ranges();
    if (activations == BFLOAT16) {
      table.roundings();
    }
    return table.cases;
  }

  private void operations() {
    var c = new ConvolutionShape(2, 5, 5, 3, 4, 3, 1, 1);
    Slot x = Slot.of("x", activations, c.inputCount());
    Slot w = Slot.of("w", activations, c.weightCount());
    Slot b = Slot.of("b", FLOAT32, c.outputChannels());
    Slot y = Slot.of("y", activations, c.outputCount());
    Slot dy = Slot.of("dy", activations, c.outputCount());
    Slot dx = Slot.of("dx", activations, c.inputCount());
    Slot dw = Slot.of("dw", FLOAT32, c.weightCount());
    Slot db = Slot.of("db", FLOAT32, c.outputChannels());
    Slot perExample = Slot.of("squared norms", FLOAT32, 2);
    operation(
        Op.CONVOLUTION,
        "convolution forward",
        (k, o) -> {
          try (Convolution op = k.convolution(c)) {
            op.forward(o[0], o[1], o[2], o[3]);
          }
        },
        x,
        w,
        b,
        y);
    operation(
        Op.CONVOLUTION,
        "convolution backward to data",
        (k, o) -> {
          try (Convolution op = k.convolution(c)) {
            op.backwardData(o[0], o[1], o[2]);
          }
        },
        dy,
        w,
        dx);
    operation(
        Op.CONVOLUTION,
        "convolution backward to weights",
        (k, o) -> {
          try (Convolution op = k.convolution(c)) {
            op.backwardWeights(o[0], o[1], o[2], o[3]);
          }
        },
        x,
        dy,
        dw,
        db);
    operation(
        Op.CONVOLUTION_GRADIENT_NORMS,
        "convolution gradient norms",
        (k, o) -> {
          try (Convolution op = k.convolution(c)) {
            op.addExampleSquaredNorms(o[0], o[1], o[2]);
          }
        },
        x,
        dy,
        perExample);
    linear();
    var p = new PoolShape(2, 4, 4, 3, 2, 2);
    operation(
        Op.MAX_POOL,
        "max-pool forward",
        (k, o) -> {
          try (MaxPool op = k.maxPool(p)) {
            op.forward(o[0], o[1]);
          }
        },
        Slot.of("x", activations, p.inputCount()),
        Slot.of("y", activations, p.outputCount()));
    operation(
        Op.MAX_POOL,
        "max-pool backward",
        (k, o) -> {
          try (MaxPool op = k.maxPool(p)) {
            op.backward(o[0], o[1]);
          }
        },
        Slot.of("dy", activations, p.outputCount()),
        Slot.of("dx", activations, p.inputCount()));
    elementwise();
    operation(
        Op.LOSS_LAYER,
        "loss layer",
        (k, o) -> k.lossLayer(3, 5, o[0], o[1], o[2], 1f, o[3], o[4], o[5], o[6]),
        Slot.of("logits", activations, 15),
        Slot.of("labels", INT32, 3),
        new Slot("weights", FLOAT32, 3, true),
        Slot.of("losses", FLOAT32, 3),
        Slot.of("norms", FLOAT32, 3),
        new Slot("gradients", activations, 15, true),
        Slot.of("correctness", UINT8, 3));
    operation(
        Op.GATHER,
        "gather",
        (k, o) -> k.gather(o[0], new ImageShape(1, 2, 3), o[1], o[2], o[3], o[4]),
        Slot.of("images", UINT8, 24),
        Slot.of("indices", INT32, 5),
        Slot.of("scale", FLOAT32, 3),
        Slot.of("shift", FLOAT32, 3),
        Slot.of("batch", activations, 30));
  }

  private void linear() {
    var s = new LinearShape(3, 4, 5);
    Slot x = Slot.of("x", activations, 12);
    Slot w = Slot.of("w", activations, 20);
    Slot dy = Slot.of("dy", activations, 15);
    operation(
        Op.LINEAR,
        "linear forward",
        (k, o) -> {
          try (Linear op = k.linear(s)) {
            op.forward(o[0], o[1], o[2], o[3]);
          }
        },
        x,
        w,
        Slot.of("b", FLOAT32, 5),
        Slot.of("y", activations, 15));
    operation(
        Op.LINEAR,
        "linear backward to data",
        (k, o) -> {
          try (Linear op = k.linear(s)) {
            op.backwardData(o[0], o[1], o[2]);
          }
        },
        dy,
        w,
        Slot.of("dx", activations, 12));
    operation(
        Op.LINEAR,
        "linear backward to weights",
        (k, o) -> {
          try (Linear op = k.linear(s)) {
            op.backwardWeights(o[0], o[1], o[2], o[3]);
          }
        },
        x,
        dy,
        Slot.of("dw", FLOAT32, 20),
        Slot.of("db", FLOAT32, 5));
    operation(
        Op.LINEAR_GRADIENT_NORMS,
        "linear gradient norms",
        (k, o) -> {
          try (Linear op = k.linear(s)) {
            op.addExampleSquaredNorms(o[0], o[1], o[2]);
          }
        },
        x,
        dy,
        Slot.of("squared norms", FLOAT32, 3));
  }

  private void elementwise() {
    operation(
        Op.RELU,
        "relu",
        (k, o) -> k.relu(o[0], o[1]),
        Slot.of("x", activations, 7),
        Slot.of("y", activations, 7));
    operation(
        Op.RELU,
        "relu backward",
        (k, o) -> k.reluBackward(o[0], o[1], o[2]),
        Slot.of("y", activations, 7),
        Slot.of("dy", activations, 7),
        Slot.of("dx", activations, 7));
    operation(
        Op.ADD,
        "add",
        (k, o) -> k.add(o[0], o[1], o[2]),
        Slot.of("a", activations, 7),
        Slot.of("b", activations, 7),
        Slot.of("y", activations, 7));
    operation(
        Op.SGD,
        "sgd",
        (k, o) -> k.sgd(o[0], o[1], o[2], 0.1f, 0.9f, 0f),
        Slot.of("w", FLOAT32, 7),
        Slot.of("u", FLOAT32, 7),
        Slot.of("g", FLOAT32, 7));
    operation(
        Op.SQUARED_NORM, "squared norm", (k, o) -> k.squaredNorm(o[0]), Slot.of("x", FLOAT32, 7));
    operation(
        Op.ROW_SQUARED_NORMS,
        "row squared norms",
        (k, o) -> k.rowSquaredNorms(o[0], o[1]),
        Slot.of("x", activations, 15), // one row more does not divide it either
        Slot.of("squared norms", FLOAT32, 3));
  }

  private void roundings() {
    operation(
        Op.ROUND,
        "sgd",
        (k, o) -> k.sgd(o[0], o[1], o[2], o[3], 0.1f, 0.9f, 0f),
        Slot.of("w", FLOAT32, 7),
        Slot.of("u", FLOAT32, 7),
        Slot.of("g", FLOAT32, 7),
        new Slot("rounded", BFLOAT16, 7, true));
    operation(
        Op.ROUND,
        "round",
        (k, o) -> k.round(o[0], o[1]),
        Slot.of("x", FLOAT32, 7),
        Slot.of("y", BFLOAT16, 7));
  }

  /** A shape without a bias takes none: forgetting that would lose a bias in silence. */
  private void withoutBias() {
    var s = new ConvolutionShape(1, 1, 1, 1, 1, 1, 1, 0).withoutBias();
    add(
        Op.CONVOLUTION,
        "a bias where the shape has none",
        (k, t) -> {
          try (Convolution op = k.convolution(s);
              Buffer x = k.allocate(activations, 1);
              Buffer one = k.allocate(FLOAT32, 1)) {
            surplus("b", () -> op.forward(x, x, one, x));
            surplus("db", () -> op.backwardWeights(x, x, one, one));
          }
        });
    var n = new BatchNormShape(1, 1, 1, 1e-5f, Fusion.RELU);
    add(
        Op.BATCH_NORM,
        "a residual where the shape has none",
        (k, t) -> {
          try (BatchNorm op = k.batchNorm(n);
              Buffer x = k.allocate(activations, 1);
              Buffer one = k.allocate(FLOAT32, 1)) {
            surplus("residual", () -> op.forwardRunning(x, one, one, one, one, x, x));
            surplus(
                "dresidual", () -> op.backward(x, x, x, one, one, one, one, one, x, one, one, x));
          }
        });
  }

  private static void surplus(String operand, Executable call) {
    String text = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(text.contains(operand + " is ") && text.contains("pass null"), text);
  }

  private void batchNorm(Fusion fusion) {
    var s = new BatchNormShape(2, 3, 5, 1e-5f, fusion);
    boolean added = fusion == Fusion.ADD_RELU;
    Slot x = Slot.of("x", activations, 30);
    Slot y = Slot.of("y", activations, 30);
    Slot gamma = Slot.of("gamma", FLOAT32, 5);
    Slot beta = Slot.of("beta", FLOAT32, 5);
    Slot weights = new Slot("example weights", FLOAT32, 2, true);
    Slot mean = Slot.of("mean", FLOAT32, 5);
    Slot inverse = Slot.of("inverse deviation", FLOAT32, 5);
    Slot runningMean = Slot.of("running mean", FLOAT32, 5);
    Slot runningVariance = Slot.of("running variance", FLOAT32, 5);
    Slot residual = Slot.of("residual", activations, 30);
    Slot dy = Slot.of("dy", activations, 30);
    Slot dx = new Slot("dx", activations, 30, true);
    Slot dresidual = Slot.of("dresidual", activations, 30);
    Slot output = new Slot("y", activations, 30, !added);
    batchNorm(
        s,
        "batch norm forward",
        (op, o) ->
            op.forward(
                o[0], o[1], o[2], o[3], added ? o[9] : null, o[4], o[5], o[6], o[7], o[8], 0.1f),
        residual,
        x,
        weights,
        gamma,
        beta,
        y,
        mean,
        inverse,
        runningMean,
        runningVariance);
    batchNorm(
        s,
        "batch norm forward with running statistics",
        (op, o) -> op.forwardRunning(o[0], o[1], o[2], o[3], o[4], added ? o[6] : null, o[5]),
        residual,
        x,
        gamma,
        beta,
        runningMean,
        runningVariance,
        y);
    batchNorm(
        s,
        "batch norm backward",
        (op, o) ->
            op.backward(
                o[0],
                o[1],
                o[2],
                o[3],
                o[4],
                o[5],
                o[6],
                o[7],
                o[8],
                o[9],
                o[10],
                added ? o[11] : null),
        dresidual,
        x,
        output,
        dy,
        weights,
        gamma,
        beta,
        mean,
        inverse,
        dx,
        Slot.of("dgamma", FLOAT32, 5),
        Slot.of("dbeta", FLOAT32, 5));
    batchNorm(
        s,
        "batch norm backward with running statistics",
        (op, o) ->
            op.backwardRunning(
                o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], added ? o[9] : null, o[8]),
        dresidual,
        x,
        output,
        dy,
        gamma,
        beta,
        runningMean,
        runningVariance,
        dx,
        Slot.of("squared norms", FLOAT32, 2));
  }

  private interface BatchNormCall {
    void run(BatchNorm op, Buffer[] operands);
  }

  /** With {@code added} behind the other operands where the shape has it. */
  private void batchNorm(
      BatchNormShape s, String name, BatchNormCall call, Slot added, Slot... slots) {
    Slot[] all = slots;
    if (s.fusion() == Fusion.ADD_RELU) {
      all = Arrays.copyOf(slots, slots.length + 1);
      all[slots.length] = added;
    }
    operation(
        Op.BATCH_NORM,
        name,
        (k, o) -> {
          try (BatchNorm op = k.batchNorm(s)) {
            call.run(op, o);
          }
        },
        all);
  }

  private void averagePool() {
    operation(
        Op.GLOBAL_AVERAGE_POOL,
        "global average pool",
        (k, o) -> k.globalAveragePool(2, 3, 5, o[0], o[1]),
        Slot.of("x", activations, 30),
        Slot.of("y", activations, 10));
    operation(
        Op.GLOBAL_AVERAGE_POOL,
        "global average pool backward",
        (k, o) -> k.globalAveragePoolBackward(2, 3, 5, o[0], o[1]),
        Slot.of("dy", activations, 10),
        Slot.of("dx", activations, 30));
    add(
        Op.GLOBAL_AVERAGE_POOL,
        "global average pool over nothing",
        (k, t) -> {
          try (Buffer one = k.allocate(activations, 1)) {
            String text =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> k.globalAveragePool(1, 0, 1, one, one))
                    .getMessage();
            assertTrue(text.contains("at least 1, not 0"), text);
          }
        });
  }

  private void dropout() {
    operation(
        Op.DROPOUT,
        "dropout",
        (k, o) -> k.dropout(o[0], 0.5f, 1, 2, 3, o[1]),
        Slot.of("x", activations, 7),
        Slot.of("y", activations, 7));
    for (float rate : new float[] {-0.1f, 1f, 1.5f, Float.NaN}) {
      add(
          Op.DROPOUT,
          "dropout with a rate of " + rate,
          (k, t) -> badDropout(k, rate, 0, "not " + rate));
    }
    for (int layer : new int[] {-1, 1 << 23}) {
      add(
          Op.DROPOUT,
          "dropout in layer " + layer,
          (k, t) -> badDropout(k, 0.5f, layer, "not " + layer));
    }
  }

  private static void badDropout(Backend backend, float rate, int layer, String named) {
    try (Buffer one = backend.allocate(backend.activations(), 1)) {
      String text =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> backend.dropout(one, rate, 0, layer, 0, one))
              .getMessage();
      assertTrue(text.contains(named), text);
    }
  }

  private void operation(Op op, String name, Call call, Slot... slots) {
    add(op, name + " accepts operands that fit", (k, t) -> tryOut(k, slots, call));
    for (int i = 0; i < slots.length; i++) {
      int at = i;
      Slot slot = slots[i];
      if (!slot.optional()) {
        add(
            op,
            name + " without " + slot.name(),
            (k, t) -> refused(k, call, name, slots, at, null, slot.name()));
      }
      DType wrong = slot.type() == INT32 || slot.type() == BFLOAT16 ? FLOAT32 : INT32;
      add(
          op,
          name + " with " + slot.name() + " of the wrong type",
          (k, t) -> {
            try (Buffer buffer = k.allocate(wrong, slot.count())) {
              refused(k, call, name, slots, at, buffer, slot.name());
            }
          });
      // One operand sets the count of others: which of them is blamed is open, but one is. An
      // operand without others fits at any count.
      if (slots.length > 1) {
        add(
            op,
            name + " with one element too many in " + slot.name(),
            (k, t) -> {
              try (Buffer buffer = k.allocate(slot.type(), slot.count() + 1)) {
                refused(k, call, name, slots, at, buffer, "");
              }
            });
      }
      add(
          op,
          name + " with " + slot.name() + " closed",
          (k, t) -> {
            Buffer[] operands = allocate(k, slots);
            try {
              operands[at].close();
              assertThrows(IllegalStateException.class, () -> call.run(k, operands));
            } finally {
              close(operands);
            }
          });
    }
  }

  private static void tryOut(Backend backend, Slot[] slots, Call call) {
    Buffer[] operands = allocate(backend, slots);
    try {
      call.run(backend, operands);
    } finally {
      close(operands);
    }
  }

  private static void refused(
      Backend backend,
      Call call,
      String name,
      Slot[] slots,
      int at,
      Buffer wrong,
      String operandNamed) {
    Buffer[] operands = allocate(backend, slots);
    try {
      Buffer[] given = operands.clone();
      given[at] = wrong;
      var error = assertThrows(IllegalArgumentException.class, () -> call.run(backend, given));
      String text = String.valueOf(error.getMessage());
      assertTrue(text.contains(name), "names " + name + ": " + text);
      assertTrue(text.contains(operandNamed), "names " + operandNamed + ": " + text);
      assertTrue(
          Arrays.stream(slots).anyMatch(s -> text.contains(s.name())), "names an operand: " + text);
    } finally {
      close(operands);
    }
  }

  private static Buffer[] allocate(Backend backend, Slot[] slots) {
    return Arrays.stream(slots)
        .map(s -> backend.allocate(s.type(), s.count()))
        .toArray(Buffer[]::new);
  }

  private static void close(Buffer[] buffers) {
    for (Buffer buffer : buffers) {
      buffer.close();
    }
  }

  private void ranges() {
    // The first row, and the last of enough rows for every thread to have some.
    for (int rows : new int[] {1, 20_011}) {
      for (int label : new int[] {-1, 10, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
        add(
            Op.LOSS_LAYER,
            "label " + label + " in the last of " + rows + " rows",
            (k, t) -> badLabel(k, rows, label));
      }
    }
    for (int rows : new int[] {1, 20_011}) {
      for (int index : new int[] {-1, 4, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
        add(
            Op.GATHER,
            "index " + index + " in the last of " + rows + " slots",
            (k, t) -> badIndex(k, rows, index));
      }
    }
    add(
        Op.LOSS_LAYER,
        "fewer than two classes",
        (k, t) ->
            assertThrows(
                IllegalArgumentException.class,
                () -> k.lossLayer(1, 1, null, null, null, 1f, null, null, null, null)));
  }

  private static void badLabel(Backend backend, int rows, int label) {
    int[] labels = new int[rows];
    labels[rows - 1] = label;
    try (Buffer logits = backend.allocate(backend.activations(), rows * 10L);
        Buffer classes = backend.allocate(INT32, rows);
        Buffer losses = backend.allocate(FLOAT32, rows);
        Buffer norms = backend.allocate(FLOAT32, rows);
        Buffer flags = backend.allocate(UINT8, rows)) {
      classes.upload(labels);
      var error =
          assertThrows(
              IndexOutOfBoundsException.class,
              () ->
                  backend.lossLayer(
                      rows, 10, logits, classes, null, 1f, losses, norms, null, flags));
      String text = String.valueOf(error.getMessage());
      assertTrue(text.contains("label " + label), text);
    }
  }

  private static void badIndex(Backend backend, int rows, int index) {
    int[] indices = new int[rows];
    indices[rows - 1] = index;
    try (Buffer images = backend.allocate(UINT8, 4 * 12L);
        Buffer chosen = backend.allocate(INT32, rows);
        Buffer scale = backend.allocate(FLOAT32, 3);
        Buffer shift = backend.allocate(FLOAT32, 3);
        Buffer batch = backend.allocate(backend.activations(), rows * 12L)) {
      chosen.upload(indices);
      var error =
          assertThrows(
              IndexOutOfBoundsException.class,
              () -> backend.gather(images, new ImageShape(2, 2, 3), chosen, scale, shift, batch));
      String text = String.valueOf(error.getMessage());
      assertTrue(text.contains("index " + index), text);
    }
  }

  private void add(Op op, String name, BiConsumer<Backend, Trial> body) {
    cases.add(new Case(op, name, body));
  }
}
