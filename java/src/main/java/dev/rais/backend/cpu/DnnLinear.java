package dev.rais.backend.cpu;

import static dev.rais.backend.cpu.CpuBuffer.segment;

import dev.rais.backend.Buffer;
import dev.rais.backend.LinearShape;

/** A fully connected layer on oneDNN; the exact per-example norms are inherited. */
final class DnnLinear extends JavaLinear {
  private final DnnInnerProduct product;

  DnnLinear(LinearShape shape, DnnRuntime runtime, Workers workers) {
    super(shape, workers);
    product = new DnnInnerProduct(shape, true, runtime);
  }

  @Override
  protected void doForward(Buffer x, Buffer w, Buffer b, Buffer y) {
    product.forward(segment(x), segment(w), segment(y), segment(b));
  }

  @Override
  protected void doBackwardData(Buffer dy, Buffer w, Buffer dx) {
    product.backwardData(segment(dy), segment(w), segment(dx));
  }

  @Override
  protected void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    product.backwardWeights(segment(x), segment(dy), segment(dw), segment(db));
  }

  @Override
  public String toString() {
    return "linear " + product;
  }

  @Override
  public void close() {
    product.close();
  }
}
