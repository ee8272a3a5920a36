package dev.rais.backend.cuda;

import static dev.rais.backend.cuda.CudaBuffer.at;
import static dev.rais.backend.cuda.CudaBuffer.pointer;

import dev.rais.backend.Buffer;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import java.lang.foreign.MemorySegment;

/**
 * A fully connected layer by cuBLAS. cuBLAS stores matrices column by column, so that our [rows,
 * columns] is its [columns, rows]: products are computed transposed, with operands exchanged.
 */
final class CudaLinear extends Linear {
  private final Device device;
  private final LayerKernels layers;
  private final int batch;
  private final int inputs;
  private final int outputs;

  CudaLinear(Device device, LinearShape shape) {
    super(shape, device.activations());
    this.device = device;
    layers = device.kernels.layers();
    batch = shape.batch();
    inputs = shape.inputs();
    outputs = shape.outputs();
  }

  /** yᵀ = w xᵀ, then the bias. */
  @Override
  protected void doForward(Buffer x, Buffer w, Buffer b, Buffer y) {
    device.gemm(
        device.product(),
        true,
        false,
        outputs,
        batch,
        inputs,
        pointer(w),
        inputs,
        pointer(x),
        inputs,
        pointer(y),
        outputs);
    layers.biasRelu(
        device.stream(), batch, outputs, device.activationsCode(), at(y), at(b), 0, at(y));
  }

  /** dxᵀ = wᵀ dyᵀ. */
  @Override
  protected void doBackwardData(Buffer dy, Buffer w, Buffer dx) {
    device.gemm(
        device.product(),
        false,
        false,
        inputs,
        batch,
        outputs,
        pointer(w),
        inputs,
        pointer(dy),
        outputs,
        pointer(dx),
        inputs);
  }

  /** dwᵀ = xᵀ dy. */
  @Override
  protected void doBackwardWeights(Buffer x, Buffer dy, Buffer dw, Buffer db) {
    device.gemm(
        device.productToFloats(),
        false,
        true,
        inputs,
        outputs,
        batch,
        pointer(x),
        inputs,
        pointer(dy),
        outputs,
        pointer(dw),
        inputs);
    columnSums(device, batch, outputs, dy, db);
  }

  /** The gradient of a bias: sums over rows. */
  static void columnSums(Device device, int rows, int channels, Buffer dy, Buffer db) {
    LayerKernels layers = device.kernels.layers();
    long workspace =
        device.scratch(layers.biasReluWorkspaceBytes(rows, channels, device.activationsCode()));
    layers.biasReluBackward(
        device.stream(),
        rows,
        channels,
        device.activationsCode(),
        MemorySegment.NULL,
        at(dy),
        MemorySegment.NULL,
        at(db),
        MemorySegment.ofAddress(workspace));
  }

  @Override
  protected void doAddExampleSquaredNorms(Buffer x, Buffer dy, Buffer squaredNorms) {
    device
        .kernels
        .training()
        .linearGradientNorms(
            device.stream(),
            batch,
            inputs,
            outputs,
            1,
            device.activationsCode(),
            at(x),
            at(dy),
            at(squaredNorms));
  }

  /** Nothing is held. */
  @Override
  public void close() {}
}
