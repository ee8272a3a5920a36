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
    Dnn dnn = runtime.dnn();
    MemorySegment x = matrix(dnn, shape.batch(), shape.inputs());
    MemorySegment y = matrix(dnn, shape.batch(), shape.outputs());
    MemorySegment anyWeights = dnn.memoryDesc(Dnn.TAG_ANY, shape.outputs(), shape.inputs());
    MemorySegment b = dnn.memoryDesc(Dnn.TAG_A, shape.outputs());
    MemorySegment forwardDesc =
        dnn.create(
            "dnnl_inner_product_forward_primitive_desc_create",
            runtime.engine(),
            Dnn.FORWARD_TRAINING,
            x,
            anyWeights,
            b,
            y,
            runtime.attributes());
    MemorySegment dataDesc =
        dnn.create(
            "dnnl_inner_product_backward_data_primitive_desc_create",
            runtime.engine(),
            x,
            anyWeights,
            y,
            forwardDesc,
            runtime.attributes());
    MemorySegment weightsDesc =
        dnn.create(
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
                new OperandSpec(
                    Dnn.ARG_DIFF_DST, 0, matrix(dnn, shape.batch(), shape.outputs()), false),
                new OperandSpec(Dnn.ARG_WEIGHTS, Dnn.QUERY_WEIGHTS_MD, weights(dnn), false),
                new OperandSpec(
                    Dnn.ARG_DIFF_SRC, 0, matrix(dnn, shape.batch(), shape.inputs()), true)));
    backwardWeights =
        new DnnPrimitive(
            runtime,
            weightsDesc,
            List.of(
                new OperandSpec(Dnn.ARG_SRC, 0, matrix(dnn, shape.batch(), shape.inputs()), false),
                new OperandSpec(
                    Dnn.ARG_DIFF_DST, 0, matrix(dnn, shape.batch(), shape.outputs()), false),
                new OperandSpec(
                    Dnn.ARG_DIFF_WEIGHTS, Dnn.QUERY_DIFF_WEIGHTS_MD, weights(dnn), true),
                new OperandSpec(
                    Dnn.ARG_DIFF_BIAS, 0, dnn.memoryDesc(Dnn.TAG_A, shape.outputs()), true)));
    forward =
        new DnnPrimitive(
            runtime,
            forwardDesc,
            List.of(
                new OperandSpec(Dnn.ARG_SRC, 0, matrix(dnn, shape.batch(), shape.inputs()), false),
                new OperandSpec(Dnn.ARG_WEIGHTS, Dnn.QUERY_WEIGHTS_MD, weights(dnn), false),
                new OperandSpec(Dnn.ARG_BIAS, 0, dnn.memoryDesc(Dnn.TAG_A, shape.outputs()), false),
                new OperandSpec(
                    Dnn.ARG_DST, 0, matrix(dnn, shape.batch(), shape.outputs()), true)));
    for (MemorySegment md : List.of(x, y, anyWeights, b)) {
      dnn.call("dnnl_memory_desc_destroy", md);
    }
  }

  private static MemorySegment matrix(Dnn dnn, int rows, int columns) {
    return dnn.memoryDesc(Dnn.TAG_AB, rows, columns);
  }

  private MemorySegment weights(Dnn dnn) {
    return matrix(dnn, shape().outputs(), shape().inputs());
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
