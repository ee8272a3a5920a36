package dev.rais.backend;

import static dev.rais.backend.ErrorBounds.U;
import static dev.rais.backend.ErrorBounds.absolute;
import static dev.rais.backend.ErrorBounds.doubles;
import static dev.rais.backend.ErrorBounds.ofSums;
import static dev.rais.backend.ErrorBounds.relative;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.random.Philox;
import dev.rais.reference.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.zip.CRC32;

/** The small operations of residual networks: sums, average pooling, dropout. */
final class ResidualCases {
  private static final int[] SIZES = {
    1, 2, 3, 5, 7, 13, 17, 31, 33, 63, 65, 127, 129, 1023, 1025, 2047, 2049, 262_147
  };

  /** Made by an implementation in another language: see {@link #golden}. */
  private static final String GOLDEN = "dea0a7a2";

  private final List<Case> cases = new ArrayList<>();

  private ResidualCases() {}

  static List<Case> all() {
    var table = new ResidualCases();
    table.sums();
    table.averagePools();
    table.dropouts();
    return table.cases;
  }

  /** Only for floats: of other types the bits are others. */
  static Case golden() {
    return new Case(Op.DROPOUT, Op.DROPOUT + " golden bits", ResidualCases::golden);
  }

  private void sums() {
    for (int size : SIZES) {
      add(Op.ADD, size + " elements", (b, t) -> sum(b, t, size));
      add(Op.ADD, size + " elements, to the first", (b, t) -> sumInPlace(b, t, size, true));
      add(Op.ADD, size + " elements, to the second", (b, t) -> sumInPlace(b, t, size, false));
    }
  }

  private static void sum(Backend backend, Trial t, int size) {
    float[] a = t.activations(size);
    float[] b = t.activations(size);
    var as = t.activationInput(a);
    var bs = t.activationInput(b);
    var y = t.activationOutput(size);
    t.run(() -> backend.add(as.buffer(), bs.buffer(), y.buffer()));
    t.checkExact("y", y, doubles(floatSums(a, b)));
  }

  private static void sumInPlace(Backend backend, Trial t, int size, boolean first) {
    float[] a = t.activations(size);
    float[] b = t.activations(size);
    var as = first ? t.activationUpdated(a) : t.activationInput(a);
    var bs = first ? t.activationInput(b) : t.activationUpdated(b);
    var y = first ? as : bs;
    t.run(() -> backend.add(as.buffer(), bs.buffer(), y.buffer()));
    t.checkExact("y", y, doubles(floatSums(a, b)));
  }

  private static float[] floatSums(float[] a, float[] b) {
    float[] sums = new float[a.length];
    for (int i = 0; i < a.length; i++) {
      sums[i] = a[i] + b[i];
    }
    return sums;
  }

  private void averagePools() {
    int[][] shapes = {
      // batch, positions, channels
      {1, 1, 1},
      {1, 1, 13},
      {2, 7, 1},
      {3, 5, 31},
      {1, 49, 33},
      {5, 16, 65},
      {7, 1, 1025},
      {2, 1023, 3},
      {33, 64, 13},
      {129, 4, 17},
      {4, 64, 64},
      {3, 16, 512},
      {65, 64, 64},
    };
    for (int[] n : shapes) {
      String name = Arrays.toString(n) + " (batch, positions, channels)";
      add(Op.GLOBAL_AVERAGE_POOL, name, (b, t) -> averagePool(b, t, n[0], n[1], n[2]));
    }
  }

  private static void averagePool(
      Backend backend, Trial t, int batch, int positions, int channels) {
    float[] x = t.activations((long) batch * positions * channels);
    float[] dy = t.activations((long) batch * channels);
    var xs = t.activationInput(x);
    var dys = t.activationInput(dy);
    var y = t.activationOutput(dy.length);
    var dx = t.activationOutput(x.length);
    t.run(
        () -> {
          backend.globalAveragePool(batch, positions, channels, xs.buffer(), y.buffer());
          backend.globalAveragePoolBackward(batch, positions, channels, dys.buffer(), dx.buffer());
        });
    double[] sums = Reference.globalAveragePool(batch, positions, channels, absolute(doubles(x)));
    t.check(
        "y",
        y,
        Reference.globalAveragePool(batch, positions, channels, doubles(x)),
        ofSums(positions, sums));
    double[] expected =
        Reference.globalAveragePoolBackward(batch, positions, channels, doubles(dy));
    t.check("dx", dx, expected, relative(2 * U, expected, 0)); // 1/P may be rounded first
  }

  private void dropouts() {
    for (int size : SIZES) {
      for (float rate : new float[] {0f, 0.1f, 0.5f, 0.999f}) {
        add(Op.DROPOUT, size + " elements, " + rate, (b, t) -> dropout(b, t, size, rate, false));
      }
      add(Op.DROPOUT, size + " elements in place", (b, t) -> dropout(b, t, size, 0.3f, true));
    }
    // Thresholds that round to a whole number of 2^-32, and the largest rate below 1.
    for (float rate : new float[] {Float.MIN_VALUE, 1e-9f, 0x1.8p-32f, Math.nextDown(1f)}) {
      add(Op.DROPOUT, "1025 elements, " + rate, (b, t) -> dropout(b, t, 1025, rate, false));
    }
  }

  private static void dropout(Backend backend, Trial t, int size, float rate, boolean inPlace) {
    float[] x = t.activations(size);
    long seed = t.random().nextLong();
    long iteration = t.random().nextLong() >>> t.random().nextInt(64);
    int layer = t.random().nextInt(1 << 23) >>> t.random().nextInt(24);
    long[] words = new long[size];
    int[] four = new int[4];
    for (int i = 0; i < size; i++) {
      Philox.block(
          (int) iteration,
          (int) (iteration >>> 32),
          i / 4,
          13 + 256 * layer,
          (int) seed,
          (int) (seed >>> 32),
          four);
      words[i] = Integer.toUnsignedLong(four[i % 4]);
    }
    var xs = inPlace ? t.activationUpdated(x) : t.activationInput(x);
    var y = inPlace ? xs : t.activationOutput(size);
    t.run(() -> backend.dropout(xs.buffer(), rate, seed, layer, iteration, y.buffer()));
    t.checkExact("y", y, doubles(Reference.dropout(x, rate, words)));
  }

  /**
   * Elements kept of 1003, as an implementation in another language finds them: the CRC-32 of the
   * little-endian floats.
   */
  private static void golden(Backend backend, Trial t) {
    float[] x = new float[1003];
    for (int i = 0; i < x.length; i++) {
      x[i] = i - 500;
    }
    var xs = t.activationInput(x);
    var y = t.activationOutput(x.length);
    t.run(
        () ->
            backend.dropout(
                xs.buffer(), 0.375f, 0x1234567_89abcdefL, 77, 0x3_00000002L, y.buffer()));
    float[] found = y.buffer().toFloats();
    ByteBuffer little = ByteBuffer.allocate(4 * found.length).order(ByteOrder.LITTLE_ENDIAN);
    little.asFloatBuffer().put(found);
    CRC32 crc = new CRC32();
    crc.update(little);
    assertEquals(GOLDEN, Long.toHexString(crc.getValue()));
  }

  private void add(Op op, String name, BiConsumer<Backend, Trial> body) {
    cases.add(new Case(op, op + " " + name, body));
  }
}
