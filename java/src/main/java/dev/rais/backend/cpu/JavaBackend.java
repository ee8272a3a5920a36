package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

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
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Every operation in plain Java: the fallback where oneDNN cannot be loaded, and the base of {@link
 * OneDnnBackend}, which replaces the heavy operations.
 */
public class JavaBackend extends Backend {
  /** Elements below which a second thread does not pay. */
  private static final int MINIMUM_ELEMENTS = 1 << 16;

  /** Elements of a chunk of an elementwise operation: three arrays of 8 KiB. */
  private static final int CHUNK = 2048;

  /** Elements summed in sequence; fixed, so that a sum does not depend on the thread count. */
  private static final int SUM_BLOCK = 4096;

  private final Workers workers;
  private final List<CpuBuffer> buffers = new ArrayList<>();

  private boolean closed;

  /**
   * Starts the worker threads.
   *
   * @param threads threads to compute with, at least 1
   */
  public JavaBackend(int threads) {
    this(new ForkJoinWorkers(threads));
  }

  /** Takes over the workers. */
  JavaBackend(Workers workers) {
    this.workers = workers;
  }

  @Override
  public long availableMemory() {
    return HostMemory.available();
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    return "pure Java, " + threads(workers.threads());
  }

  static String threads(int threads) {
    return threads + (threads == 1 ? " thread" : " threads");
  }

  final Workers workers() {
    return workers;
  }

  final boolean isOpen() {
    return !closed;
  }

  /** All but what bfloat16 needs. */
  @Override
  public boolean supports(Op op) {
    return op != Op.ROUND;
  }

  @Override
  protected final Buffer doAllocate(DType type, long count) {
    if (type == DType.BFLOAT16) {
      throw new IllegalArgumentException(
          "the CPU computes in float and keeps no bfloat16: use the precision fp32");
    }
    return register(() -> CpuBuffer.allocate(type, count));
  }

  @Override
  public final Placement placement(long numBytes, long beside) {
    return Placement.SHARED;
  }

  @Override
  public final Buffer wrap(byte[] bytes, Placement placement) {
    return register(() -> CpuBuffer.wrap(bytes));
  }

  @Override
  public Consumer<Throwable> savepoint() {
    Set<CpuBuffer> before = Set.copyOf(buffers);
    return failure ->
        List.copyOf(buffers).stream().filter(b -> !before.contains(b)).forEach(CpuBuffer::close);
  }

  private Buffer register(Supplier<CpuBuffer> maker) {
    if (closed) {
      throw new IllegalStateException("the backend is closed");
    }
    buffers.removeIf(b -> !b.isOpen());
    CpuBuffer buffer = maker.get();
    try {
      buffers.add(buffer);
    } catch (Throwable e) {
      buffer.close();
      throw e;
    }
    return buffer;
  }

  @Override
  public Convolution convolution(ConvolutionShape shape) {
    return new JavaConvolution(shape, workers);
  }

  @Override
  public Linear linear(LinearShape shape) {
    return new JavaLinear(shape, workers);
  }

  @Override
  public MaxPool maxPool(PoolShape shape) {
    return new JavaMaxPool(shape, workers);
  }

  @Override
  public BatchNorm batchNorm(BatchNormShape shape) {
    return new JavaBatchNorm(shape, workers);
  }

  @Override
  protected void doGlobalAveragePool(int batch, int positions, int channels, Buffer x, Buffer y) {
    MemorySegment in = CpuBuffer.segment(x);
    MemorySegment out = CpuBuffer.segment(y);
    var pool = new GlobalAveragePool(positions, channels);
    workers.run(batch, rowsPerThread(x, batch), (from, to) -> pool.forward(in, out, from, to));
  }

  @Override
  protected void doGlobalAveragePoolBackward(
      int batch, int positions, int channels, Buffer dy, Buffer dx) {
    MemorySegment in = CpuBuffer.segment(dy);
    MemorySegment out = CpuBuffer.segment(dx);
    var pool = new GlobalAveragePool(positions, channels);
    workers.run(batch, rowsPerThread(dx, batch), (from, to) -> pool.backward(in, out, from, to));
  }

