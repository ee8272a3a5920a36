package dev.rais.backend.cpu;

import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;

/** A convolution by im2col on {@link Gemm}. */
class JavaConvolution extends Convolution {
  private final Workers workers;

  JavaConvolution(ConvolutionShape shape, Workers workers) {
    super(shape);
    this.workers = workers;
  }

  final Workers workers() {
    return workers;
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
    throw new AssertionError();
  }

  @Override
  public void close() {
    // Nothing native is held.
  }
}
