package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.rais.backend.Buffer;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The loss layer as four steps, each a pass over its operands: softmax, losses, norms, gradients.
 * What the fused one is compared with, so it takes the same care to be fast: the same exponential
 * and threads, integer maxima, rows in parts whose sums are vectorised, and gradients made in place
 * of the probabilities. Logits of a row must lie within {@link VectorExp#RANGE}.
 */
public final class SeparateLossSteps implements AutoCloseable {
  private static final int LANES = 1536;
  private static final int LONG_ROW = 256;
  private static final int LEAST_PARTS = 8;

  private final Workers workers;
  private final int rows;
  private final int classes;
  private final int lanes;
  private final int parts;
  private final int rowsPerChunk;

  /** Null where the fused layer does without the Vector API too. */
  private final VectorSeparateLossSteps vectors;

  /** With a crew of its own. */
  public SeparateLossSteps(int threads, int rows, int classes) {
    this.workers = new ForkJoinWorkers(threads);
    this.rows = rows;
    this.classes = classes;
    int wanted = classes < LONG_ROW ? 1 : Math.max(LEAST_PARTS, Math.ceilDiv(classes, LANES));
    this.lanes = Math.ceilDiv(classes, wanted);
    this.parts = Math.ceilDiv(classes, lanes);
    this.rowsPerChunk = Math.max(1, LANES / lanes);
    this.vectors =
        LossLayer.usesVectors(classes) ? new VectorSeparateLossSteps(workers, rows, classes) : null;
  }

  /** All four. */
  public void run(
      Buffer logits,
      Buffer labels,
      Buffer weights,
      float scale,
      Buffer losses,
      Buffer norms,
      Buffer gradients) {
    softmax(logits, gradients);
    losses(gradients, labels, losses);
    norms(gradients, labels, norms);
    gradients(gradients, labels, weights, scale);
  }

  /** Work on a few rows. */
  private interface Chunk {
    void run(Scratch scratch, int first, int rows);
  }

  private void chunks(Chunk chunk) {
    workers.run(
        Math.ceilDiv(rows, rowsPerChunk),
        1,
        (begin, end) -> {
          Scratch scratch = workers.scratch();
          for (int c = begin; c < end; c++) {
            int first = c * rowsPerChunk;
            chunk.run(scratch, first, Math.min(rowsPerChunk, rows - first));
          }
        });
  }

  /** s = softmax(z). */
  public void softmax(Buffer logits, Buffer probabilities) {
    if (vectors != null) {
      vectors.softmax(logits, probabilities);
      return;
    }
    MemorySegment from = CpuBuffer.segment(logits);
    MemorySegment to = CpuBuffer.segment(probabilities);
    chunks((scratch, first, count) -> softmax(scratch, from, to, first, count));
  }

  private void softmax(
      Scratch scratch, MemorySegment from, MemorySegment to, int first, int count) {
    int length = rowsPerChunk * lanes;
    float[] ofLanes = scratch.array(Scratch.Use.X, length);
    float[] sums = scratch.array(Scratch.Use.Y, length);
    float[] product = scratch.array(Scratch.Use.Z, length);
    short[] powers = scratch.shorts(Scratch.Use.X, length);
    float[][] t = scratch.rows(Scratch.Use.RESULT, parts, length);
    for (int j = 0; j < count; j++) {
      float largest = largest(from, (first + j) * (long) classes, classes);
      Arrays.fill(ofLanes, j * lanes, (j + 1) * lanes, largest);
    }
    int elements = count * lanes;
    Arrays.fill(sums, 0, elements, 0f);
    for (int part = 0; part < parts; part++) {
      load(from, first, count, part, t[part], ofLanes);
      VectorExp.split(t[part], ofLanes, powers, elements);
      join(t[part], powers, sums, elements);
    }
    int padding = parts * lanes - classes; // holds the maximum, whose exponential is 1
    for (int j = 0; j < count; j++) {
      double sum = total(sums, j * lanes, (j + 1) * lanes) - padding;
      Arrays.fill(ofLanes, j * lanes, (j + 1) * lanes, (float) (1 / sum));
    }
    for (int part = 0; part < parts; part++) {
      multiply(t[part], ofLanes, product, elements);
      store(product, to, first, count, part);
    }
  }

  private static float largest(MemorySegment logits, long from, int count) {
    int largest = Integer.MIN_VALUE;
    for (int i = 0; i < count; i++) {
      int bits = logits.getAtIndex(JAVA_INT, from + i);
      largest = Math.max(largest, bits ^ ((bits >> 31) >>> 1));
    }
    return Float.intBitsToFloat(largest ^ ((largest >> 31) >>> 1));
  }

  private static void join(float[] x, short[] powers, float[] sums, int count) {
    for (int i = 0; i < count; i++) {
      float e = VectorExp.value(x[i], powers[i]);
      x[i] = e;
      sums[i] += e;
    }
  }

  private static void multiply(float[] x, float[] y, float[] product, int count) {
    for (int i = 0; i < count; i++) {
      product[i] = x[i] * y[i];
    }
  }

  private static void addSquares(float[] x, float[] sums, int count) {
    for (int i = 0; i < count; i++) {
      sums[i] += x[i] * x[i];
    }
  }

  private static double total(float[] values, int from, int to) {
    double a = 0;
    double b = 0;
    double c = 0;
    double d = 0;
    int i = from;
    for (; i + 3 < to; i += 4) {
      a += values[i];
      b += values[i + 1];
      c += values[i + 2];
      d += values[i + 3];
    }
    for (; i < to; i++) {
      a += values[i];
    }
    return (a + b) + (c + d);
  }

  private int length(int part) {
    return Math.min(lanes, classes - part * lanes);
  }

  private long offset(long row, int part) {
    return (row * classes + (long) part * lanes) * Float.BYTES;
  }

  /** Lanes behind the last part's end get a row's value of {@code padding}. */
  private void load(
      MemorySegment from, int first, int count, int part, float[] to, float[] padding) {
    if (parts == 1) {
      MemorySegment.copy(from, JAVA_FLOAT, offset(first, 0), to, 0, count * classes);
      return;
    }
    int length = length(part);
    for (int j = 0; j < count; j++) {
      MemorySegment.copy(from, JAVA_FLOAT, offset(first + j, part), to, j * lanes, length);
      Arrays.fill(to, j * lanes + length, (j + 1) * lanes, padding[j * lanes]);
    }
  }

  private void store(float[] values, MemorySegment to, int first, int count, int part) {
    if (parts == 1) {
      MemorySegment.copy(values, 0, to, JAVA_FLOAT, offset(first, 0), count * classes);
      return;
    }
    for (int j = 0; j < count; j++) {
      MemorySegment.copy(values, j * lanes, to, JAVA_FLOAT, offset(first + j, part), length(part));
    }
  }

  /** −log s_label. */
  public void losses(Buffer probabilities, Buffer labels, Buffer losses) {
    MemorySegment s = CpuBuffer.segment(probabilities);
    MemorySegment y = CpuBuffer.segment(labels);
    MemorySegment out = CpuBuffer.segment(losses);
    workers.run(
        rows,
        1,
        (begin, end) -> {
          for (int j = begin; j < end; j++) {
            double p = s.getAtIndex(JAVA_FLOAT, j * (long) classes + y.getAtIndex(JAVA_INT, j));
            out.setAtIndex(JAVA_FLOAT, j, (float) -Math.log(p));
          }
        });
  }

  /** ‖s − y‖. */
  public void norms(Buffer probabilities, Buffer labels, Buffer norms) {
    if (vectors != null) {
      vectors.norms(probabilities, labels, norms);
      return;
    }
    MemorySegment s = CpuBuffer.segment(probabilities);
    MemorySegment y = CpuBuffer.segment(labels);
    MemorySegment out = CpuBuffer.segment(norms);
    chunks(
        (scratch, first, count) -> {
          float[] values = scratch.array(Scratch.Use.X, rowsPerChunk * lanes);
          float[] sums = scratch.array(Scratch.Use.Y, rowsPerChunk * lanes);
          float[] zeros = scratch.array(Scratch.Use.Z, rowsPerChunk * lanes);
          Arrays.fill(sums, 0, count * lanes, 0f);
          Arrays.fill(zeros, 0, count * lanes, 0f);
          for (int part = 0; part < parts; part++) {
            load(s, first, count, part, values, zeros);
            addSquares(values, sums, count * lanes);
          }
          for (int j = first; j < first + count; j++) {
            double p = s.getAtIndex(JAVA_FLOAT, j * (long) classes + y.getAtIndex(JAVA_INT, j));
            double all = total(sums, (j - first) * lanes, (j - first + 1) * lanes);
            out.setAtIndex(JAVA_FLOAT, j, (float) Math.sqrt(all + 1 - 2 * p));
          }
        });
  }

  /** scale · weight · (s − y), in place. */
  public void gradients(Buffer probabilities, Buffer labels, Buffer weights, float scale) {
    if (vectors != null) {
      vectors.gradients(probabilities, labels, weights, scale);
      return;
    }
    MemorySegment s = CpuBuffer.segment(probabilities);
    MemorySegment y = CpuBuffer.segment(labels);
    MemorySegment w = CpuBuffer.segment(weights);
    chunks(
        (scratch, first, count) -> {
          float[] values = scratch.array(Scratch.Use.X, rowsPerChunk * lanes);
          float[] factors = scratch.array(Scratch.Use.Y, rowsPerChunk * lanes);
          for (int j = 0; j < count; j++) {
            float factor = scale * w.getAtIndex(JAVA_FLOAT, first + j);
            Arrays.fill(factors, j * lanes, (j + 1) * lanes, factor);
          }
          for (int part = 0; part < parts; part++) {
            load(s, first, count, part, values, factors);
            multiply(values, factors, values, count * lanes);
            store(values, s, first, count, part);
          }
          for (int j = first; j < first + count; j++) {
            long at = j * (long) classes + y.getAtIndex(JAVA_INT, j);
            float g = s.getAtIndex(JAVA_FLOAT, at) - factors[(j - first) * lanes];
            s.setAtIndex(JAVA_FLOAT, at, g);
          }
        });
  }

  @Override
  public void close() {
    workers.close();
  }
}