  /** Rows of a buffer below which a second thread does not pay. */
  private static int rowsPerThread(Buffer buffer, int rows) {
    return (int) Math.max(1, MINIMUM_ELEMENTS * (long) rows / buffer.count());
  }

  @Override
  protected void doRelu(Buffer x, Buffer y) {
    MemorySegment from = CpuBuffer.segment(x);
    MemorySegment to = CpuBuffer.segment(y);
    chunks(
        x.count(),
        (at, count) -> {
          float[] values = load(Scratch.Use.X, from, at, count);
          for (int i = 0; i < count; i++) {
            values[i] = Math.max(0f, values[i]);
          }
          store(values, to, at, count);
        });
  }

  @Override
  protected void doReluBackward(Buffer y, Buffer dy, Buffer dx) {
    MemorySegment out = CpuBuffer.segment(y);
    MemorySegment from = CpuBuffer.segment(dy);
    MemorySegment to = CpuBuffer.segment(dx);
    chunks(
        y.count(),
        (at, count) -> {
          int[] values = workers.scratch().ints(Scratch.Use.X, CHUNK);
          int[] gradients = workers.scratch().ints(Scratch.Use.Y, CHUNK);
          MemorySegment.copy(out, JAVA_INT, at * Float.BYTES, values, 0, count);
          MemorySegment.copy(from, JAVA_INT, at * Float.BYTES, gradients, 0, count);
          for (int i = 0; i < count; i++) {
            // A float is positive exactly if its bits are, as an int; then this mask is all ones.
            // C2 does not vectorise the conditional expression.
            gradients[i] &= (~values[i] & -values[i]) >> 31;
          }
          MemorySegment.copy(gradients, 0, to, JAVA_INT, at * Float.BYTES, count);
        });
  }

  @Override
  protected void doAdd(Buffer a, Buffer b, Buffer y) {
    MemorySegment first = CpuBuffer.segment(a);
    MemorySegment second = CpuBuffer.segment(b);
    MemorySegment to = CpuBuffer.segment(y);
    chunks(
        a.count(),
        (at, count) -> {
          float[] values = load(Scratch.Use.X, first, at, count);
          float[] others = load(Scratch.Use.Y, second, at, count);
          for (int i = 0; i < count; i++) {
            values[i] += others[i];
          }
          store(values, to, at, count);
        });
  }

  @Override
  protected void doDropout(Buffer x, float rate, long seed, int layer, long iteration, Buffer y) {
    var dropout =
        new Dropout(
            CpuBuffer.segment(x), rate, seed, layer, iteration, CpuBuffer.segment(y), x.count());
    workers.run(
        Math.toIntExact((x.count() + Dropout.CHUNK - 1) / Dropout.CHUNK),
        MINIMUM_ELEMENTS / 8 / Dropout.CHUNK,
        dropout);
  }

  /** Work on the elements [at, at + count) of some buffers. */
  private interface Chunk {
    void run(long at, int count);
  }

  /**
   * Splits an elementwise operation over the threads, and each thread's part into chunks that stay
   * in the first-level cache. C2 vectorises a loop over arrays from index 0, but none over several
   * segments, so a chunk is copied into arrays and back: that takes a third of the time.
   */
  private void chunks(long elements, Chunk chunk) {
    int chunks = Math.toIntExact((elements + CHUNK - 1) / CHUNK);
    workers.run(
        chunks,
        MINIMUM_ELEMENTS / CHUNK,
        (begin, end) -> {
          for (int c = begin; c < end; c++) {
            long at = (long) c * CHUNK;
            chunk.run(at, (int) Math.min(CHUNK, elements - at));
          }
        });
  }

  private float[] load(Scratch.Use use, MemorySegment from, long at, int count) {
    float[] values = workers.scratch().array(use, CHUNK);
    MemorySegment.copy(from, JAVA_FLOAT, at * Float.BYTES, values, 0, count);
    return values;
  }

