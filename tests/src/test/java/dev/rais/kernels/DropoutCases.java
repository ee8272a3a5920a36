package dev.rais.kernels;

import static dev.rais.backend.cuda.Kernels.BFLOAT16;
import static dev.rais.backend.cuda.Kernels.FLOAT32;

import dev.rais.random.Philox;
import dev.rais.random.Streams;
import dev.rais.reference.Reference;
import java.util.ArrayList;
import java.util.List;

/**
 * rais_dropout: the bits of {@link Reference#dropout}, which are also those that the suite of
 * backends requires of Java's.
 */
final class DropoutCases implements KernelCases {
  private static final String FUNCTION = "rais_dropout";

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (int count : new int[] {1, 2, 3, 4, 5, 13, 31, 32, 33, 127, 1023, 1025, 20_001}) {
      for (int dtype : new int[] {FLOAT32, BFLOAT16}) {
        String name = count + " " + Trial.nameOf(dtype);
        cases.add(new Case(FUNCTION, name, t -> dropout(t, count, dtype, 0.5f, 0)));
        cases.add(
            new Case(
                FUNCTION, name + ", misaligned, in place", t -> dropout(t, count, dtype, 0.1f, 1)));
      }
    }
    for (float rate : new float[] {0, 1e-9f, 0.999999f, 0.99999994f}) {
      cases.add(new Case(FUNCTION, "rate " + rate, t -> dropout(t, 3000, FLOAT32, rate, 0)));
    }
    return cases;
  }

  private static void dropout(Trial t, int count, int dtype, float rate, int misalignment) {
    t.misalign(misalignment);
    float[] x = t.uniform(count, -2, 2);
    long seed = t.random().nextLong();
    long iteration = t.random().nextLong() >>> t.random().nextInt(64);
    int stream = Streams.DROPOUT | t.random().nextInt(1 << 23) << 8;
    Operand xs = misalignment > 0 ? t.updated("x", dtype, x) : t.input("x", dtype, x);
    Operand counter = t.input("iteration", iteration);
    Operand y = misalignment > 0 ? xs : t.output("y", Trial.element(dtype), count);
    t.run(
        (kernels, cudaStream) ->
            kernels
                .layers()
                .dropout(
                    cudaStream, count, dtype, xs.at(), rate, seed, stream, counter.at(), y.at()));
    double[] stored = Trial.stored(dtype, x);
    float[] given = new float[count];
    long[] words = new long[count];
    int[] block = new int[4];
    for (int i = 0; i < count; i++) {
      Philox.block(
          (int) iteration,
          (int) (iteration >>> 32),
          i / 4,
          stream,
          (int) seed,
          (int) (seed >>> 32),
          block);
      words[i] = Integer.toUnsignedLong(block[i % 4]);
      given[i] = (float) stored[i];
    }
    float[] expected = Reference.dropout(given, rate, words);
    double[] rounded = new double[count];
    for (int i = 0; i < count; i++) {
      rounded[i] = Trial.rounded(dtype, expected[i]);
    }
    t.exactly(y, rounded);
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of(
            FUNCTION,
            GoodCall.size(5L, 1L << 33),
            GoodCall.dtype(),
            GoodCall.memory(20, 4),
            GoodCall.value(0.5f, 1f, -0.1f, Float.NaN),
            GoodCall.value(3L),
            GoodCall.value(Streams.DROPOUT),
            GoodCall.memory(8, 8),
            GoodCall.memory(20, 4)));
  }
}
