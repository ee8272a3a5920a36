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
    Dnn dnn = runtime.dnn();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment strides = Dnn.dims(arena, shape.stride(), shape.stride());
      MemorySegment dilates = Dnn.dims(arena, 0, 0);
      MemorySegment padding = Dnn.dims(arena, shape.padding(), shape.padding());
      MemorySegment x = input(dnn);
      MemorySegment y = output(dnn);
      MemorySegment anyWeights = weights(dnn, Dnn.TAG_ANY);
      MemorySegment b = shape.bias() ? bias(dnn) : MemorySegment.NULL;
      MemorySegment forwardDesc =
          dnn.create(
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
          dnn.create(
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
          dnn.create(
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
                  new OperandSpec(Dnn.ARG_DIFF_DST, 0, output(dnn), false),
                  new OperandSpec(
                      Dnn.ARG_WEIGHTS, Dnn.QUERY_WEIGHTS_MD, weights(dnn, Dnn.TAG_ACDB), false),
                  new OperandSpec(Dnn.ARG_DIFF_SRC, 0, input(dnn), true)));
      backwardWeights =
          new DnnPrimitive(
              runtime,
              weightsDesc,
              withBias(
                  dnn,
                  Dnn.ARG_DIFF_BIAS,
                  new OperandSpec(Dnn.ARG_SRC, 0, input(dnn), false),
                  new OperandSpec(Dnn.ARG_DIFF_DST, 0, output(dnn), false),
                  new OperandSpec(
                      Dnn.ARG_DIFF_WEIGHTS,
                      Dnn.QUERY_DIFF_WEIGHTS_MD,
                      weights(dnn, Dnn.TAG_ACDB),
                      true)));
      forward =
          new DnnPrimitive(
              runtime,
              forwardDesc,
              withBias(
                  dnn,
                  Dnn.ARG_BIAS,
                  new OperandSpec(Dnn.ARG_SRC, 0, input(dnn), false),
                  new OperandSpec(
                      Dnn.ARG_WEIGHTS, Dnn.QUERY_WEIGHTS_MD, weights(dnn, Dnn.TAG_ACDB), false),
                  new OperandSpec(Dnn.ARG_DST, 0, output(dnn), true)));
      for (MemorySegment md : List.of(x, y, anyWeights, b)) {
        if (!md.equals(MemorySegment.NULL)) {
          dnn.call("dnnl_memory_desc_destroy", md);
        }
      }
    }
  }

  /** The operands and, where there is one, the bias or its gradient behind them. */
  private List<OperandSpec> withBias(Dnn dnn, int argument, OperandSpec... operands) {
    List<OperandSpec> all = new ArrayList<>(List.of(operands));
    if (shape().bias()) {
      all.add(new OperandSpec(argument, 0, bias(dnn), argument == Dnn.ARG_DIFF_BIAS));
    }
    return all;
  }

  private MemorySegment input(Dnn dnn) {
    ConvolutionShape s = shape();
    return dnn.memoryDesc(Dnn.TAG_ACDB, s.batch(), s.inputChannels(), s.height(), s.width());
  }

  private MemorySegment output(Dnn dnn) {
    ConvolutionShape s = shape();
    return dnn.memoryDesc(
        Dnn.TAG_ACDB, s.batch(), s.outputChannels(), s.outputHeight(), s.outputWidth());
  }

  private MemorySegment weights(Dnn dnn, int tag) {
    ConvolutionShape s = shape();
    return dnn.memoryDesc(tag, s.outputChannels(), s.inputChannels(), s.kernel(), s.kernel());
  }

  private MemorySegment bias(Dnn dnn) {
    return dnn.memoryDesc(Dnn.TAG_A, shape().outputChannels());
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
