package dev.rais.sampling; // for the states of RaisSampler

import dev.rais.nn.Schedule;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes sampler_golden.h: several hundred steps of RaisSampler, which the kernels must repeat bit
 * for bit. From the repository's root, after {@code mvn -pl java compile}:
 *
 * <pre>
 *   javac -cp java/target/classes -d java/target/golden tests/kernels/golden/SamplerGoldens.java
 *   java -cp java/target/classes:java/target/golden dev.rais.sampling.SamplerGoldens \
 *     > tests/kernels/sampler_golden.h
 * </pre>
 *
 * What a step observes is made up from Philox numbers in float arithmetic, here and in {@code
 * sampler_test.cpp}.
 */
final class SamplerGoldens {
  private static final long SEED = 0x0123456789ABCDEFL;

  /** Steps between two hashes of the minibatches so far. */
  private static final int BATCH_EVERY = 10;

  /** Steps between two hashes of the state. */
  private static final int STATE_EVERY = 50;

  /**
   * A run.
   *
   * @param retireAt step before which every eleventh example is retired; 0 for never
   * @param noisyUntil step until which all of the gradient is noise, so that r is 1
   */
  private record Run(
      String name,
      DrawMode draw,
      boolean weighted,
      boolean caution,
      int n,
      int classes,
      int m,
      int records,
      int retireAt,
      int noisyUntil,
      Schedule schedule,
      int steps) {}

  private static final Run[] RUNS = {
    new Run("iid", DrawMode.IID, false, false, 1000, 7, 32, 300, 0, 0, Schedule.COSINE, 400),
    new Run("rounds", DrawMode.ROUNDS, false, false, 1000, 7, 32, 300, 0, 0, Schedule.STEP, 400),
    new Run(
        "iid weighted", DrawMode.IID, true, false, 2500, 40, 50, 700, 170, 0, Schedule.STEP, 400),
    new Run(
        "rounds weighted",
        DrawMode.ROUNDS,
        true,
        false,
        2500,
        40,
        50,
        700,
        230,
        0,
        Schedule.COSINE,
        400),
    new Run(
        "iid cautious", DrawMode.IID, false, true, 700, 3, 40, 400, 0, 260, Schedule.CONSTANT, 600),
    new Run(
        "rounds cautious",
        DrawMode.ROUNDS,
        true,
        true,
        700,
        3,
        40,
        400,
        500,
        260,
        Schedule.CONSTANT,
        600),
  };

  /** The hash of a sequence, also computed by the tests: h = 31 h + next, from 0. */
  private static final class Hash {
    private long value;

    void add(long next) {
      value = 31 * value + next;
    }

    void add(float next) {
      add(Integer.toUnsignedLong(Float.floatToRawIntBits(next)));
    }

    void add(double next) {
      add(Double.doubleToRawLongBits(next));
    }
  }

