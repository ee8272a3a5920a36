package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.Buffer;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import java.lang.foreign.MemorySegment;

/** A fully connected layer on {@link Gemm}. */
class JavaLinear extends Linear {
  private final Workers workers;

  JavaLinear(LinearShape shape, Workers workers) {
    super(shape);
    this.workers = workers;
  }

  @Override
  protected void doForward(Buffer x, Buffer w, Buffer b, Buffer y) {
    throw new AssertionError();
  }

  @Override
  protected void doBackwardData(Buffer dy, Buffer w, Buffer dx) {
    throw new AssertionError();
  }

  @Override
  protected void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    throw new AssertionError();
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