  private static void store(float[] values, MemorySegment to, long at, int count) {
    MemorySegment.copy(values, 0, to, JAVA_FLOAT, at * Float.BYTES, count);
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
    var layer =
        new LossLayer(
            workers,
            classes,
            CpuBuffer.segment(logits),
            CpuBuffer.segment(labels),
            CpuBuffer.segmentOrNull(weights),
            scale,
            CpuBuffer.segment(losses),
            CpuBuffer.segment(norms),
            CpuBuffer.segmentOrNull(gradients),
            CpuBuffer.segment(correctness));
    workers.run(rows, Math.max(1, MINIMUM_ELEMENTS / 4 / classes), layer);
  }

  @Override
  public boolean supportsConcurrentGather() {
    return true;
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
    var gather =
        new Gather(
            CpuBuffer.segment(images),
            images.count() / shape.size(),
            shape,
            CpuBuffer.segment(indices),
            scale.toFloats(),
            shift.toFloats(),
            augmentation,
            seed,
            iteration,
            CpuBuffer.segment(batch));
    workers.run(
        Math.toIntExact(indices.count()), Math.max(1, MINIMUM_ELEMENTS / shape.size()), gather);
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
    MemorySegment weights = CpuBuffer.segment(w);
    MemorySegment velocities = CpuBuffer.segment(u);
    MemorySegment gradients = CpuBuffer.segment(g);
    chunks(
        w.count(),
        (at, count) -> {
          float[] weight = load(Scratch.Use.X, weights, at, count);
          float[] velocity = load(Scratch.Use.Y, velocities, at, count);
          float[] gradient = load(Scratch.Use.Z, gradients, at, count);
          for (int i = 0; i < count; i++) {
            float total = gradient[i] + weightDecay * weight[i];
            velocity[i] = momentum * velocity[i] - learningRate * total;
          }
          for (int i = 0; i < count; i++) {
            weight[i] += velocity[i];
          }
          store(velocity, velocities, at, count);
          store(weight, weights, at, count);
        });
  }

  @Override
  protected void doRound(Buffer x, Buffer y) {
    throw new UnsupportedOperationException(description() + " has no " + Op.ROUND);
  }

  @Override
  protected double doSquaredNorm(Buffer x) {
    MemorySegment values = CpuBuffer.segment(x);
    double total = 0;
    for (long from = 0; from < x.count(); from += SUM_BLOCK) {
      total += squaredNorm(values, from, (int) Math.min(SUM_BLOCK, x.count() - from));
    }
    return total;
  }

  @Override
  protected void doRowSquaredNorms(Buffer x, Buffer squaredNorms) {
    MemorySegment values = CpuBuffer.segment(x);
    MemorySegment out = CpuBuffer.segment(squaredNorms);
    int columns = Math.toIntExact(x.count() / squaredNorms.count());
    workers.run(
        Math.toIntExact(squaredNorms.count()),
        Math.max(1, MINIMUM_ELEMENTS / columns),
        (begin, end) -> {
          for (int j = begin; j < end; j++) {
            double sum = squaredNorm(values, (long) j * columns, columns);
            out.setAtIndex(JAVA_FLOAT, j, (float) sum);
          }
        });
  }

  /** Sum of squares with four accumulators, so that additions do not wait for one another. */
  static double squaredNorm(MemorySegment values, long from, int count) {
    double a = 0;
    double b = 0;
    double c = 0;
    double d = 0;
    int i = 0;
    for (; i + 3 < count; i += 4) {
      double x0 = values.getAtIndex(JAVA_FLOAT, from + i);
      double x1 = values.getAtIndex(JAVA_FLOAT, from + i + 1);
      double x2 = values.getAtIndex(JAVA_FLOAT, from + i + 2);
      double x3 = values.getAtIndex(JAVA_FLOAT, from + i + 3);
      a += x0 * x0;
      b += x1 * x1;
      c += x2 * x2;
      d += x3 * x3;
    }
    for (; i < count; i++) {
      double x = values.getAtIndex(JAVA_FLOAT, from + i);
      a += x * x;
    }
    return (a + b) + (c + d);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      buffers.forEach(CpuBuffer::close);
      workers.close();
    }
  }
}