  public static void main(String[] arguments) {
    line(
        "// Steps of Java's RaisSampler, written by golden/SamplerGoldens.java, which says how;"
            + " not");
    line("// edited by hand.");
    line("// clang-format off");
    line("#pragma once");
    line("");
    line("#include <cstdint>");
    line("#include <vector>");
    line("");
    line("namespace golden {");
    line("");
    line("constexpr int64_t kSamplerSeed = 0x%016x;", SEED);
    line("constexpr int kBatchEvery = %d;", BATCH_EVERY);
    line("constexpr int kStateEvery = %d;", STATE_EVERY);
    line("constexpr int kStreamShuffle = %d;", Streams.SHUFFLE);
    line("constexpr int kStreamUniform = %d;", Streams.UNIFORM_DRAW);
    line("constexpr int kStreamWeighted = %d;", Streams.WEIGHTED_DRAW);
    line("constexpr int kStreamOffset = %d;", Streams.ROUND_OFFSET);
    line("constexpr int kStreamOrder = %d;", Streams.ROUND_ORDER);
    line("");
    line("// Hashes of the state's parts after a step.");
    line("struct StateHashes {");
    line("  int step;");
    line("  uint64_t history, means, frozen, ring, leaves, gain;");
    line("  int64_t floored;");
    line("};");
    line("");
    line(
        "// A set, in the order of RAIS_STATE_SET, as bits; the steps after which its training"
            + " began,");
    line("// and in whose draw it was applied.");
    line("struct TrainedSet {");
    line("  int prepared, applied;");
    line("  uint64_t bits[13];");
    line("};");
    line("");
    line("struct Run {");
    line("  const char* name;");
    line("  bool rounds, weighted, caution;");
    line("  int n, classes, m, records, retireAt, noisyUntil;");
    line("  std::vector<double> schedule;");
    line("  int steps;");
    line("  std::vector<TrainedSet> sets;");
    line("  std::vector<uint64_t> batches;  // hash after every kBatchEvery steps");
    line("  std::vector<StateHashes> states;");
    line("  int cautiousIterations;");
    line("  int64_t boundHits;");
    line("};");
    line("");
    line("inline const std::vector<Run> kRuns = {");
    for (Run run : RUNS) {
      write(run);
    }
    line("};");
    line("");
    line("}  // namespace golden");
  }

  private static void write(Run run) {
    Philox scales = new Philox(SEED, 200);
    int[] labels = new int[run.n];
    float[] scale = new float[run.n];
    float[] objective = run.weighted ? new float[run.n] : null;
    for (int i = 0; i < run.n; i++) {
      float u = scales.uniformFloat(0, i);
      scale[i] = u * u * u * 2f + 0.001f;
      labels[i] = Math.min(scales.below(run.classes, 1, i), scales.below(run.classes, 2, i));
      if (run.weighted) {
        objective[i] = i % 50 == 7 ? 0 : 0.25f + scales.uniformFloat(3, i);
      }
    }
    Philox visits = new Philox(SEED, 201);
    List<String> sets = new ArrayList<>();
    List<String> batches = new ArrayList<>();
    List<String> states = new ArrayList<>();
    RaisOptions options = new RaisOptions(run.draw, run.records, 0.5, 3, false, run.caution);
    double total = run.steps * 1.5;
    Hash hash = new Hash();
    try (RaisSampler sampler = new RaisSampler(labels, run.classes, objective, SEED, options)) {
      int prepared = -1;
      long refreshes = 0;
      for (int t = 0; t < run.steps; t++) {
        if (run.retireAt > 0 && t == run.retireAt) {
          for (int i = 3; i < run.n; i += 11) {
            sampler.retire(i);
          }
        }
        Minibatch batch = sampler.draw(run.m);
        if (sampler.statistics().refreshes() > refreshes) {
          refreshes++;
          SamplerState state = sampler.state();
          StringBuilder bits = new StringBuilder();
          for (String name : new String[] {"refresh.c", "refresh.dHat", "refresh.hStar"}) {
            for (double value : state.doubles(name, -1)) {
              bits.append(hex(Double.doubleToRawLongBits(value))).append(", ");
            }
          }
          sets.add("{%d, %d, {%s}}".formatted(prepared, t, bits));
        }
        float[] norms = new float[run.m];
        float[] moments = new float[run.m];
        for (int j = 0; j < run.m; j++) {
          float u = visits.uniformFloat(t, 2 * j);
          norms[j] = u < 0.02f ? 0 : scale[batch.indices()[j]] * (0.5f + u);
          moments[j] = norms[j] * norms[j] * (visits.uniformFloat(t, 2 * j + 1) * 10f + 1);
        }
        double g = visits.uniform(t, -1);
        double gradient = t < run.noisyUntil ? 1 + g : 0.004 + 0.02 * g;
        boolean before = sampler.state().has("preparation");
        sampler.observe(batch, new Observation(norms, moments, gradient));
        if (!before && sampler.state().has("preparation")) {
          prepared = t;
        }
        for (int j = 0; j < run.m; j++) {
          hash.add(batch.indices()[j]);
          hash.add(batch.weights()[j]);
          hash.add(batch.importance[j]);
        }
        for (float feature : batch.features) {
          hash.add(feature);
        }
        hash.add((float) sampler.learningRate(at -> run.schedule.learningRate(0.05, at, total)));
        hash.add(sampler.gainRatio());
        hash.add(sampler.effectiveIterations());
        if ((t + 1) % BATCH_EVERY == 0) {
          batches.add(hex(hash.value));
        }
        if ((t + 1) % STATE_EVERY == 0) {
          states.add(hashes(t, sampler, run));
        }
      }
      SamplerStatistics statistics = sampler.statistics();
      line(
          "    {\"%s\", %s, %s, %s, %d, %d, %d, %d, %d, %d,",
          run.name,
          run.draw == DrawMode.ROUNDS,
          run.weighted,
          run.caution,
          run.n,
          run.classes,
          run.m,
          run.records,
          run.retireAt,
          run.noisyUntil);
      List<String> table = new ArrayList<>();
      for (double value : run.schedule.table(0.05, total)) {
        table.add(Double.toString(value));
      }
      line("     {%s}, %d,", String.join(", ", table), run.steps);
      lines(sets, 1);
      lines(batches, 4);
      lines(states, 1);
      line("     %d, %d},", statistics.cautiousIterations(), statistics.gainBoundHits());
    }
  }

