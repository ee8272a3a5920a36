package dev.rais.backend.cpu;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.backend.Buffer;
import dev.rais.backend.cpu.DnnPrimitive.OperandSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * oneDNN's own batch norm, which knows no weights: what ours is measured against. It lies in this
 * package for the sake of the bindings, which are nobody else's business.
 */
public final class OneDnnBatchNorm implements AutoCloseable {
  private final DnnRuntime runtime;
  private final boolean rectified;
  private final DnnPrimitive forward;
  private final DnnPrimitive backward;

  /** oneDNN's bits for the winners of the rectifier; null without one. */
  private final Arena memory = Arena.ofShared();

  private final MemorySegment workspace;
  private final MemorySegment variance;

  /**
   * Prepares both passes.
   *
   * @param shape its fusion is NONE or RELU
   */
  public OneDnnBatchNorm(BatchNormShape shape, int threads) {
    if (shape.fusion() == Fusion.ADD_RELU) {
      throw new IllegalArgumentException("oneDNN's batch norm adds nothing on a CPU");
    }
    rectified = shape.fusion() == Fusion.RELU;
    runtime = new DnnRuntime(new Dnn(), threads);
    runtime.enter();
    Dnn dnn = runtime.dnn();
    try (DnnDescriptors made = new DnnDescriptors(dnn)) {
      int flags = Dnn.USE_SCALE | Dnn.USE_SHIFT | (rectified ? Dnn.FUSE_NORM_RELU : 0);
      MemorySegment x = image(made, shape);
      MemorySegment forwardDesc =
          made.primitive(
              "dnnl_batch_normalization_forward_primitive_desc_create",
              runtime.engine(),
              Dnn.FORWARD_TRAINING,
              x,
              x,
              shape.epsilon(),
              flags,
              runtime.attributes());
      MemorySegment backwardDesc =
          made.primitive(
              "dnnl_batch_normalization_backward_primitive_desc_create",
              runtime.engine(),
              Dnn.BACKWARD,
              x,
              x,
              x,
              shape.epsilon(),
              flags,
              forwardDesc,
              runtime.attributes());
      variance = memory.allocate((long) Float.BYTES * shape.channels(), 64);
      List<OperandSpec> forwards = new ArrayList<>();
      forwards.add(new OperandSpec(Dnn.ARG_SRC, 0, image(made, shape), false));
      forwards.add(new OperandSpec(Dnn.ARG_SCALE, 0, channels(made, shape), false));
      forwards.add(new OperandSpec(Dnn.ARG_SHIFT, 0, channels(made, shape), false));
      forwards.add(new OperandSpec(Dnn.ARG_DST, 0, image(made, shape), true));
      forwards.add(new OperandSpec(Dnn.ARG_MEAN, 0, channels(made, shape), true));
      forwards.add(new OperandSpec(Dnn.ARG_VARIANCE, 0, channels(made, shape), true));
      List<OperandSpec> backwards = new ArrayList<>();
      backwards.add(new OperandSpec(Dnn.ARG_SRC, 0, image(made, shape), false));
      backwards.add(new OperandSpec(Dnn.ARG_DIFF_DST, 0, image(made, shape), false));
      backwards.add(new OperandSpec(Dnn.ARG_SCALE, 0, channels(made, shape), false));
      backwards.add(new OperandSpec(Dnn.ARG_MEAN, 0, channels(made, shape), false));
      backwards.add(new OperandSpec(Dnn.ARG_VARIANCE, 0, channels(made, shape), false));
      backwards.add(new OperandSpec(Dnn.ARG_DIFF_SRC, 0, image(made, shape), true));
      backwards.add(new OperandSpec(Dnn.ARG_DIFF_SCALE, 0, channels(made, shape), true));
      backwards.add(new OperandSpec(Dnn.ARG_DIFF_SHIFT, 0, channels(made, shape), true));
      if (rectified) {
        MemorySegment layout = dnn.queryMd(forwardDesc, Dnn.QUERY_WORKSPACE_MD);
        workspace = memory.allocate(dnn.size(layout), 64);
        forwards.add(new OperandSpec(Dnn.ARG_WORKSPACE, 0, layout, true));
        backwards.add(new OperandSpec(Dnn.ARG_WORKSPACE, 0, layout, false));
      } else {
        workspace = null;
      }
      backward = new DnnPrimitive(runtime, backwardDesc, backwards);
      forward = new DnnPrimitive(runtime, forwardDesc, forwards);
    }
  }

  private static MemorySegment image(DnnDescriptors made, BatchNormShape shape) {
    return made.memory(Dnn.TAG_ACDB, shape.batch(), shape.channels(), shape.positions(), 1);
  }

  private static MemorySegment channels(DnnDescriptors made, BatchNormShape shape) {
    return made.memory(Dnn.TAG_A, shape.channels());
  }

  /** The implementations that oneDNN chose. */
  public String implementation() {
    return forward.implementation() + ", " + backward.implementation();
  }

  /** y and the mean from x; the variance stays here. */
  public void forward(Buffer x, Buffer gamma, Buffer beta, Buffer y, Buffer mean) {
    execute(
        forward,
        CpuBuffer.segment(x),
        CpuBuffer.segment(gamma),
        CpuBuffer.segment(beta),
        CpuBuffer.segment(y),
        CpuBuffer.segment(mean),
        variance);
  }

  /** dx, dγ and dβ from dy, after {@link #forward} of the same x. */
  public void backward(
      Buffer x, Buffer dy, Buffer gamma, Buffer mean, Buffer dx, Buffer dgamma, Buffer dbeta) {
    execute(
        backward,
        CpuBuffer.segment(x),
        CpuBuffer.segment(dy),
        CpuBuffer.segment(gamma),
        CpuBuffer.segment(mean),
        variance,
        CpuBuffer.segment(dx),
        CpuBuffer.segment(dgamma),
        CpuBuffer.segment(dbeta));
  }

  private void execute(DnnPrimitive primitive, MemorySegment... operands) {
    if (rectified) {
      MemorySegment[] all = java.util.Arrays.copyOf(operands, operands.length + 1);
      all[operands.length] = workspace;
      primitive.execute(all);
    } else {
      primitive.execute(operands);
    }
  }

  @Override
  public void close() {
    forward.close();
    backward.close();
    runtime.close();
    memory.close();
  }
}
