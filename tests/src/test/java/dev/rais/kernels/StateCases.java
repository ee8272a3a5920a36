package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.cuda.Kernels;
import dev.rais.backend.cuda.StateKernels;
import dev.rais.backend.cuda.StateLayout;
import dev.rais.sampling.JavaState;
import dev.rais.sampling.Minibatch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/** rais_state_…: the bits of Java's ClassMeans, ExampleHistory, RecordRing and RobustValues. */
final class StateCases implements KernelCases {
  private static final int C_D_H = 2 * JavaState.FEATURES + 1;

  /**
   * A sampler's sizes.
   *
   * @param m slots of a minibatch
   */
  private record Sizes(int n, int classes, int records, int deferrable, int m) {
    @Override
    public String toString() {
      return "n %d, %d classes, %d records, m %d".formatted(n, classes, records, m);
    }
  }

  private static final Sizes[] SIZES = {
    new Sizes(1, 1, 1, 4, 1),
    new Sizes(13, 2, 5, 0, 31), // more slots than records and examples
    new Sizes(1023, 10, 200, 200, 33),
    new Sizes(1025, 257, 2100, 4200, 2049), // more slots than are sorted at once
    new Sizes(5000, 1500, 33, 129, 128),
  };

  @Override
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (String function :
        List.of("rais_state_bytes", "rais_state_offset", "rais_state_history_bytes")) {
      cases.add(new Case(function, "all sizes", StateCases::memory));
    }
    for (Sizes s : SIZES) {
      add(cases, s, "init", t -> init(t, s));
      for (boolean some : new boolean[] {false, true}) {
        String name = some ? ", some retired" : "";
        add(cases, s, "recount", name, t -> recount(t, new Sampler(t, s, some)));
        add(cases, s, "features", name, t -> features(t, new Sampler(t, s, some)));
        add(cases, s, "observe", name, t -> observe(t, new Sampler(t, s, some), 2, false));
        add(cases, s, "values", name, t -> values(t, new Sampler(t, s, some)));
        add(cases, s, "leaves", name, t -> leaves(t, new Sampler(t, s, some), false));
        if (s.deferrable > 0) {
          add(cases, s, "visit", name, t -> visit(t, new Sampler(t, s, some)));
        }
      }
      add(cases, s, "freeze", t -> freeze(t, new Sampler(t, s, false)));
      add(cases, s, "prepare", t -> prepare(t, new Sampler(t, s, true)));
      add(cases, s, "refresh", t -> refresh(t, new Sampler(t, s, true), false));
      add(cases, s, "refresh", ", zeros", t -> refresh(t, new Sampler(t, s, true), true));
      add(cases, s, "leaves", ", zeros", t -> leaves(t, new Sampler(t, s, true), true));
      add(cases, s, "apply", t -> apply(t, new Sampler(t, s, false)));
      add(cases, s, "observe", ", first", t -> observe(t, new Sampler(t, s, false), 0, false));
      add(
          cases,
          s,
          "observe",
          ", after zeros",
          t -> observeAfterZeros(t, new Sampler(t, s, false)));
      add(cases, s, "observe", ", refused", t -> refused(t, new Sampler(t, s, false)));
      if (s.deferrable > 0) {
        add(
            cases,
            s,
            "observe",
            ", visits wait",
            t -> observe(t, new Sampler(t, s, false), 1, true));
      }
    }
    return cases;
  }

  private static void add(List<Case> cases, Sizes s, String function, Consumer<Trial> body) {
    add(cases, s, function, "", body);
  }

  private static void add(
      List<Case> cases, Sizes s, String function, String name, Consumer<Trial> body) {
    cases.add(new Case("rais_state_" + function, s + name, body));
  }

  // ---- A sampler in Java, and its memory for the kernels ----

  private static final class Sampler {
    final Sizes s;
    final Trial t;
    final StateKernels kernels;
    final int[] labels;
    final float[] objective;
    final int[] retired;
    final JavaState java;
    final double[] set = new double[C_D_H];

    /** Visits that wait, where any do. */
    int[] waitingIndices = {};

    float[] waitingNorms = {};
    boolean deferring;
    long refused;

    Sampler(Trial t, Sizes s, boolean some) {
      this.s = s;
      this.t = t;
      kernels = t.kernels().state();
      labels = t.below(s.classes, s.n);
      objective = some ? t.uniform(s.n, 0.1, 2) : null;
      retired = some ? MinibatchCases.retired(s.n, 3) : new int[0];
      java = new JavaState(labels, s.classes, s.records, objective, retired);
    }

    Minibatch draw() {
      int[] indices = t.below(s.n, s.m);
      for (int j = 3; j < s.m; j += 4) {
        indices[j] = indices[j - 3]; // some twice
      }
      return java.draw(indices, t.uniform(s.m, 0.05, 4));
    }

    float[] norms() {
      float[] norms = new float[s.m];
      for (int j = 0; j < s.m; j++) {
        float u = t.random().nextFloat();
        norms[j] = u < 0.1f ? 0 : (float) Math.exp(20 * u - 18);
      }
      return norms;
    }

    /** Minibatches that came before. */
    void train(int minibatches) {
      for (int i = 0; i < minibatches; i++) {
        train(norms());
      }
    }

    /** A minibatch that came before. */
    void train(float[] norms) {
      Minibatch batch = draw();
      java.observe(batch, norms);
      java.visit(batch.indices(), norms);
      java.freeze();
    }

    void newSet(boolean zeros) {
      for (int k = 0; k < set.length; k++) {
        set[k] = zeros || t.random().nextInt(3) == 0 ? 0 : t.random().nextDouble();
      }
      java.refresh(set);
    }

    /** The block as it should be. */
    byte[] block() {
      byte[] block =
          new byte[Math.toIntExact(kernels.stateBytes(s.classes, s.records, s.deferrable))];
      long[] totals = new long[StateLayout.TOTALS];
      totals[StateLayout.TOTAL_WRITTEN] = java.written();
      totals[StateLayout.TOTAL_REVISITS] = java.revisits();
      totals[StateLayout.TOTAL_SEEN] = java.seen();
      totals[StateLayout.TOTAL_ACTIVE] = java.active();
      totals[StateLayout.TOTAL_FLOORED] = java.floored();
      totals[StateLayout.TOTAL_REFUSED] = refused;
      totals[StateLayout.TOTAL_DEFERRED] = deferring ? waitingNorms.length : -1;
      System.arraycopy(java.sums(), 0, totals, StateLayout.TOTAL_SUMS, 27);
      put(block, StateLayout.STATE_TOTALS, MemorySegment.ofArray(totals));
      put(block, StateLayout.STATE_SET, MemorySegment.ofArray(set));
      put(block, StateLayout.STATE_MEANS, MemorySegment.ofArray(java.means()));
      put(block, StateLayout.STATE_NEXT_FEATURES, MemorySegment.ofArray(java.nextFeatures()));
      put(block, StateLayout.STATE_COUNTS, MemorySegment.ofArray(java.counts()));
      put(block, StateLayout.STATE_FROZEN, MemorySegment.ofArray(java.frozen()));
      put(block, StateLayout.STATE_TERMS, MemorySegment.ofArray(java.terms()));
      put(block, StateLayout.STATE_NEXT_FROZEN, MemorySegment.ofArray(java.nextFrozen()));
      put(block, StateLayout.STATE_NEXT_TERMS, MemorySegment.ofArray(java.nextTerms()));
      put(block, StateLayout.STATE_RING, MemorySegment.ofArray(java.ring()));
      put(block, StateLayout.STATE_DEFERRED_INDICES, MemorySegment.ofArray(waitingIndices));
      put(block, StateLayout.STATE_DEFERRED_NORMS, MemorySegment.ofArray(waitingNorms));
      return block;
    }

    private void put(byte[] block, int part, MemorySegment values) {
      long at = kernels.stateOffset(s.classes, s.records, s.deferrable, part);
      MemorySegment.copy(values, 0, MemorySegment.ofArray(block), at, values.byteSize());
    }

    Operand state() {
      return t.updated("state", block());
    }

    Operand history() {
      return t.updated("history", java.history());
    }

    Operand labelsOperand() {
      return t.input("labels", labels);
    }

    MemorySegment retired(Operand bits) {
      return retired.length == 0 ? MemorySegment.NULL : bits.at();
    }

    Operand retiredOperand() {
      return MinibatchCases.bits(t, s.n, retired);
    }

    Operand objectiveOperand() {
      return objective == null ? null : t.input("objective", objective);
    }

    /** Requires what Java has. */
    void check(Operand state, Operand history) {
      assertArrayEquals(
          described(block()), described(bytes(state)), "the parts of the state's block");
      assertArrayEquals(block(), bytes(state), "the state's block");
      if (history != null) {
        assertArrayEquals(java.history(), bytes(history), "the history");
      }
    }

    private static byte[] bytes(Operand operand) {
      long[] bits = operand.bits();
      byte[] bytes = new byte[bits.length];
      for (int i = 0; i < bits.length; i++) {
        bytes[i] = (byte) bits[i];
      }
      return bytes;
    }

    /** A hash of each part, so that a failure says which it is. */
    private String[] described(byte[] block) {
      String[] parts = new String[13];
      for (int part = 0; part < parts.length; part++) {
        int from = (int) kernels.stateOffset(s.classes, s.records, s.deferrable, part);
        int to =
            part + 1 < parts.length
                ? (int) kernels.stateOffset(s.classes, s.records, s.deferrable, part + 1)
                : block.length;
        parts[part] = part + ": " + Arrays.hashCode(Arrays.copyOfRange(block, from, to));
      }
      return parts;
    }
  }

  // ---- The cases ----

  private static void memory(Trial t) {
    StateKernels kernels = t.kernels().state();
    for (Sizes s : SIZES) {
      long before = -1;
      for (int part = 0; part < 13; part++) {
        long at = kernels.stateOffset(s.classes, s.records, s.deferrable, part);
        assertTrue(at > before || s.deferrable == 0 && at == before);
        assertEquals(0, at % 16);
        before = at;
      }
      assertTrue(kernels.stateBytes(s.classes, s.records, s.deferrable) >= before);
      assertEquals((s.n + 1023) / 1024 * 16_384L, kernels.stateHistoryBytes(s.n));
    }
    for (int bad : new int[] {0, -1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
      assertEquals(0, kernels.stateBytes(bad, 1, 1));
      assertEquals(0, kernels.stateBytes(1, bad, 1));
      assertEquals(-1, kernels.stateOffset(bad, 1, 1, 0));
      assertEquals(0, kernels.stateHistoryBytes(bad > 0 ? Long.MAX_VALUE : bad));
    }
    assertEquals(0, kernels.stateBytes(1, 1, -1));
    assertEquals(-1, kernels.stateOffset(1, 1, 1, -1));
    assertEquals(-1, kernels.stateOffset(1, 1, 1, 13));
  }

  private static void init(Trial t, Sizes s) {
    Sampler sampler = new Sampler(t, s, false);
    Operand state = t.output("state", Element.BYTE, sampler.block().length);
    Operand history = sampler.history();
    Operand labels = sampler.labelsOperand();
    t.run(
        (kernels, stream) -> {
          kernels.state().stateInit(stream, s.classes, s.records, s.deferrable, state.at());
          kernels
              .state()
              .stateRecount(
                  stream,
                  s.n,
                  history.at(),
                  labels.at(),
                  MemorySegment.NULL,
                  s.classes,
                  s.records,
                  s.deferrable,
                  state.at());
        });
    sampler.check(state, history);
  }

  private static void recount(Trial t, Sampler sampler) {
    Sizes s = sampler.s;
    sampler.train(3);
    byte[] block = sampler.block();
    // What is counted anew is wrong before.
    for (int part : new int[] {StateLayout.STATE_COUNTS}) {
      int at = (int) sampler.kernels.stateOffset(s.classes, s.records, s.deferrable, part);
      Arrays.fill(block, at, at + 8 * s.classes, (byte) 0x33);
    }
    Arrays.fill(block, 8 * StateLayout.TOTAL_SEEN, 8 * StateLayout.TOTAL_FLOORED, (byte) 0x33);
    Arrays.fill(block, 8 * StateLayout.TOTAL_SUMS, 8 * (StateLayout.TOTAL_SUMS + 27), (byte) 0x33);
    Operand state = t.updated("state", block);
    Operand history = sampler.history();
    Operand labels = sampler.labelsOperand();
    Operand retired = sampler.retiredOperand();
    t.run(
        (kernels, stream) ->
            kernels
                .state()
                .stateRecount(
                    stream,
                    s.n,
                    history.at(),
                    labels.at(),
                    sampler.retired(retired),
                    s.classes,
                    s.records,
                    s.deferrable,
                    state.at()));
    sampler.check(state, history);
  }

  private static void freeze(Trial t, Sampler sampler) {
    Sizes s = sampler.s;
    sampler.train(2);
    Minibatch batch = sampler.draw();
    sampler.java.observe(batch, sampler.norms()); // moves the means
    Operand state = sampler.state();
    sampler.java.freeze();
    t.run(
        (kernels, stream) ->
            kernels.state().stateFreeze(stream, s.classes, s.records, s.deferrable, state.at()));
    sampler.check(state, null);
  }

  private static void features(Trial t, Sampler sampler) {
    Sizes s = sampler.s;
    sampler.train(2);
    Minibatch batch = sampler.draw();
    Operand state = sampler.state();
    Operand history = sampler.history();
    Operand labels = sampler.labelsOperand();
    Operand indices = t.input("indices", batch.indices());
    Operand features = t.output("features", Element.FLOAT, s.m * JavaState.FEATURES);
    t.run(
        (kernels, stream) ->
            kernels
                .state()
                .stateFeatures(
                    stream,
                    s.n,
                    history.at(),
                    labels.at(),
                    s.classes,
                    s.records,
                    s.deferrable,
                    state.at(),
                    s.m,
                    indices.at(),
                    features.at()));
    t.bits(features, JavaState.features(batch));
    sampler.check(state, history);
  }

  private static void observe(Trial t, Sampler sampler, int before, boolean defer) {
    sampler.train(before);
    if (defer) {
      sampler.deferring = true;
      int waiting = Math.min(3, sampler.s.deferrable - sampler.s.m);
      sampler.waitingIndices = t.below(sampler.s.n, waiting);
      sampler.waitingNorms = t.uniform(waiting, 0, 1);
    }
    Minibatch batch = sampler.draw();
    final Operand features = t.updated("features", JavaState.features(batch));
    final Operand state = sampler.state();
    final Operand history = sampler.history();
    float[] norms = sampler.norms();
    sampler.java.observe(batch, norms);
    if (defer) {
      sampler.waitingIndices = joined(sampler.waitingIndices, batch.indices());
      float[] all = Arrays.copyOf(sampler.waitingNorms, sampler.waitingIndices.length);
      System.arraycopy(norms, 0, all, sampler.waitingNorms.length, norms.length);
      sampler.waitingNorms = all;
    } else {
      sampler.java.visit(batch.indices(), norms);
    }
    launchObserve(t, sampler, state, history, batch, norms, features, 1);
    t.bits(features, JavaState.features(batch));
    sampler.check(state, history);
  }

  /** Norms above 0 after nothing but zeros, from which no features could be made. */
  private static void observeAfterZeros(Trial t, Sampler sampler) {
    sampler.train(new float[sampler.s.m]);
    observe(t, sampler, 0, false);
  }

  private static int[] joined(int[] a, int[] b) {
    int[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }

  private static void refused(Trial t, Sampler sampler) {
    sampler.train(1);
    Minibatch batch = sampler.draw();
    Operand features = t.updated("features", JavaState.features(batch));
    Operand state = sampler.state();
    Operand history = sampler.history();
    float[] norms = sampler.norms();
    boolean byNorm = t.random().nextBoolean();
    if (byNorm) {
      norms[t.random().nextInt(norms.length)] =
          new float[] {Float.NaN, Float.POSITIVE_INFINITY, -1}[t.random().nextInt(3)];
    }
    sampler.refused = 1;
    launchObserve(t, sampler, state, history, batch, norms, features, byNorm ? 1 : 0);
    t.bits(features, JavaState.features(batch));
    sampler.check(state, history);
  }

  private static void launchObserve(
      Trial t,
      Sampler sampler,
      Operand state,
      Operand history,
      Minibatch batch,
      float[] norms,
      Operand features,
      int acceptance) {
    Sizes s = sampler.s;
    Operand labels = sampler.labelsOperand();
    Operand retired = sampler.retiredOperand();
    Operand indices = t.input("indices", batch.indices());
    Operand weights = t.input("importance", JavaState.importance(batch));
    Operand ns = t.input("norms", norms);
    Operand accepted = t.input("accepted", acceptance);
    t.run(
        (kernels, stream) ->
            kernels
                .state()
                .stateObserve(
                    stream,
                    s.n,
                    history.at(),
                    labels.at(),
                    sampler.retired(retired),
                    s.classes,
                    s.records,
                    s.deferrable,
                    state.at(),
                    s.m,
                    indices.at(),
                    weights.at(),
                    ns.at(),
                    features.at(),
                    accepted.at()));
  }

  private static void visit(Trial t, Sampler sampler) {
    Sizes s = sampler.s;
    sampler.train(1);
    sampler.deferring = true;
    int waiting = 1 + t.random().nextInt(s.deferrable);
    sampler.waitingIndices = t.below(s.n, waiting);
    sampler.waitingNorms = t.uniform(waiting, 0, 3);
    final Operand state = sampler.state();
    final Operand history = sampler.history();
    Operand labels = sampler.labelsOperand();
    Operand retired = sampler.retiredOperand();
    sampler.java.visit(sampler.waitingIndices, sampler.waitingNorms);
    sampler.deferring = false;
    t.run(
        (kernels, stream) ->
            kernels
                .state()
                .stateVisit(
                    stream,
                    s.n,
                    history.at(),
                    labels.at(),
                    sampler.retired(retired),
                    s.classes,
                    s.records,
                    s.deferrable,
                    state.at()));
    sampler.check(state, history);
  }

  private static void prepare(Trial t, Sampler sampler) {
    Sizes s = sampler.s;
    sampler.train(3);
    Operand state = sampler.state();
    sampler.java.prepare();
    sampler.deferring = t.random().nextBoolean();
    t.run(
        (kernels, stream) ->
            kernels
                .state()
                .statePrepare(
                    stream,
                    s.classes,
                    s.records,
                    s.deferrable,
                    state.at(),
                    sampler.deferring ? 1 : 0));
    sampler.check(state, null);
  }

  private static void refresh(Trial t, Sampler sampler, boolean zeros) {
    Sizes s = sampler.s;
    sampler.train(3);
    sampler.java.prepare();
    float[] before = sampler.java.nextTerms();
    sampler.newSet(zeros);
    final byte[] expected = sampler.block();
    byte[] block = expected.clone();
    long at =
        sampler.kernels.stateOffset(
            s.classes, s.records, s.deferrable, StateLayout.STATE_NEXT_TERMS);
    MemorySegment.copy(
        MemorySegment.ofArray(before),
        0,
        MemorySegment.ofArray(block),
        at,
        (long) before.length * Float.BYTES);
    Operand state = t.updated("state", block);
    t.run(
        (kernels, stream) ->
            kernels.state().stateRefresh(stream, s.classes, s.records, s.deferrable, state.at()));
    sampler.check(state, null);
  }

  private static void apply(Trial t, Sampler sampler) {
    Sizes s = sampler.s;
    sampler.train(3);
    sampler.java.prepare();
    sampler.newSet(false);
    Operand state = sampler.state();
    sampler.java.apply();
    t.run(
        (kernels, stream) ->
            kernels.state().stateApply(stream, s.classes, s.records, s.deferrable, state.at()));
    sampler.check(state, null);
  }

  private static void leaves(Trial t, Sampler sampler, boolean zeros) {
    Sizes s = sampler.s;
    sampler.train(3);
    sampler.java.prepare();
    sampler.newSet(zeros);
    final Operand state = sampler.state();
    final Operand history = sampler.history();
    Operand labels = sampler.labelsOperand();
    Operand retired = sampler.retiredOperand();
    Operand objective = sampler.objectiveOperand();
    Operand leaves = t.output("leaves", Element.FLOAT, s.n);
    final float[] expected = sampler.java.leaves();
    t.run(
        (kernels, stream) ->
            kernels
                .state()
                .stateLeaves(
                    stream,
                    s.n,
                    history.at(),
                    labels.at(),
                    sampler.retired(retired),
                    Trial.at(objective),
                    s.classes,
                    s.records,
                    s.deferrable,
                    state.at(),
                    leaves.at()));
    t.bits(leaves, expected);
    sampler.check(state, history);
  }

  private static void values(Trial t, Sampler sampler) {
    Sizes s = sampler.s;
    sampler.train(3);
    sampler.java.prepare();
    sampler.newSet(false);
    sampler.java.apply();
    int[] which = t.below(s.n, s.m);
    final Operand state = sampler.state();
    final Operand history = sampler.history();
    Operand labels = sampler.labelsOperand();
    Operand retired = sampler.retiredOperand();
    Operand objective = sampler.objectiveOperand();
    Operand indices = t.input("indices", which);
    Operand values = t.output("values", Element.FLOAT, s.m);
    final float[] expected = sampler.java.values(which);
    t.run(
        (kernels, stream) ->
            kernels
                .state()
                .stateValues(
                    stream,
                    s.n,
                    history.at(),
                    labels.at(),
                    sampler.retired(retired),
                    Trial.at(objective),
                    s.classes,
                    s.records,
                    s.deferrable,
                    state.at(),
                    s.m,
                    indices.at(),
                    values.at()));
    t.bits(values, expected);
    sampler.check(state, history);
  }

  // ---- Bad arguments ----

  private static final long HISTORY_BYTES = 16_384;
  private static final long STATE_BYTES = 4096;

  /** The examples of a good call, then the state's sizes and block, then the rest. */
  private static GoodCall call(
      String function, boolean examples, boolean retired, boolean objective, Object... rest) {
    List<GoodCall.Argument> arguments = new ArrayList<>();
    if (examples) {
      arguments.add(GoodCall.size(40L, Kernels.MAX_TREE_SIZE));
      arguments.add(GoodCall.memory(HISTORY_BYTES, 16));
      arguments.add(GoodCall.memory(160, 4));
    }
    if (retired) {
      arguments.add(GoodCall.nullable(8, 4));
    }
    if (objective) {
      arguments.add(GoodCall.nullable(160, 4));
    }
    arguments.add(GoodCall.size(3, Kernels.MAX_CLASSES));
    arguments.add(GoodCall.size(10, Kernels.MAX_DRAWS));
    arguments.add(
        GoodCall.value(5, -1, Integer.MIN_VALUE, Kernels.MAX_DRAWS + 1, Integer.MAX_VALUE));
    arguments.add(GoodCall.memory(STATE_BYTES, 16));
    for (Object argument : rest) {
      arguments.add((GoodCall.Argument) argument);
    }
    return new GoodCall("rais_state_" + function, arguments);
  }

  @Override
  public List<GoodCall> goodCalls() {
    GoodCall.Argument count = GoodCall.size(3, Kernels.MAX_DRAWS);
    GoodCall.Argument each = GoodCall.memory(12, 4);
    GoodCall.Argument features = GoodCall.memory(72, 4);
    return List.of(
        call("init", false, false, false),
        call("recount", true, true, false),
        call("freeze", false, false, false),
        call("features", true, false, false, count, each, features),
        call(
            "observe",
            true,
            true,
            false,
            count,
            each,
            each,
            each,
            features,
            GoodCall.nullable(4, 4)),
        call("visit", true, true, false),
        call("values", true, true, true, count, each, each),
        call("prepare", false, false, false, GoodCall.value(1, -1, 2)),
        call("refresh", false, false, false),
        call("leaves", true, true, true, GoodCall.memory(160, 4)),
        call("apply", false, false, false));
  }
}
