package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import java.lang.foreign.MemorySegment;
import java.util.function.Function;

/** A fully connected layer on {@link Gemm}. */
class JavaLinear extends Linear {
  private final Workers workers;

  JavaLinear(LinearShape shape, Workers workers) {
    super(shape, DType.FLOAT32);
    this.workers = workers;
  }

  @Override
  protected void doForward(Buffer x, Buffer w, Buffer b, Buffer y) {
    Gemm.timesTransposed(
        workers,
        rows(CpuBuffer.segment(x)),
        shape().batch(),
        shape().inputs(),
        shape().outputs(),
        CpuBuffer.segment(w),
        CpuBuffer.segment(b),
        CpuBuffer.segment(y));
  }

  @Override
  protected void doBackwardData(Buffer dy, Buffer w, Buffer dx) {
    MemorySegment target = CpuBuffer.segment(dx);
    int inputs = shape().inputs();
    Gemm.Sink sink =
        new Gemm.Sink() {
          @Override
          public void accept(int row, float[] values, int at) {
            MemorySegment.copy(values, at, target, JAVA_FLOAT, 4L * row * inputs, inputs);
          }

          @Override
          public void finish() {
            // Every row is already where it belongs.
          }
        };
    Gemm.times(
        workers,
        CpuBuffer.segment(dy),
        shape().batch(),
        1,
        shape().outputs(),
        inputs,
        CpuBuffer.segment(w),
        scratch -> sink);
  }

  @Override
  protected void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    Gemm.transposedTimes(
        workers,
        CpuBuffer.segment(dy),
        rows(CpuBuffer.segment(x)),
        shape().batch(),
        shape().outputs(),
        shape().inputs(),
        CpuBuffer.segment(dw),
        CpuBuffer.segment(db));
  }

  private Function<Scratch, Gemm.Source> rows(MemorySegment x) {
    long stride = 4L * shape().inputs();
    return scratch ->
        (row, from, to, target, at) ->
            MemorySegment.copy(x, JAVA_FLOAT, row * stride + 4L * from, target, at, to - from);
  }

  @Override
  protected final void doAddExampleSquaredNorms(Buffer x, Buffer dy, Buffer squaredNorms) {
    MemorySegment inputs = CpuBuffer.segment(x);
    MemorySegment gradients = CpuBuffer.segment(dy);
    MemorySegment out = CpuBuffer.segment(squaredNorms);
    int columns = shape().inputs();
    int rows = shape().outputs();
    workers.run(
        shape().batch(),
        8,
        (from, to) -> {
          for (int j = from; j < to; j++) {
            double h = JavaBackend.squaredNorm(inputs, (long) j * columns, columns);
            double delta = JavaBackend.squaredNorm(gradients, (long) j * rows, rows);
            float sum = out.getAtIndex(JAVA_FLOAT, j) + (float) (delta * (h + 1));
            out.setAtIndex(JAVA_FLOAT, j, sum);
          }
        });
  }

  @Override
  public void close() {
    // Nothing native is held.
  }
}
