package dev.rais.kernels;

import static dev.rais.backend.cuda.Kernels.BFLOAT16;
import static dev.rais.backend.cuda.Kernels.FLOAT32;

import dev.rais.backend.cuda.Kernels;
import dev.rais.reference.Bfloat16;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Operations on single elements: exact. */
final class ElementwiseCases implements KernelCases {
  private static final int[] COUNTS = {
    1, 2, 3, 7, 8, 9, 13, 31, 32, 33, 127, 1023, 1025, 4099, 100_003
  };

  /** An operation on one or two elements. */
  private interface Formula {
    float of(float a, float b);
  }

  /** Its launcher; b is unused where there is one operand. */
  private interface Call {
    void launch(
        Kernels kernels,
        MemorySegment stream,
        long count,
        int dtype,
        MemorySegment a,
        MemorySegment b,
        MemorySegment y);
  }

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    add(
        cases,
        "rais_relu",
        (a, b) -> a <= 0 ? 0 : a,
        (k, s, n, type, a, b, y) -> k.layers().relu(s, n, type, a, y));
    add(
        cases,
        "rais_relu_backward",
        (y, dy) -> y > 0 ? dy : 0,
        (k, s, n, type, y, dy, dx) -> k.layers().reluBackward(s, n, type, y, dy, dx));
    add(
        cases,
        "rais_add",
        (a, b) -> a + b,
        (k, s, n, type, a, b, y) -> k.layers().add(s, n, type, a, b, y));
    for (int count : COUNTS) {
      for (int misalignment : new int[] {0, 1}) {
        String name = count + (misalignment == 0 ? "" : " misaligned");
        cases.add(
            new Case("rais_to_bfloat16", name, t -> narrowing(t, values(t, count), misalignment)));
        cases.add(new Case("rais_to_float32", name, t -> widening(t, count, misalignment)));
      }
    }
    float[] extremes = {
      Float.NaN,
      -0f,
      Float.MIN_VALUE,
      Float.MAX_VALUE,
      -Float.MAX_VALUE,
      1 / 0f,
      -1 / 0f,
      Float.intBitsToFloat(0x3f808000),
      Float.intBitsToFloat(0x3f818000), // halfway
      Float.intBitsToFloat(0x3f808001),
      Float.intBitsToFloat(0x3f807fff),
      Float.intBitsToFloat(0x7f800001),
      Float.intBitsToFloat(0xffffffff), // NaNs
    };
    cases.add(new Case("rais_to_bfloat16", "extremes", t -> narrowing(t, extremes, 0)));
    return cases;
  }

  private static void add(List<Case> cases, String function, Formula formula, Call call) {
    for (int count : COUNTS) {
      for (int dtype : new int[] {FLOAT32, BFLOAT16}) {
        String name = count + " " + Trial.nameOf(dtype);
        cases.add(
            new Case(function, name, t -> isTheFormula(t, count, dtype, 0, false, formula, call)));
        cases.add(
            new Case(
                function,
                name + ", misaligned, in place",
                t -> isTheFormula(t, count, dtype, 1, true, formula, call)));
      }
    }
  }

  /** Some zeros, and a NaN among them. */
  private static float[] values(Trial t, int count) {
    float[] values = t.uniform(count, -2, 2);
    for (int i = 0; i < count; i += 5) {
      values[i] = i % 2 == 0 ? 0f : -0f;
    }
    values[t.random().nextInt(count)] = Float.NaN;
    return values;
  }

  private static void isTheFormula(
      Trial t,
      int count,
      int dtype,
      int misalignment,
      boolean inPlace,
      Formula formula,
      Call call) {
    t.misalign(misalignment);
    float[] a = values(t, count);
    float[] b = t.uniform(count, -2, 2);
    Operand as = inPlace ? t.updated("first", dtype, a) : t.input("first", dtype, a);
    Operand bs = t.input("second", dtype, b);
    Operand y = inPlace ? as : t.output("result", Trial.element(dtype), count);
    t.run((k, stream) -> call.launch(k, stream, count, dtype, as.at(), bs.at(), y.at()));
    double[] storedA = Trial.stored(dtype, a);
    double[] storedB = Trial.stored(dtype, b);
    double[] expected = new double[count];
    for (int i = 0; i < count; i++) {
      expected[i] = Trial.rounded(dtype, formula.of((float) storedA[i], (float) storedB[i]));
    }
    t.exactly(y, expected);
  }

  private static void narrowing(Trial t, float[] values, int misalignment) {
    t.misalign(misalignment);
    Operand x = t.input("x", values);
    Operand y = t.output("y", Element.BFLOAT16, values.length);
    t.run((k, stream) -> k.layers().toBfloat16(stream, values.length, x.at(), y.at()));
    long[] expected = new long[values.length];
    for (int i = 0; i < values.length; i++) {
      expected[i] = Float.isNaN(values[i]) ? 0x7fff : Bfloat16.of(values[i]);
    }
    t.bits(y, expected);
  }

  private static void widening(Trial t, int count, int misalignment) {
    t.misalign(misalignment);
    float[] values = t.uniform(count, -2, 2);
    Operand x = t.input("x", BFLOAT16, values);
    Operand y = t.output("y", Element.FLOAT, count);
    t.run((k, stream) -> k.layers().toFloat32(stream, count, x.at(), y.at()));
    t.exactly(y, Trial.stored(BFLOAT16, values));
  }

  @Override
  public List<GoodCall> goodCalls() {
    GoodCall.Argument count = GoodCall.size(5L, 1L << 39);
    GoodCall.Argument memory = GoodCall.memory(20, 4);
    GoodCall.Argument bfloat16s = GoodCall.memory(10, 2);
    return List.of(
        GoodCall.of("rais_relu", count, GoodCall.dtype(), memory, memory),
        GoodCall.of("rais_relu_backward", count, GoodCall.dtype(), memory, memory, memory),
        GoodCall.of("rais_add", count, GoodCall.dtype(), memory, memory, memory),
        GoodCall.of("rais_to_bfloat16", count, memory, bfloat16s),
        GoodCall.of("rais_to_float32", count, bfloat16s, memory));
  }
}
