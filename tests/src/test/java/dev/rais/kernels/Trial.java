package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.rais.backend.cuda.Kernels;
import dev.rais.reference.Bfloat16;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * One execution of a case: its random numbers, its operands, and what must hold for every kernel
 * whatever it computes. {@link #run} launches in every way that the machine knows, each time from
 * the same state, and requires: guard zones and inputs untouched, outputs overwritten everywhere,
 * the same bits every time.
 */
final class Trial implements AutoCloseable {
  /** Puts kernels on a stream. */
  interface Launch {
    void on(Kernels kernels, MemorySegment stream);
  }

  private final String name;
  private final long seed;
  private final Machine machine;
  private final Random random;
  private final List<Operand> operands = new ArrayList<>();
  private int shift;

  Trial(String name, long seed, Machine machine) {
    this.name = name;
    this.seed = seed;
    this.machine = machine;
    this.random = new Random(seed * 31 + name.hashCode());
  }

  Random random() {
    return random;
  }

  Kernels kernels() {
    return machine.kernels();
  }

  /** Operands made from now on lie off their natural alignment by this many elements. */
  void misalign(int elements) {
    shift = elements;
  }

  // ---- Random numbers ----

  /** Uniform in [low, high). */
  float[] uniform(int count, double low, double high) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (low + (high - low) * random.nextDouble());
    }
    return values;
  }

  /** Uniform in [0, bound). */
  int[] below(int bound, int count) {
    return random.ints(count, 0, bound).toArray();
  }

  // ---- Operands ----

  Operand input(String name, float... values) {
    return add(name, Operand.Role.INPUT, Element.FLOAT, values.length, floats(values));
  }

  Operand input(String name, double... values) {
    return add(
        name, Operand.Role.INPUT, Element.DOUBLE, values.length, MemorySegment.ofArray(values));
  }

  Operand input(String name, int... values) {
    return add(name, Operand.Role.INPUT, Element.INT, values.length, MemorySegment.ofArray(values));
  }

  Operand input(String name, long... values) {
    return add(
        name, Operand.Role.INPUT, Element.LONG, values.length, MemorySegment.ofArray(values));
  }

  Operand input(String name, byte... values) {
    return add(
        name, Operand.Role.INPUT, Element.BYTE, values.length, MemorySegment.ofArray(values));
  }

  /** Floats, stored in a type of the kernels' header: {@link #stored} says what becomes of them. */
  Operand input(String name, int dtype, float[] values) {
    return add(name, Operand.Role.INPUT, element(dtype), values.length, encoded(dtype, values));
  }

  Operand updated(String name, float... values) {
    return add(name, Operand.Role.UPDATED, Element.FLOAT, values.length, floats(values));
  }

  Operand updated(String name, double... values) {
    return add(
        name, Operand.Role.UPDATED, Element.DOUBLE, values.length, MemorySegment.ofArray(values));
  }

  Operand updated(String name, int... values) {
    return add(
        name, Operand.Role.UPDATED, Element.INT, values.length, MemorySegment.ofArray(values));
  }

  Operand updated(String name, long... values) {
    return add(
        name, Operand.Role.UPDATED, Element.LONG, values.length, MemorySegment.ofArray(values));
  }

  Operand updated(String name, byte... values) {
    return add(
        name, Operand.Role.UPDATED, Element.BYTE, values.length, MemorySegment.ofArray(values));
  }

  Operand updated(String name, int dtype, float[] values) {
    return add(name, Operand.Role.UPDATED, element(dtype), values.length, encoded(dtype, values));
  }

  Operand output(String name, Element element, long count) {
    return add(name, Operand.Role.OUTPUT, element, Math.toIntExact(count), null);
  }

  /** Memory full of poison of which the kernel may write as much as it likes. */
  Operand scratch(String name, Element element, long count) {
    return add(name, Operand.Role.UPDATED, element, Math.toIntExact(count), null);
  }

  private Operand add(
      String name, Operand.Role role, Element element, int count, MemorySegment values) {
    Operand operand = new Operand(machine, name, role, element, count, values, shift);
    operands.add(operand);
    return operand;
  }

  private static MemorySegment floats(float[] values) {
    return MemorySegment.ofArray(values);
  }

  static Element element(int dtype) {
    return dtype == Kernels.BFLOAT16 ? Element.BFLOAT16 : Element.FLOAT;
  }

  private static MemorySegment encoded(int dtype, float[] values) {
    if (dtype == Kernels.FLOAT32) {
      return floats(values);
    }
    short[] encoded = new short[values.length];
    for (int i = 0; i < values.length; i++) {
      encoded[i] = Bfloat16.of(values[i]);
    }
    return MemorySegment.ofArray(encoded);
  }

  /** What the kernel sees of floats that are given to it in a type. */
  static double[] stored(int dtype, float[] values) {
    double[] stored = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      stored[i] = dtype == Kernels.BFLOAT16 ? Bfloat16.rounded(values[i]) : values[i];
    }
    return stored;
  }

  /** What the kernel stores of a float in a type. */
  static float rounded(int dtype, float value) {
    return dtype == Kernels.BFLOAT16 ? Bfloat16.rounded(value) : value;
  }

  /** {@code fp32} or {@code bf16}, for names of cases. */
  static String nameOf(int dtype) {
    return dtype == Kernels.BFLOAT16 ? "bf16" : "fp32";
  }

  /** The relative error of storing a number in a type. */
  static double precision(int dtype) {
    return dtype == Kernels.BFLOAT16 ? 0x1p-8 : 0x1p-24;
  }

  /** The pointer of an operand, or a null pointer without one. */
  static MemorySegment at(Operand operand) {
    return operand == null ? MemorySegment.NULL : operand.at();
  }

  // ---- Running ----

  void run(Launch launch) {
    assertTrue(operands.size() > 0, name + " has no operand");
    // Kernels that are captured must have been launched before: see the header.
    machine.inEveryWay(
        () -> launch.on(machine.kernels(), machine.stream()),
        (way, launches) -> {
          operands.forEach(Operand::reset);
          launches.run();
          String where = name + " when run " + way + " (" + replay() + ")";
          operands.forEach(o -> o.inspect(where));
        });
  }

  // ---- Comparing ----

  /**
   * Compares an operand of real numbers with what is expected; NaN where NaN is expected.
   *
   * @param bounds largest error allowed, per element
   */
  void close(Operand operand, double[] expected, double[] bounds) {
    double[] found = operand.values();
    assertEquals(expected.length, found.length, operand.name());
    for (int i = 0; i < found.length; i++) {
      double error = Math.abs(found[i] - expected[i]);
      boolean fits =
          Double.isNaN(expected[i])
              ? Double.isNaN(found[i])
              : found[i] == expected[i] || error <= bounds[i];
      if (!fits) {
        fail(
            "%s: found %s, expected %s, error %s over the bound %s"
                .formatted(message(operand, i), found[i], expected[i], error, bounds[i]));
      }
    }
  }

  /** Requires numbers, up to the sign of zero; NaN where NaN is expected. */
  void exactly(Operand operand, double[] expected) {
    close(operand, expected, new double[expected.length]);
  }

  /** Requires the bits of floats. */
  void bits(Operand operand, float[] expected) {
    long[] bits = new long[expected.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(expected[i]);
    }
    bits(operand, bits);
  }

  /** Requires the bits of doubles. */
  void bits(Operand operand, double[] expected) {
    long[] bits = new long[expected.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Double.doubleToRawLongBits(expected[i]);
    }
    bits(operand, bits);
  }

  /** Requires integers. */
  void bits(Operand operand, int[] expected) {
    long[] bits = new long[expected.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = expected[i];
    }
    bits(operand, bits);
  }

  /** Requires elements as {@link Operand#bits} gives them. */
  void bits(Operand operand, long[] expected) {
    long[] found = operand.bits();
    assertEquals(expected.length, found.length, operand.name());
    for (int i = 0; i < found.length; i++) {
      if (found[i] != expected[i]) {
        fail(
            "%s: found the bits 0x%x (%d), expected 0x%x (%d)"
                .formatted(message(operand, i), found[i], found[i], expected[i], expected[i]));
      }
    }
  }

  /** Requires something else, with the operand's element as the place in a message. */
  void check(boolean holds, Operand operand, int index, String problem) {
    if (!holds) {
      fail(message(operand, index) + ": " + problem);
    }
  }

  private String message(Operand operand, int index) {
    return name + ", " + operand.name() + "[" + index + "] (" + replay() + ")";
  }

  private String replay() {
    return "-D" + KernelSuite.SEED + "=" + seed;
  }

  @Override
  public void close() {
    operands.forEach(Operand::close);
  }
}
