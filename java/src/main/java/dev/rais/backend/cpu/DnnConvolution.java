package dev.rais.backend.cpu;

import dev.rais.backend.Buffer;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.cpu.DnnPrimitive.OperandSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** A convolution on oneDNN; the exact per-example norms are inherited from the Java loops. */
final class DnnConvolution extends JavaConvolution {
  private final DnnPrimitive forward;
  private final DnnPrimitive backwardData;
  private final DnnPrimitive backwardWeights;

  DnnConvolution(ConvolutionShape shape, DnnRuntime runtime, Workers workers) {
    super(shape, workers);
    runtime.enter();
    try (Arena arena = Arena.ofConfined();
        DnnDescriptors made = new DnnDescriptors(runtime.dnn())) {
      MemorySegment strides = Dnn.dims(arena, shape.stride(), shape.stride());
      MemorySegment dilates = Dnn.dims(arena, 0, 0);
      MemorySegment padding = Dnn.dims(arena, shape.padding(), shape.padding());
      MemorySegment x =
          made.memory(
              Dnn.TAG_ACDB, shape.batch(), shape.inputChannels(), shape.height(), shape.width());
      MemorySegment y =
          made.memory(
              Dnn.TAG_ACDB,
              shape.batch(),
              shape.outputChannels(),
              shape.outputHeight(),
              shape.outputWidth());
      MemorySegment w = weights(made, Dnn.TAG_ACDB);
      MemorySegment anyWeights = weights(made, Dnn.TAG_ANY);
      MemorySegment b =
          shape.bias() ? made.memory(Dnn.TAG_A, shape.outputChannels()) : MemorySegment.NULL;
      MemorySegment forwardDesc =
          made.primitive(
              "dnnl_convolution_forward_primitive_desc_create",
              runtime.engine(),
              Dnn.FORWARD_TRAINING,
              Dnn.CONVOLUTION_DIRECT,
              x,
              anyWeights,
              b,
              y,
              strides,
              dilates,
              padding,
              padding,
              runtime.attributes());
      MemorySegment dataDesc =
          made.primitive(
              "dnnl_convolution_backward_data_primitive_desc_create",
              runtime.engine(),
              Dnn.CONVOLUTION_DIRECT,
              x,
              anyWeights,
              y,
              strides,
              dilates,
              padding,
              padding,
              forwardDesc,
              runtime.attributes());
      MemorySegment weightsDesc =
          made.primitive(
              "dnnl_convolution_backward_weights_primitive_desc_create",
              runtime.engine(),
              Dnn.CONVOLUTION_DIRECT,
              x,
              anyWeights,
              b,
              y,
              strides,
              dilates,
              padding,
              padding,
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
              withBias(
                  Dnn.ARG_DIFF_BIAS,
                  b,
                  new OperandSpec(Dnn.ARG_SRC, 0, x, false),
                  new OperandSpec(Dnn.ARG_DIFF_DST, 0, y, false),
                  new OperandSpec(Dnn.ARG_DIFF_WEIGHTS, Dnn.QUERY_DIFF_WEIGHTS_MD, w, true)));
      forward =
          new DnnPrimitive(
              runtime,
              forwardDesc,
              withBias(
                  Dnn.ARG_BIAS,
                  b,
                  new OperandSpec(Dnn.ARG_SRC, 0, x, false),
                  new OperandSpec(Dnn.ARG_WEIGHTS, Dnn.QUERY_WEIGHTS_MD, w, false),
                  new OperandSpec(Dnn.ARG_DST, 0, y, true)));
    }
  }

  /** The operands and, where there is one, the bias or its gradient behind them. */
  private List<OperandSpec> withBias(int argument, MemorySegment bias, OperandSpec... operands) {
    List<OperandSpec> all = new ArrayList<>(List.of(operands));
    if (shape().bias()) {
      all.add(new OperandSpec(argument, 0, bias, argument == Dnn.ARG_DIFF_BIAS));
    }
    return all;
  }

  private MemorySegment weights(DnnDescriptors made, int tag) {
    ConvolutionShape s = shape();
    return made.memory(tag, s.outputChannels(), s.inputChannels(), s.kernel(), s.kernel());
  }

  @Override
  protected void doForward(Buffer x, Buffer w, Buffer b, Buffer y) {
    execute(forward, x, w, y, b);
  }

  @Override
  protected void doBackwardData(Buffer dy, Buffer w, Buffer dx) {
    backwardData.execute(CpuBuffer.segment(dy), CpuBuffer.segment(w), CpuBuffer.segment(dx));
  }

  @Override
  protected void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    execute(backwardWeights, x, dy, dw, db);
  }

  /** Runs on three operands and, unless that is null, a fourth. */
  private static void execute(DnnPrimitive primitive, Buffer a, Buffer b, Buffer c, Buffer bias) {
    if (bias == null) {
      primitive.execute(CpuBuffer.segment(a), CpuBuffer.segment(b), CpuBuffer.segment(c));
    } else {
      primitive.execute(
          CpuBuffer.segment(a),
          CpuBuffer.segment(b),
          CpuBuffer.segment(c),
          CpuBuffer.segment(bias));
    }
  }

  @Override
  public String toString() {
    return "convolution forward "
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
