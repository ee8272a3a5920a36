package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.Convolution;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.DType;
import dev.rais.backend.Linear;
import dev.rais.backend.LinearShape;
import dev.rais.backend.MaxPool;
import dev.rais.backend.Op;
import dev.rais.backend.PoolShape;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Every operation in plain Java: the fallback where oneDNN cannot be loaded, and the base of {@link
 * OneDnnBackend}, which replaces the heavy operations.
 */
public class JavaBackend extends Backend {
  /** Elements below which a second thread does not pay. */
  private static final int MINIMUM_ELEMENTS = 1 << 16;

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
    this.workers = new Workers(threads);
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

  @Override
  public boolean supports(Op op) {
    return true;
  }

  @Override
  protected final Buffer doAllocate(DType type, long count) {
    if (closed) {
      throw new IllegalStateException("the backend is closed");
    }
    buffers.removeIf(b -> !b.isOpen());
    CpuBuffer buffer = CpuBuffer.allocate(type, count);
    buffers.add(buffer);
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
  protected void doRelu(Buffer x, Buffer y) {
    MemorySegment from = CpuBuffer.segment(x);
    MemorySegment to = CpuBuffer.segment(y);
    workers.run(
        Math.toIntExact(x.count()),
        MINIMUM_ELEMENTS,
        (begin, end) -> {
          for (int i = begin; i < end; i++) {
            to.setAtIndex(JAVA_FLOAT, i, Math.max(0f, from.getAtIndex(JAVA_FLOAT, i)));
          }
        });
  }

  @Override
  protected void doReluBackward(Buffer y, Buffer dy, Buffer dx) {
    MemorySegment out = CpuBuffer.segment(y);
    MemorySegment from = CpuBuffer.segment(dy);
    MemorySegment to = CpuBuffer.segment(dx);
    workers.run(
        Math.toIntExact(y.count()),
        MINIMUM_ELEMENTS,
        (begin, end) -> {
          for (int i = begin; i < end; i++) {
            float gradient = from.getAtIndex(JAVA_FLOAT, i);
            to.setAtIndex(JAVA_FLOAT, i, out.getAtIndex(JAVA_FLOAT, i) > 0 ? gradient : 0f);
          }
        });
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
            classes,
            CpuBuffer.segment(logits),
            CpuBuffer.segment(labels),
            CpuBuffer.segmentOrNull(weights),
            scale,
            CpuBuffer.segment(losses),
            CpuBuffer.segment(norms),
            CpuBuffer.segmentOrNull(gradients),
            CpuBuffer.segment(correctness));
    workers.run(rows, Math.max(1, MINIMUM_ELEMENTS / 8 / classes), layer);
  }

  @Override
  protected void doGather(
      Buffer images, int imageSize, Buffer indices, Buffer scale, Buffer shift, Buffer batch) {
    MemorySegment pixels = CpuBuffer.segment(images);
    MemorySegment chosen = CpuBuffer.segment(indices);
    MemorySegment out = CpuBuffer.segment(batch);
    float[] scales = scale.toFloats();
    float[] shifts = shift.toFloats();
    int channels = scales.length;
    long count = images.count() / imageSize;
    workers.run(
        Math.toIntExact(indices.count()),
        Math.max(1, MINIMUM_ELEMENTS / imageSize),
        (begin, end) -> {
          float[] row = new float[imageSize];
          for (int j = begin; j < end; j++) {
            int index = chosen.getAtIndex(JAVA_INT, j);
            if (index < 0 || index >= count) {
              throw new IndexOutOfBoundsException(
                  "gather: index " + index + " at slot " + j + " of a data set of " + count);
            }
            long base = (long) index * imageSize;
            for (int k = 0; k < imageSize; k += channels) {
              for (int c = 0; c < channels; c++) {
                int pixel = pixels.get(JAVA_BYTE, base + k + c) & 0xff;
                row[k + c] = pixel * scales[c] + shifts[c];
              }
            }
            MemorySegment.copy(row, 0, out, JAVA_FLOAT, (long) j * imageSize * 4, imageSize);
          }
        });
  }

  @Override
  protected void doSgd(
      Buffer w, Buffer u, Buffer g, float learningRate, float momentum, float weightDecay) {
    MemorySegment weights = CpuBuffer.segment(w);
    MemorySegment velocities = CpuBuffer.segment(u);
    MemorySegment gradients = CpuBuffer.segment(g);
    workers.run(
        Math.toIntExact(w.count()),
        MINIMUM_ELEMENTS,
        (begin, end) -> {
          for (int i = begin; i < end; i++) {
            float weight = weights.getAtIndex(JAVA_FLOAT, i);
            float gradient = gradients.getAtIndex(JAVA_FLOAT, i) + weightDecay * weight;
            float velocity =
                momentum * velocities.getAtIndex(JAVA_FLOAT, i) - learningRate * gradient;
            velocities.setAtIndex(JAVA_FLOAT, i, velocity);
            weights.setAtIndex(JAVA_FLOAT, i, weight + velocity);
          }
        });
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
