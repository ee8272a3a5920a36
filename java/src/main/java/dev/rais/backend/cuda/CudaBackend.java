package dev.rais.backend.cuda;

import static dev.rais.backend.cuda.CudaBuffer.at;
import static dev.rais.backend.cuda.CudaBuffer.orNull;

import dev.rais.backend.Augmentation;
import dev.rais.backend.Backend;
import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.ImageShape;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import dev.rais.backend.MaxPool;
import dev.rais.backend.Op;
import dev.rais.backend.Placement;
import dev.rais.backend.PoolShape;
import dev.rais.backend.Precision;
import dev.rais.backend.ResidentSampler;
import dev.rais.random.Streams;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Every operation on a CUDA device: convolutions by cuDNN, linear layers by cuBLAS, everything else
 * by our kernels. Operations are put on one stream and return; only what gives the host a number
 * waits: downloads and {@link #squaredNorm}.
 */
public final class CudaBackend extends Backend {
  /** No label: all are from 0 on, which is checked before. */
  private static final int IGNORED_LABEL = Integer.MIN_VALUE;

  /**
   * Left free where images are put on the device: libraries load code when it is first used, memory
   * is rounded up, and evaluation may need more of it than training does, by 64 MiB at most.
   */
  static final long MARGIN = 256L << 20;

  private final Device device;
  private final LayerKernels layers;
  private final TrainingKernels training;
  private final Gather gather;

  /** Opens a device; {@link CudaBackends} finds the libraries. */
  CudaBackend(Device.Libraries libraries, CudaOptions options, AlgorithmCache algorithms) {
    device = new Device(libraries, options, algorithms);
    layers = libraries.kernels().layers();
    training = libraries.kernels().training();
    gather = new Gather(device);
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public String description() {
    return device.description();
  }

  @Override
  public Precision precision() {
    return device.options.precision();
  }

  /** Rounding where something is rounded. */
  @Override
  public boolean supports(Op op) {
    return op != Op.ROUND || precision() == Precision.BF16;
  }

  /** What convolutions may come to use as workspace is not offered. */
  @Override
  public long availableMemory() {
    return Math.max(0, device.availableMemory() - device.scratchToCome());
  }

  @Override
  public Optional<ResidentSampler> residentSampler(ResidentSampler.Setting setting) {
    return Optional.of(new CudaSampler(device, setting));
  }

  @Override
  public long residentSamplerBytes(ResidentSampler.Setting setting) {
    return CudaSampler.numBytes(device.kernels, setting);
  }

  @Override
  public Placement placement(long numBytes, long beside) {
    return device
        .options
        .images()
        .orElseGet(
            () ->
                numBytes <= availableMemory() - MARGIN - beside
                    ? Placement.DEVICE
                    : Placement.HOST);
  }

  @Override
  public Buffer wrap(byte[] bytes, Placement placement) {
    return placement == Placement.HOST
        ? CudaBuffer.onHost(device, bytes)
        : super.wrap(bytes, placement);
  }

  @Override
  public Consumer<Throwable> savepoint() {
    return device.savepoint();
  }

  @Override
  protected Buffer doAllocate(DType type, long count) {
    return CudaBuffer.allocate(device, type, count);
  }

  /** {@link CudaBackends#wrap}. */
  Buffer wrap(long pointer, DType type, long count) {
    return CudaBuffer.wrap(device, pointer, type, count);
  }

  @Override
  public Convolution convolution(ConvolutionShape shape) {
    return new CudaConvolution(device, shape);
  }

  @Override
  public Linear linear(LinearShape shape) {
    return new CudaLinear(device, shape);
  }

  @Override
  public MaxPool maxPool(PoolShape shape) {
    return new CudaMaxPool(device, shape);
  }

  @Override
  public BatchNorm batchNorm(BatchNormShape shape) {
    return new CudaBatchNorm(device, shape);
  }

  @Override
  protected void doGlobalAveragePool(int batch, int positions, int channels, Buffer x, Buffer y) {
    layers.globalAveragePool(
        device.stream(), batch, positions, channels, device.activationsCode(), at(x), at(y));
  }

  @Override
  protected void doGlobalAveragePoolBackward(
      int batch, int positions, int channels, Buffer dy, Buffer dx) {
    layers.globalAveragePoolBackward(
        device.stream(), batch, positions, channels, device.activationsCode(), at(dy), at(dx));
  }

  @Override
  protected void doRelu(Buffer x, Buffer y) {
    layers.relu(device.stream(), x.count(), device.activationsCode(), at(x), at(y));
  }

  @Override
  protected void doReluBackward(Buffer y, Buffer dy, Buffer dx) {
    layers.reluBackward(
        device.stream(), y.count(), device.activationsCode(), at(y), at(dy), at(dx));
  }

  @Override
  protected void doAdd(Buffer a, Buffer b, Buffer y) {
    layers.add(device.stream(), a.count(), device.activationsCode(), at(a), at(b), at(y));
  }

  @Override
  protected void doDropout(Buffer x, float rate, long seed, int layer, long iteration, Buffer y) {
    layers.dropout(
        device.stream(),
        x.count(),
        device.activationsCode(),
        at(x),
        rate,
        seed,
        Streams.DROPOUT | layer << 8,
        device.iteration(iteration),
        at(y));
  }

  @Override
  protected void doLossLayer(
      int rows,
      int classes,
      Buffer logits,
      Buffer labels,
      Buffer weights,
      float scale,
      Buffer losses,
      Buffer norms,
      Buffer gradients,
      Buffer correctness) {
    int wrong = CudaBuffer.firstOutside(labels, classes);
    if (wrong >= 0) {
      throw new IndexOutOfBoundsException(
          "loss layer: label %d of row %d is not a class from 0 to %d"
              .formatted(CudaBuffer.integer(labels, wrong), wrong, classes - 1));
    }
    training.softmaxXent(
        device.stream(),
        rows,
        classes,
        device.activationsCode(),
        at(logits),
        at(labels),
        IGNORED_LABEL,
        orNull(weights),
        MemorySegment.NULL,
        scale,
        0,
        at(losses),
        at(norms),
        orNull(gradients),
        at(correctness));
  }

  @Override
  protected void doGather(
      Buffer images,
      ImageShape shape,
      Buffer indices,
      Buffer scale,
      Buffer shift,
      Augmentation augmentation,
      long seed,
      long iteration,
      Buffer batch) {
    long count = images.count() / shape.size();
    int wrong = CudaBuffer.firstOutside(indices, count);
    if (wrong >= 0) {
      throw new IndexOutOfBoundsException(
          "gather: index %d at slot %d of a data set of %d"
              .formatted(CudaBuffer.integer(indices, wrong), wrong, count));
    }
    gather.run(
        new Gather.Source(images, shape, MemorySegment.NULL),
        new Gather.Chosen(Math.toIntExact(indices.count()), at(indices)),
        new Gather.Recipe(
            scale,
            shift,
            augmentation,
            seed,
            Gather.Recipe.varies(augmentation) ? device.iteration(iteration) : MemorySegment.NULL),
        batch,
        MemorySegment.NULL);
  }

  @Override
  protected void doSgd(
      Buffer w,
      Buffer u,
      Buffer g,
      Buffer rounded,
      float learningRate,
      float momentum,
      float weightDecay) {
    training.sgd(
        device.stream(),
        w.count(),
        at(w),
        at(u),
        Kernels.FLOAT32,
        at(g),
        device.rate(learningRate),
        momentum,
        weightDecay,
        orNull(rounded),
        MemorySegment.NULL,
        MemorySegment.NULL,
        MemorySegment.NULL);
  }

  @Override
  protected void doRound(Buffer x, Buffer y) {
    layers.toBfloat16(device.stream(), x.count(), at(x), at(y));
  }

  @Override
  protected double doSquaredNorm(Buffer x) {
    training.squaredNorm(
        device.stream(), x.count(), at(x), device.resultPlace(), device.sumWorkspace());
    return device.result();
  }

  @Override
  protected void doRowSquaredNorms(Buffer x, Buffer squaredNorms) {
    long rows = squaredNorms.count();
    training.rowSquaredNorms(
        device.stream(),
        Math.toIntExact(rows),
        Math.toIntExact(x.count() / rows),
        device.activationsCode(),
        at(x),
        at(squaredNorms));
  }

  @Override
  public void close() {
    device.close();
  }
}
