package dev.rais.bench.ops;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.util.SplittableRandom;

/** A CPU backend with random operands. */
final class Inputs implements AutoCloseable {
  private final Backend backend;
  private final SplittableRandom random = new SplittableRandom(1);

  Inputs(int threads) {
    int all = Runtime.getRuntime().availableProcessors();
    backend =
        Backends.open(
            "cpu",
            threads == 0 ? all : threads,
            warning -> {
              throw new IllegalStateException(warning);
            });
  }

  Backend backend() {
    return backend;
  }

  /** FLOAT32 with values from a normal distribution. */
  Buffer normal(long count) {
    float[] values = new float[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    Buffer buffer = backend.allocate(DType.FLOAT32, count);
    buffer.upload(values);
    return buffer;
  }

  /** FLOAT32 for results, full of NaN so that a value that is not written shows. */
  Buffer output(long count) {
    float[] values = new float[Math.toIntExact(count)];
    java.util.Arrays.fill(values, Float.NaN);
    Buffer buffer = backend.allocate(DType.FLOAT32, count);
    buffer.upload(values);
    return buffer;
  }

  /** Integers from 0 to below {@code bound}. */
  int[] integers(int count, int bound) {
    return random.ints(count, 0, bound).toArray();
  }

  /** INT32. */
  Buffer integers(int[] values) {
    Buffer buffer = backend.allocate(DType.INT32, values.length);
    buffer.upload(values);
    return buffer;
  }

  /** Random bytes. */
  byte[] bytes(int count) {
    byte[] values = new byte[count];
    random.nextBytes(values);
    return values;
  }

  @Override
  public void close() {
    backend.close();
  }
}
