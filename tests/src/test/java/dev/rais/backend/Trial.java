package dev.rais.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.rais.reference.Bfloat16;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * One execution of a conformance case: its random numbers, its operands, and what must hold for
 * every operation whatever it computes.
 *
 * <p>Operands are slices in the middle of larger buffers. The surroundings hold NaNs, so that
 * reading them spoils the result and writing them shows. Pure outputs hold NaNs before each run, so
 * that a missed element shows.
 */
final class Trial implements AutoCloseable {
  /** Elements around an operand; odd, so that slices do not lie on vector boundaries. */
  private static final int GUARD = 37;

  /** A NaN that no arithmetic produces; nor is its upper half one. */
  private static final float POISON = Float.intBitsToFloat(0x7fcddead);

  private static final byte BYTE_POISON = (byte) 0xa5;

  private enum Role {
    INPUT,
    OUTPUT,
    UPDATED
  }

  /** A guarded operand. */
  static final class Operand {
    private final Role role;
    private final Buffer whole;
    private final Buffer buffer;
    private final float[] initial;

    /** What the poison around it reads as. */
    private final int poison;

    private Operand(Role role, Buffer whole, int count, float[] initial) {
      poison = bits(whole.type() == DType.BFLOAT16 ? Bfloat16.rounded(POISON) : POISON);
      this.role = role;
      this.whole = whole;
      this.buffer = whole.slice(GUARD, count);
      this.initial = initial;
    }

    /** What the operation under test gets. */
    Buffer buffer() {
      return buffer;
    }
  }

  private final String name;
  private final long seed;
  private final Backend backend;
  private final boolean floatMoments;
  private final Random random;
  private final List<Operand> operands = new ArrayList<>();
  private final List<Buffer> others = new ArrayList<>();

  Trial(String name, long seed, Backend backend, boolean floatMoments) {
    this.name = name;
    this.seed = seed;
    this.backend = backend;
    this.floatMoments = floatMoments;
    this.random = new Random(seed * 31 + name.hashCode());
  }

  /** {@link BackendConformance#sumsMomentsInFloat}. */
  boolean floatMoments() {
    return floatMoments;
  }

  Random random() {
    return random;
  }

  /** Uniform in [−1, 1). */
  float[] uniform(long count) {
    float[] values = new float[(int) count];
    for (int i = 0; i < values.length; i++) {
      values[i] = 2 * random.nextFloat() - 1;
    }
    return values;
  }

  /** Uniform in [−1, 1), as activations can be: rounded to their type. */
  float[] activations(long count) {
    return asActivations(uniform(count));
  }

  /** Rounds values to the type of activations, in place. */
  float[] asActivations(float[] values) {
    if (activationType() == DType.BFLOAT16) {
      for (int i = 0; i < values.length; i++) {
        values[i] = Bfloat16.rounded(values[i]);
      }
    }
    return values;
  }

  private DType activationType() {
    return backend.activations();
  }

  /** Largest relative error of a number that is rounded to the type of activations. */
  double unit() {
    return unit(activationType());
  }

  /** 0 for floats, the errors of which are in the bounds of what was computed. */
  private static double unit(DType type) {
    return type == DType.BFLOAT16 ? ErrorBounds.BFLOAT16_U : 0;
  }