  private static void lines(List<String> items, int perLine) {
    line("     {");
    for (int i = 0; i < items.size(); i += perLine) {
      line("      %s,", String.join(", ", items.subList(i, Math.min(items.size(), i + perLine))));
    }
    line("     },");
  }

  private static String hashes(int step, RaisSampler sampler, Run run) {
    SamplerState state = sampler.state();
    Hash history = new Hash();
    MemorySegment bytes = state.bytes("history");
    for (long at = 0; at < bytes.byteSize(); at += Integer.BYTES) {
      history.add(Integer.toUnsignedLong(bytes.get(ValueLayout.JAVA_INT, at)));
    }
    Hash means = new Hash();
    means.add(state.rawDoubles("means.mean", 1)[0]);
    int[] seen = state.ints("means.seen", run.classes);
    double[] ofClass = state.doubles("means", run.classes);
    for (int k = 0; k < run.classes; k++) {
      means.add(seen[k]);
      means.add(seen[k] == 0 ? 0.0 : ofClass[k]);
    }
    Hash frozen = new Hash();
    frozen.add(state.floats("rais.frozen", 1)[0]);
    for (float mean : state.floats("rais.frozen.ofClass", run.classes)) {
      frozen.add(mean);
    }
    Hash ring = new Hash();
    long[] counts = state.longs("ring", 2);
    ring.add(counts[0]);
    ring.add(counts[1]);
    for (int k = 0; k < ExampleHistory.FEATURES; k++) {
      add(ring, state.floats("ring.features." + k, run.records));
    }
    add(ring, state.floats("ring.norms", run.records));
    add(ring, state.floats("ring.weights", run.records));
    Hash leaves = new Hash();
    if (state.has("rais.leaves")) {
      MemorySegment values = state.bytes("rais.leaves");
      for (int i = 0; i < run.n; i++) {
        leaves.add(values.getAtIndex(ValueLayout.JAVA_FLOAT, i));
      }
    }
    Hash gain = new Hash();
    for (double value : state.doubles("gain", 6)) {
      gain.add(value);
    }
    return "{%d, %s, %s, %s, %s, %s, %s, %d}"
        .formatted(
            step,
            hex(history.value),
            hex(means.value),
            hex(frozen.value),
            hex(ring.value),
            hex(leaves.value),
            hex(gain.value),
            sampler.statistics().flooredExamples());
  }

  private static void add(Hash hash, float[] values) {
    for (float value : values) {
      hash.add(value);
    }
  }

  private static String hex(long bits) {
    return "0x%016x".formatted(bits);
  }

  private static void line(String format, Object... arguments) {
    System.out.printf(format + "%n", arguments);
  }
}
