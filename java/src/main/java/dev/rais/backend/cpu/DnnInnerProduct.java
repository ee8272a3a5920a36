package dev.rais.backend.cpu;

import dev.rais.backend.LinearShape;
import dev.rais.backend.cpu.DnnPrimitive.OperandSpec;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The three products of a fully connected layer on oneDNN, of operands anywhere in memory. */
final class DnnInnerProduct implements AutoCloseable {
  private final DnnPrimitive forward;
  private final DnnPrimitive backwardData;
  private final DnnPrimitive backwardWeights;

  /**
   * Prepares them.
   *
   * @param bias whether there is one; its operand is left out otherwise
   */
  DnnInnerProduct(LinearShape shape, boolean bias, DnnRuntime runtime) {
    runtime.enter();
    try (DnnDescriptors made = new DnnDescriptors(runtime.dnn())) {
      MemorySegment x = made.memory(Dnn.TAG_AB, shape.batch(), shape.inputs());
      MemorySegment y = made.memory(Dnn.TAG_AB, shape.batch(), shape.outputs());
      MemorySegment w = made.memory(Dnn.TAG_AB, shape.outputs(), shape.inputs());
      MemorySegment anyWeights = made.memory(Dnn.TAG_ANY, shape.outputs(), shape.inputs());
      MemorySegment b = bias ? made.memory(Dnn.TAG_A, shape.outputs()) : MemorySegment.NULL;
      MemorySegment forwardDesc =
          made.primitive(
              "dnnl_inner_product_forward_primitive_desc_create",
              runtime.engine(),
              Dnn.FORWARD_TRAINING,
              x,
              anyWeights,
              b,
              y,
              runtime.attributes());
      MemorySegment dataDesc =
          made.primitive(
              "dnnl_inner_product_backward_data_primitive_desc_create",
              runtime.engine(),
              x,
              anyWeights,
              y,
              forwardDesc,
              runtime.attributes());
      MemorySegment weightsDesc =
          made.primitive(
              "dnnl_inner_product_backward_weights_primitive_desc_create",
              runtime.engine(),
              x,
              anyWeights,
              b,
              y,
              forwardDesc,
              runtime.attributes());
      backwardData =
          new DnnPrimitive(
              runtime,
              dataDesc,
              List.of(
                  new OperandSpec(Dnn.ARG_DIFF_DST, 0, y, false),
                  new OperandSpec(Dnn.ARG_WEIGHTS, Dnn.QUERY_WEIGHTS_MD, w, false),
                  new OperandSpec(Dnn.ARG_DIFF_SRC, 0, x, true)));
      backwardWeights =
          new DnnPrimitive(
              runtime,
              weightsDesc,
              with(
                  bias ? new OperandSpec(Dnn.ARG_DIFF_BIAS, 0, b, true) : null,
                  new OperandSpec(Dnn.ARG_SRC, 0, x, false),
                  new OperandSpec(Dnn.ARG_DIFF_DST, 0, y, false),
                  new OperandSpec(Dnn.ARG_DIFF_WEIGHTS, Dnn.QUERY_DIFF_WEIGHTS_MD, w, true)));
      forward =
          new DnnPrimitive(
              runtime,
              forwardDesc,
              with(
                  bias ? new OperandSpec(Dnn.ARG_BIAS, 0, b, false) : null,
                  new OperandSpec(Dnn.ARG_SRC, 0, x, false),
                  new OperandSpec(Dnn.ARG_WEIGHTS, Dnn.QUERY_WEIGHTS_MD, w, false),
                  new OperandSpec(Dnn.ARG_DST, 0, y, true)));
    }
  }

  /** The operands and, where there is one, that of the bias behind them. */
  private static List<OperandSpec> with(OperandSpec bias, OperandSpec... operands) {
    List<OperandSpec> all = new ArrayList<>(List.of(operands));
    if (bias != null) {
      all.add(bias);
    }
    return all;
  }

  /** y = x wᵀ (+ b); operands x, w, y and, where there is one, b. */
  void forward(MemorySegment... operands) {
    forward.execute(operands);
  }

  /** dx = dy w. */
  void backwardData(MemorySegment dy, MemorySegment w, MemorySegment dx) {
    backwardData.execute(dy, w, dx);
  }

  /** dw = dyᵀ x; operands x, dy, dw and, where there is one, db. */
  void backwardWeights(MemorySegment... operands) {
    backwardWeights.execute(operands);
  }

  @Override
  public String toString() {
    return "forward "
        + forward.implementation()
        + ", data "
        + backwardData.implementation()
        + ", weights "
        + backwardWeights.implementation();
  }

  @Override
  public void close() {
    forward.close();
    backwardData.close();
    backwardWeights.close();
  }
}