  /** Whole numbers from −2 to 2, which every type has: many ties, many zeros. */
  float[] ties(long count) {
    float[] values = new float[(int) count];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(5) - 2;
    }
    return values;
  }

  /** An operand of floats that must not change. */
  Operand input(float[] values) {
    return add(DType.FLOAT32, Role.INPUT, values.length, values.clone());
  }

  /** The same of activations, which the values must be. */
  Operand activationInput(float[] values) {
    return add(activationType(), Role.INPUT, values.length, values.clone());
  }

  /** An operand of floats that must be overwritten everywhere. */
  Operand output(long count) {
    return output(DType.FLOAT32, count);
  }

  /** The same of activations. */
  Operand activationOutput(long count) {
    return output(activationType(), count);
  }

  Operand output(DType type, long count) {
    float[] poison = new float[(int) count];
    Arrays.fill(poison, POISON);
    return add(type, Role.OUTPUT, (int) count, poison);
  }

  /** Floats that the operation reads and changes; they start from these values in each run. */
  Operand updated(float[] values) {
    return add(DType.FLOAT32, Role.UPDATED, values.length, values.clone());
  }

  /** The same of activations, which the values must be. */
  Operand activationUpdated(float[] values) {
    return add(activationType(), Role.UPDATED, values.length, values.clone());
  }

  private Operand add(DType type, Role role, int count, float[] initial) {
    Buffer whole = backend.allocate(type, count + 2L * GUARD);
    others.add(whole);
    Operand operand = new Operand(role, whole, count, initial);
    operands.add(operand);
    return operand;
  }

  /** Indices or labels; the seam cannot read them back. */
  Buffer integers(int[] values) {
    Buffer buffer = backend.allocate(DType.INT32, values.length);
    others.add(buffer);
    buffer.upload(values);
    return buffer;
  }

  /** Bytes that are read only, or filled with poison where {@code values} is null. */
  Buffer bytes(byte[] values, int count) {
    Buffer whole = backend.allocate(DType.UINT8, count + 2L * GUARD);
    others.add(whole);
    whole.upload(guarded(values, count), 0);
    return whole;
  }

  /** The same where images may lie. */
  Buffer images(byte[] values, Placement place) {
    Buffer whole = backend.wrap(guarded(values, values.length), place);
    others.add(whole);
    return whole;
  }

  private static byte[] guarded(byte[] values, int count) {
    byte[] all = new byte[count + 2 * GUARD];
    Arrays.fill(all, BYTE_POISON);
    if (values != null) {
      System.arraycopy(values, 0, all, GUARD, count);
    }
    return all;
  }

  /** The guarded part of {@link #bytes}. */
  static Buffer inside(Buffer whole) {
    return whole.slice(GUARD, whole.count() - 2 * GUARD);
  }

  /** The guarded part's values, after a check of the surroundings. */
  byte[] read(Buffer whole) {
    byte[] all = new byte[(int) whole.count()];
    whole.download(all);
    for (int i = 0; i < GUARD; i++) {
      if (all[i] != BYTE_POISON || all[all.length - 1 - i] != BYTE_POISON) {
        fail(message("wrote outside of a byte operand", i));
      }
    }
    return Arrays.copyOfRange(all, GUARD, all.length - GUARD);
  }

  /**
   * Runs the operation twice from the same state and requires: surroundings and inputs untouched,
   * outputs overwritten, the same bits both times.
   */
  void run(Runnable operation) {
    reset();
    operation.run();
    List<float[]> first = operands.stream().map(this::inspect).toList();
    reset();
    operation.run();
    for (int i = 0; i < operands.size(); i++) {
      float[] again = inspect(operands.get(i));
      for (int k = 0; k < again.length; k++) {
        if (Float.floatToIntBits(first.get(i)[k]) != Float.floatToIntBits(again[k])) {
          fail(
              message("operand " + i + " differs between two runs", k)
                  + ": "
                  + first.get(i)[k]
                  + ", then "
                  + again[k]);
        }
      }
    }
  }

  private void reset() {
    for (Operand operand : operands) {
      float[] all = new float[(int) operand.whole.count()];
      Arrays.fill(all, POISON);
      System.arraycopy(operand.initial, 0, all, GUARD, operand.initial.length);
      operand.whole.upload(all);
    }
  }

  private float[] inspect(Operand operand) {
    float[] all = operand.whole.toFloats();
    int position = operands.indexOf(operand);
    int end = all.length - GUARD;
    for (int i = 0; i < all.length; i++) {
      boolean inside = i >= GUARD && i < end;
      if (!inside && bits(all[i]) != operand.poison) {
        fail(message("wrote outside of operand " + position, i - GUARD) + ": " + all[i]);
      }
      if (inside && operand.role == Role.OUTPUT && bits(all[i]) == operand.poison) {
        fail(message("did not write operand " + position, i - GUARD));
      }
      if (inside
          && operand.role == Role.INPUT
          && bits(all[i]) != bits(operand.initial[i - GUARD])) {
        fail(message("changed input " + position, i - GUARD) + ": " + all[i]);
      }
    }
    return Arrays.copyOfRange(all, GUARD, end);
  }

  private static int bits(float value) {
    return Float.floatToRawIntBits(value);
  }

  /**
   * Compares an operand with what is expected.
   *
   * @param bounds largest error allowed, per element, before it is rounded to the operand's type
   */
  void check(String what, Operand operand, double[] expected, double[] bounds) {
    check(
        what,
        operand.buffer.toFloats(),
        expected,
        rounded(unit(operand.buffer.type()), expected, bounds));
  }

  /** Bounds of what is rounded once more, with this relative error. */
  static double[] rounded(double unit, double[] expected, double[] bounds) {
    double[] wider = bounds.clone();
    if (unit > 0) {
      for (int i = 0; i < wider.length; i++) {
        wider[i] += unit * (Math.abs(expected[i]) + bounds[i]) + ErrorBounds.BFLOAT16_LEAST;
      }
    }
    return wider;
  }

  void check(String what, float[] found, double[] expected, double[] bounds) {
    assertEquals(expected.length, found.length, name + " " + what);
    assertTrue(expected.length > 0, name + " " + what + " is empty");
    for (int i = 0; i < found.length; i++) {
      double error = Math.abs(found[i] - expected[i]);
      if (!(error <= bounds[i])) { // also where the error is NaN
        fail(
            message(what, i)
                + ": found "
                + found[i]
                + ", expected "
                + expected[i]
                + ", error "
                + error
                + " over the bound "
                + bounds[i]);
      }
    }
  }

  /** Requires the floats that are expected, rounded to the operand's type. */
  void checkExact(String what, Operand operand, double[] expected) {
    double[] exact = expected.clone();
    if (operand.buffer.type() == DType.BFLOAT16) {
      Arrays.setAll(exact, i -> Bfloat16.rounded((float) expected[i]));
    }
    check(what, operand.buffer.toFloats(), exact, new double[exact.length]);
  }

  void checkBytes(String what, byte[] found, int[] expected) {
    int[] values = new int[found.length];
    for (int i = 0; i < found.length; i++) {
      values[i] = Byte.toUnsignedInt(found[i]);
    }
    assertArrayEquals(expected, values, () -> message(what, 0));
  }

  private String message(String what, int index) {
    return name + ", " + what + " at " + index + " (-Drais.test.seed=" + seed + ")";
  }

  @Override
  public void close() {
    others.forEach(Buffer::close);
  }
}
