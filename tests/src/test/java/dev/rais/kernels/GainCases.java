package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.backend.cuda.Kernels;
import dev.rais.backend.cuda.StateLayout;
import dev.rais.nn.Schedule;
import dev.rais.sampling.JavaGain;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** rais_gain: the bits of Java's GainEstimator and Schedule. */
final class GainCases implements KernelCases {
  private static final int METRICS = 4;

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    cases.add(new Case("rais_gain_init", "of poison", GainCases::init));
    for (int m : new int[] {1, 2, 31, 33, 255, 1023, 1025}) {
      for (Schedule schedule : Schedule.values()) {
        cases.add(
            new Case("rais_gain", m + ", " + schedule, t -> step(t, m, schedule, false, false)));
      }
      cases.add(
          new Case("rais_gain", m + ", weighted", t -> step(t, m, Schedule.COSINE, true, false)));
      cases.add(new Case("rais_gain", m + ", shadow", t -> step(t, m, Schedule.STEP, true, true)));
    }
    for (String what : List.of("loss", "norm", "weight", "gradient")) {
      cases.add(new Case("rais_gain", "bad " + what, t -> refused(t, what)));
    }
    return cases;
  }

  private static void init(Trial t) {
    Operand gain = t.output("gain", Element.DOUBLE, StateLayout.GAIN_LENGTH);
    t.run((kernels, stream) -> kernels.state().gainInit(stream, gain.at()));
    t.bits(gain, start().state());
  }

  private static JavaGain start() {
    return new JavaGain(10);
  }

  /** The norms' squares as the kernel makes them. */
  private static float[] squares(float[] norms, float[] hidden) {
    float[] squares = new float[norms.length];
    for (int j = 0; j < norms.length; j++) {
      squares[j] = norms[j] * norms[j] * (hidden[j] + 1);
    }
    return squares;
  }

  private static void step(Trial t, int m, Schedule schedule, boolean weighted, boolean shadowed) {
    double gainMax = 1 + 2 * t.random().nextDouble();
    JavaGain java = new JavaGain(gainMax);
    double total = 1 + 400 * t.random().nextDouble();
    // What came before, in Java.
    int steps = t.random().nextInt(300);
    for (int s = 0; s < steps; s++) {
      float[] w = t.uniform(3, 0.2, 1.2);
      java.observe(w, w, null, t.uniform(3, 0, 2), t.random().nextDouble());
    }
    final double[] before = java.state();
    final float[] weights = t.uniform(m, 0.1, 1.3);
    final float[] importance = weighted ? t.uniform(m, 0.1, 1.3) : weights;
    float[] shadow = shadowed ? t.uniform(m, 1, 6) : null;
    float[] norms = t.uniform(m, 0, 2);
    float[] hidden = t.uniform(m, 0, 20);
    float[] losses = t.uniform(m, 0, 5);
    double gradient = t.random().nextDouble() * 20;
    java.observe(weights, importance, shadow, squares(norms, hidden), gradient);
    double loss = 0;
    for (int j = 0; j < m; j++) {
      loss += weights[j] * losses[j];
    }
    long number = t.random().nextInt(1000);

    Operand as = t.input("weights", weights);
    Operand ws = weighted ? t.input("importance", importance) : null;
    Operand nps = shadowed ? t.input("shadow", shadow) : null;
    Operand ns = t.input("norms", norms);
    Operand hs = t.input("hidden_squared_norms", hidden);
    Operand ls = t.input("losses", losses);
    Operand g = t.input("gradient_squared_norm", gradient);
    double[] table = schedule.table(0.05, total);
    Operand rates = t.input("schedule", table);
    Operand floored = t.input("floored", 77L);
    Operand iteration = t.updated("iteration", number);
    Operand gain = t.updated("gain", before);
    Operand rate = t.output("learning_rate", Element.FLOAT, 1);
    Operand accepted = t.output("accepted", Element.INT, 1);
    long slotBytes = StateLayout.STEP_METRICS.byteSize();
    Operand metrics = t.updated("metrics", new long[(int) (METRICS * slotBytes / Long.BYTES)]);
    t.run(
        (kernels, stream) ->
            kernels
                .state()
                .gain(
                    stream,
                    m,
                    as.at(),
                    Trial.at(ws),
                    Trial.at(nps),
                    ns.at(),
                    hs.at(),
                    ls.at(),
                    g.at(),
                    gainMax,
                    rates.at(),
                    (table.length - 2) / 4,
                    floored.at(),
                    iteration.at(),
                    gain.at(),
                    rate.at(),
                    accepted.at(),
                    metrics.at(),
                    METRICS));
    t.bits(gain, java.state());
    float expected = (float) java.learningRate(at -> schedule.learningRate(0.05, at, total));
    t.bits(rate, new float[] {expected});
    t.bits(accepted, new int[] {1});
    t.bits(iteration, new long[] {number + 1});
    MemorySegment all = MemorySegment.ofArray(metrics.bits());
    for (int slot = 0; slot < METRICS; slot++) {
      MemorySegment found = all.asSlice(slot * slotBytes, slotBytes);
      if (slot != number % METRICS) {
        assertEquals(-1, found.mismatch(MemorySegment.ofArray(new byte[(int) slotBytes])));
        continue;
      }
      assertEquals(number + 1, field(found, "step"));
      assertEquals(loss / m, field(found, "loss"));
      assertEquals(java.ratio(), field(found, "gainRatio"));
      assertEquals(java.estimate(), field(found, "gainEstimate"));
      assertEquals(java.effectiveIterations(), field(found, "effectiveIterations"));
      assertEquals(gradient, field(found, "gradientSquaredNorm"));
      assertEquals(java.boundHits(), field(found, "boundHits"));
      assertEquals(0L, field(found, "refused"));
      assertEquals(77L, field(found, "floored"));
      assertEquals(expected, field(found, "learningRate"));
      assertEquals(0, field(found, "flags"));
    }
  }

  private static Object field(MemorySegment metrics, String name) {
    long at = StateLayout.STEP_METRICS.byteOffset(PathElement.groupElement(name));
    return switch (StateLayout.STEP_METRICS.select(PathElement.groupElement(name))) {
      case java.lang.foreign.ValueLayout.OfLong l -> metrics.get(l, at);
      case java.lang.foreign.ValueLayout.OfDouble d -> metrics.get(d, at);
      case java.lang.foreign.ValueLayout.OfFloat f -> metrics.get(f, at);
      case java.lang.foreign.ValueLayout.OfInt i -> metrics.get(i, at);
      case Object other -> throw new AssertionError(other);
    };
  }

  private static void refused(Trial t, String what) {
    int m = 100;
    float bad = new float[] {Float.NaN, Float.POSITIVE_INFINITY, -1}[t.random().nextInt(3)];
    float[] weights = t.uniform(m, 0.1, 1.3);
    float[] norms = t.uniform(m, 0, 2);
    float[] losses = t.uniform(m, 0, 5);
    double gradient = what.equals("gradient") ? bad : 1;
    int at = t.random().nextInt(m);
    switch (what) {
      case "loss" -> losses[at] = Float.NaN;
      case "norm" -> norms[at] = bad;
      case "weight" -> weights[at] = bad;
      default -> {}
    }
    Operand as = t.input("weights", weights);
    Operand ns = t.input("norms", norms);
    Operand ls = t.input("losses", losses);
    Operand g = t.input("gradient_squared_norm", gradient);
    Operand rates = t.input("schedule", Schedule.CONSTANT.table(0.05, 100));
    Operand iteration = t.updated("iteration", 8L);
    double[] before = start().state();
    Operand gain = t.updated("gain", before);
    Operand rate = t.output("learning_rate", Element.FLOAT, 1);
    Operand accepted = t.output("accepted", Element.INT, 1);
    t.run(
        (kernels, stream) ->
            kernels
                .state()
                .gain(
                    stream,
                    m,
                    as.at(),
                    Trial.at(null),
                    Trial.at(null),
                    ns.at(),
                    Trial.at(null),
                    ls.at(),
                    g.at(),
                    10,
                    rates.at(),
                    1,
                    Trial.at(null),
                    iteration.at(),
                    gain.at(),
                    rate.at(),
                    accepted.at(),
                    Trial.at(null),
                    0));
    double[] after = Arrays.copyOf(before, before.length);
    after[StateLayout.GAIN_REFUSED] = 1;
    t.bits(gain, after);
    t.bits(rate, new float[] {0});
    t.bits(accepted, new int[] {0});
    t.bits(iteration, new long[] {9});
  }

  @Override
  public List<GoodCall> goodCalls() {
    return List.of(
        GoodCall.of("rais_gain_init", GoodCall.memory(StateLayout.GAIN_LENGTH * Double.BYTES, 8)),
        GoodCall.of(
            "rais_gain",
            GoodCall.size(3, Kernels.MAX_DRAWS),
            GoodCall.memory(12, 4),
            GoodCall.nullable(12, 4),
            GoodCall.nullable(12, 4),
            GoodCall.memory(12, 4),
            GoodCall.nullable(12, 4),
            GoodCall.nullable(12, 4),
            GoodCall.memory(8, 8),
            GoodCall.value(10.0, 0.99, -1.0, Double.NaN, Double.POSITIVE_INFINITY),
            GoodCall.memory(48, 8),
            GoodCall.size(1, Kernels.MAX_SCHEDULE_PIECES),
            GoodCall.nullable(8, 8),
            GoodCall.memory(8, 8),
            GoodCall.memory(128, 8),
            GoodCall.memory(4, 4),
            GoodCall.nullable(4, 4),
            GoodCall.nullable(3 * StateLayout.STEP_METRICS.byteSize(), 8),
            GoodCall.size(3, Kernels.MAX_DRAWS)));
  }
}
