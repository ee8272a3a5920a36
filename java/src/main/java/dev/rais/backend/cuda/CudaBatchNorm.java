package dev.rais.backend.cuda;

import static dev.rais.backend.cuda.CudaBuffer.at;
import static dev.rais.backend.cuda.CudaBuffer.orNull;

import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.Buffer;
import java.lang.foreign.MemorySegment;

/** Batch norm by our kernels. */
final class CudaBatchNorm extends BatchNorm {
  private final Device device;
  private final LayerKernels layers;
  private final int fusion;
  private final long workspaceBytes;

  CudaBatchNorm(Device device, BatchNormShape shape) {
    super(shape, device.activations());
    this.device = device;
    layers = device.kernels.layers();
    fusion =
        switch (shape.fusion()) {
          case NONE -> Kernels.FUSION_NONE;
          case RELU -> Kernels.FUSION_RELU;
          case ADD_RELU -> Kernels.FUSION_ADD_RELU;
        };
    workspaceBytes =
        layers.batchNormWorkspaceBytes(
            shape.batch(), shape.positions(), shape.channels(), device.activationsCode());
    if (workspaceBytes == 0) {
      throw new IllegalArgumentException("batch norm on CUDA: " + shape + " is too large");
    }
  }

  private MemorySegment workspace() {
    return MemorySegment.ofAddress(device.scratch(workspaceBytes));
  }

  @Override
  protected void doForward(
      Buffer x,
      Buffer exampleWeights,
      Buffer gamma,
      Buffer beta,
      Buffer residual,
      Buffer y,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer runningMean,
      Buffer runningVariance,
      float momentum) {
    BatchNormShape s = shape();
    layers.batchNormForward(
        device.stream(),
        s.batch(),
        s.positions(),
        s.channels(),
        device.activationsCode(),
        fusion,
        s.epsilon(),
        at(x),
        orNull(exampleWeights),
        at(gamma),
        at(beta),
        orNull(residual),
        at(y),
        at(mean),
        at(inverseDeviation),
        at(runningMean),
        at(runningVariance),
        momentum,
        workspace());
  }

  @Override
  protected void doForwardRunning(
      Buffer x,
      Buffer gamma,
      Buffer beta,
      Buffer runningMean,
      Buffer runningVariance,
      Buffer residual,
      Buffer y) {
    BatchNormShape s = shape();
    layers.batchNormForwardRunning(
        device.stream(),
        s.batch(),
        s.positions(),
        s.channels(),
        device.activationsCode(),
        fusion,
        s.epsilon(),
        at(x),
        at(gamma),
        at(beta),
        at(runningMean),
        at(runningVariance),
        orNull(residual),
        at(y));
  }

  @Override
  protected void doBackward(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer exampleWeights,
      Buffer gamma,
      Buffer beta,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer dx,
      Buffer dgamma,
      Buffer dbeta,
      Buffer dresidual) {
    BatchNormShape s = shape();
    layers.batchNormBackward(
        device.stream(),
        s.batch(),
        s.positions(),
        s.channels(),
        device.activationsCode(),
        fusion,
        at(x),
        orNull(y),
        at(dy),
        orNull(exampleWeights),
        at(gamma),
        at(beta),
        at(mean),
        at(inverseDeviation),
        orNull(dx),
        at(dgamma),
        at(dbeta),
        orNull(dresidual),
        workspace());
  }

  @Override
  protected void doBackwardRunning(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer gamma,
      Buffer beta,
      Buffer runningMean,
      Buffer runningVariance,
      Buffer dx,
      Buffer dresidual,
      Buffer squaredNorms) {
    BatchNormShape s = shape();
    layers.batchNormBackwardRunning(
        device.stream(),
        s.batch(),
        s.positions(),
        s.channels(),
        device.activationsCode(),
        fusion,
        s.epsilon(),
        at(x),
        orNull(y),
        at(dy),
        at(gamma),
        at(beta),
        at(runningMean),
        at(runningVariance),
        orNull(dx),
        orNull(dresidual),
        at(squaredNorms));
  }

  /** Nothing is held. */
  @Override
  public void close() {}
}
