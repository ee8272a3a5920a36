package dev.rais.backend.cpu;

import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.MaxPool;
import dev.rais.backend.PoolShape;
import dev.rais.backend.cpu.DnnPrimitive.OperandSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.LongFunction;

/** Max pooling on oneDNN; the workspace holds the winners between forward and backward. */
final class DnnMaxPool extends MaxPool {
  private final Buffer workspace;
  private final DnnPrimitive forward;
  private final DnnPrimitive backward;

  DnnMaxPool(PoolShape shape, DnnRuntime runtime, LongFunction<Buffer> allocate) {
    super(shape, DType.FLOAT32);
    runtime.enter();
    Dnn dnn = runtime.dnn();
    try (Arena scratch = Arena.ofConfined();
        DnnDescriptors made = new DnnDescriptors(dnn)) {
      MemorySegment strides = Dnn.dims(scratch, shape.stride(), shape.stride());
      MemorySegment kernel = Dnn.dims(scratch, shape.kernel(), shape.kernel());
      MemorySegment zero = Dnn.dims(scratch, 0, 0);
      MemorySegment x =
          made.memory(Dnn.TAG_ACDB, shape.batch(), shape.channels(), shape.height(), shape.width());
      MemorySegment y =
          made.memory(
              Dnn.TAG_ACDB,
              shape.batch(),
              shape.channels(),
              shape.outputHeight(),
              shape.outputWidth());
      MemorySegment forwardDesc =
          made.primitive(
              "dnnl_pooling_forward_primitive_desc_create",
              runtime.engine(),
              Dnn.FORWARD_TRAINING,
              Dnn.POOLING_MAX,
              x,
              y,
              strides,
              kernel,
              zero,
              zero,
              zero,
              runtime.attributes());
      MemorySegment backwardDesc =
          made.primitive(
              "dnnl_pooling_backward_primitive_desc_create",
              runtime.engine(),
              Dnn.POOLING_MAX,
              x,
              y,
              strides,
              kernel,
              zero,
              zero,
              zero,
              forwardDesc,
              runtime.attributes());
      // Belongs to its primitive's descriptor.
      MemorySegment winners = dnn.queryMd(forwardDesc, Dnn.QUERY_WORKSPACE_MD);
      workspace = allocate.apply(dnn.size(winners));
      backward =
          new DnnPrimitive(
              runtime,
              backwardDesc,
              List.of(
                  new OperandSpec(Dnn.ARG_DIFF_DST, 0, y, false),
                  new OperandSpec(Dnn.ARG_DIFF_SRC, 0, x, true),
                  new OperandSpec(Dnn.ARG_WORKSPACE, 0, winners, false)));
      forward =
          new DnnPrimitive(
              runtime,
              forwardDesc,
              List.of(
                  new OperandSpec(Dnn.ARG_SRC, 0, x, false),
                  new OperandSpec(Dnn.ARG_DST, 0, y, true),
                  new OperandSpec(Dnn.ARG_WORKSPACE, 0, winners, true)));
    }
  }

  @Override
  protected void doForward(Buffer x, Buffer y) {
    forward.execute(CpuBuffer.segment(x), CpuBuffer.segment(y), CpuBuffer.segment(workspace));
  }

  @Override
  protected void doBackward(Buffer dy, Buffer dx) {
    backward.execute(CpuBuffer.segment(dy), CpuBuffer.segment(dx), CpuBuffer.segment(workspace));
  }

  @Override
  public String toString() {
    return "max-pool forward " + forward.implementation() + ", " + backward.implementation();
  }

  @Override
  public void close() {
    forward.close();
    backward.close();
    workspace.close();
  }
}
