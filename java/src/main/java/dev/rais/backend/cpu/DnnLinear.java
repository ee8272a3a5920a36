package dev.rais.backend.cpu;

import dev.rais.backend.Buffer;
import dev.rais.backend.LinearShape;
import dev.rais.backend.cpu.DnnPrimitive.OperandSpec;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A fully connected layer on oneDNN; the exact per-example norms are inherited. */
final class DnnLinear extends JavaLinear {
  private final DnnPrimitive forward;
  private final DnnPrimitive backwardData;
  private final DnnPrimitive backwardWeights;

  DnnLinear(LinearShape shape, DnnRuntime runtime, Workers workers) {
    super(shape, workers);
    runtime.enter();
    try (DnnDescriptors made = new DnnDescriptors(runtime.dnn())) {
      MemorySegment x = made.memory(Dnn.TAG_AB, shape.batch(), shape.inputs());
      MemorySegment y = made.memory(Dnn.TAG_AB, shape.batch(), shape.outputs());
      MemorySegment w = made.memory(Dnn.TAG_AB, shape.outputs(), shape.inputs());
      MemorySegment anyWeights = made.memory(Dnn.TAG_ANY, shape.outputs(), shape.inputs());
      MemorySegment b = made.memory(Dnn.TAG_A, shape.outputs());
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
              List.of(
                  new OperandSpec(Dnn.ARG_SRC, 0, x, false),
                  new OperandSpec(Dnn.ARG_DIFF_DST, 0, y, false),
                  new OperandSpec(Dnn.ARG_DIFF_WEIGHTS, Dnn.QUERY_DIFF_WEIGHTS_MD, w, true),
                  new OperandSpec(Dnn.ARG_DIFF_BIAS, 0, b, true)));
      forward =
          new DnnPrimitive(
              runtime,
              forwardDesc,
              List.of(
                  new OperandSpec(Dnn.ARG_SRC, 0, x, false),
                  new OperandSpec(Dnn.ARG_WEIGHTS, Dnn.QUERY_WEIGHTS_MD, w, false),
                  new OperandSpec(Dnn.ARG_BIAS, 0, b, false),
                  new OperandSpec(Dnn.ARG_DST, 0, y, true)));
    }
  }

  @Override
  protected void doForward(Buffer x, Buffer w, Buffer b, Buffer y) {
    forward.execute(
        CpuBuffer.segment(x), CpuBuffer.segment(w), CpuBuffer.segment(b), CpuBuffer.segment(y));
  }

  @Override
  protected void doBackwardData(Buffer dy, Buffer w, Buffer dx) {
    backwardData.execute(CpuBuffer.segment(dy), CpuBuffer.segment(w), CpuBuffer.segment(dx));
  }

  @Override
  protected void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    backwardWeights.execute(
        CpuBuffer.segment(x), CpuBuffer.segment(dy), CpuBuffer.segment(dw), CpuBuffer.segment(db));
  }

  @Override
  public String toString() {
    return "linear forward "
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
