package dev.rais.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.util.Arrays;

/**
 * What a {@link RaisSampler} keeps between draws, in its own classes, step by step and laid open:
 * for tests of the kernels that must keep the same.
 */
public final class JavaState implements AutoCloseable {
  public static final int FEATURES = ExampleHistory.FEATURES;

  /** Limbs of an exact sum, as the kernels keep them. */
  private static final int LIMBS = 9;

  private final int n;
  private final int classes;
  private final int records;
  private final Population population;
  private final ExampleHistory history;
  private final ClassMeans means;
  private final RecordRing ring;
  private final int[] labels;
  private FrozenMeans frozen;
  private FrozenMeans nextFrozen;
  private double[] nextFeatures = new double[FEATURES];
  private float[] terms;
  private float[] nextTerms;
  private RobustValues values;
  private RobustValues nextValues;
  private boolean allZero;
  private long floored;

  /**
   * No norm seen.
   *
   * @param records |D|
   * @param objective [n] weights, or null
   * @param retired examples that are
   */
  public JavaState(int[] labels, int classes, int records, float[] objective, int[] retired) {
    n = labels.length;
    this.classes = classes;
    this.records = records;
    this.labels = labels.clone();
    population = new Population(n, objective);
    history = new ExampleHistory(n);
    means = new ClassMeans(this.labels, classes);
    ring = new RecordRing(records);
    for (int index : retired) {
      means.retire(index, false);
      history.retire(index);
      population.retire(index);
    }
    terms = new float[8 + 2 * classes];
    nextTerms = terms.clone();
  }

  /** A minibatch as it is when it was drawn, with features if any norm was seen. */
  public Minibatch draw(int[] indices, float[] importance) {
    Minibatch batch = new Minibatch(null, 0, indices.length, FEATURES, false);
    for (int j = 0; j < indices.length; j++) {
      batch.set(j, indices[j], 1, 1);
      batch.importance[j] = importance[j];
    }
    if (frozen != null) {
      addFeatures(batch);
    }
    return batch;
  }

  private void addFeatures(Minibatch batch) {
    history.features(batch.indices(), batch.size(), labels, frozen, batch.features);
  }

  /** The features of a minibatch, row by row. */
  public static float[] features(Minibatch batch) {
    return batch.features.clone();
  }

  /** The importance weights of a minibatch. */
  public static float[] importance(Minibatch batch) {
    return batch.importance.clone();
  }

  /** As in {@link RaisSampler}; the visits are left to {@link #visit}. */
  public void observe(Minibatch batch, float[] norms) {
    boolean first = means.isEmpty();
    means.observe(batch, norms);
    if (first || frozen.mean() == 0) {
      frozen = means.freeze();
    }
    if (batch.features[ExampleHistory.MEAN] == 0) {
      addFeatures(batch);
    }
    for (int j = 0; j < norms.length; j++) {
      ring.add(batch, j, norms[j]);
    }
  }

  /** Visits, in this order. */
  public void visit(int[] indices, float[] norms) {
    for (int j = 0; j < norms.length; j++) {
      if (population.isActive(indices[j]) && history.visit(indices[j], norms[j])) {
        means.firstVisit(indices[j]);
      }
    }
  }

  /** What features are made from becomes what it now is. */
  public void freeze() {
    if (!means.isEmpty()) {
      frozen = means.freeze();
    }
  }

  /** What a refresh starts from. */
  public void prepare() {
    nextFrozen = means.freeze();
    nextFeatures = history.meanFeatures(means, nextFrozen);
  }

  /** What follows from a set: c, d̂, h*. */
  public void refresh(double[] set) {
    double[] c = Arrays.copyOf(set, FEATURES);
    double[] dHat = Arrays.copyOfRange(set, FEATURES, 2 * FEATURES);
    UncertaintySet trained = new UncertaintySet(c, dHat, set[2 * FEATURES]);
    Refresh refresh = Refresh.of(nextFrozen, nextFeatures, trained);
    allZero = refresh.allZero();
    nextValues = refresh.values(history, labels, population);
    // docs/algorithm.md §3, and how the kernels' header arranges it.
    double[] a = new double[FEATURES];
    for (int k = 0; k < FEATURES; k++) {
      a[k] = c[k] + refresh.errorScale() * dHat[k];
    }
    nextTerms = new float[8 + 2 * classes];
    nextTerms[0] = (float) a[ExampleHistory.LAST];
    nextTerms[1] = (float) a[ExampleHistory.PREVIOUS];
    nextTerms[2] = (float) a[ExampleHistory.AVERAGE];
    nextTerms[3] = refresh.floor();
    nextTerms[4] = allZero ? 1 : 0;
    for (int k = 0; k < classes; k++) {
      float classMean = nextFrozen.ofClass()[k];
      double visited =
          a[ExampleHistory.MEAN] * nextFrozen.mean() + a[ExampleHistory.CLASS_MEAN] * classMean;
      double filledIn =
          a[ExampleHistory.LAST]
              + a[ExampleHistory.PREVIOUS]
              + a[ExampleHistory.AVERAGE]
              + a[ExampleHistory.NEVER_SEEN];
      nextTerms[8 + 2 * k] = (float) visited;
      nextTerms[9 + 2 * k] = (float) (visited + filledIn * classMean);
    }
  }

  /** All leaves by the next terms; counts those that were raised to the floor. */
  public float[] leaves() {
    try (Distribution distribution = new Distribution(population)) {
      if (allZero) {
        distribution.build(i -> population.isActive((int) i) ? population.weight((int) i) : 0f);
      } else {
        floored += nextValues.build(distribution);
      }
      float[] leaves = new float[n];
      for (int i = 0; i < n; i++) {
        leaves[i] = distribution.tree().get(i);
      }
      return leaves;
    }
  }

  /** What was prepared comes into force. */
  public void apply() {
    frozen = nextFrozen;
    terms = nextTerms;
    values = nextValues;
  }

  /** Leaves of a few examples by the terms in force; counts those that were raised to the floor. */
  public float[] values(int[] indices) {
    float[] leaves = new float[indices.length];
    floored += values.at(indices, indices.length, leaves);
    return leaves;
  }

  // ---- What there is, in the types and order of the kernels' header ----

  public byte[] history() {
    SamplerState state = new SamplerState("test");
    history.save(state);
    return state.bytes("history").toArray(ValueLayout.JAVA_BYTE);
  }

  /** ḡ and the class means; NaN where no norm was seen. */
  public double[] means() {
    SamplerState state = new SamplerState("test");
    means.save(state, population);
    return means(state, classes);
  }

  static double[] means(SamplerState state, int classes) {
    double[] all = new double[1 + classes];
    all[0] = state.rawDoubles("means.mean", 1)[0];
    double[] ofClass = state.doubles("means", classes);
    int[] seen = state.ints("means.seen", classes);
    for (int k = 0; k < classes; k++) {
      all[1 + k] = seen[k] == 0 ? Double.NaN : ofClass[k];
    }
    return all;
  }

  /** Active examples of each class, then those of them never visited. */
  public int[] counts() {
    int[] counts = new int[2 * classes];
    for (int i = 0; i < n; i++) {
      if (population.isActive(i)) {
        counts[labels[i]]++;
        counts[classes + labels[i]] += history.visits(i) == 0 ? 1 : 0;
      }
    }
    return counts;
  }

  public float[] frozen() {
    return flat(frozen);
  }

  public float[] nextFrozen() {
    return flat(nextFrozen);
  }

  private float[] flat(FrozenMeans means) {
    float[] all = new float[1 + classes];
    if (means != null) {
      all[0] = means.mean();
      System.arraycopy(means.ofClass(), 0, all, 1, classes);
    }
    return all;
  }

  public double[] nextFeatures() {
    return nextFeatures.clone();
  }

  public float[] terms() {
    return terms.clone();
  }

  public float[] nextTerms() {
    return nextTerms.clone();
  }

  /** The columns of the ring, one behind the other. */
  public float[] ring() {
    SamplerState state = new SamplerState("test");
    ring.save(state);
    return ring(state, records);
  }

  static float[] ring(SamplerState state, int records) {
    float[] all = new float[(FEATURES + 2) * records];
    for (int k = 0; k < FEATURES; k++) {
      System.arraycopy(state.floats("ring.features." + k, records), 0, all, k * records, records);
    }
    System.arraycopy(state.floats("ring.norms", records), 0, all, FEATURES * records, records);
    System.arraycopy(
        state.floats("ring.weights", records), 0, all, (FEATURES + 1) * records, records);
    return all;
  }

  public long written() {
    SamplerState state = new SamplerState("test");
    ring.save(state);
    return state.longs("ring", 2)[0];
  }

  public long revisits() {
    return ring.revisits();
  }

  public long seen() {
    return population.active() - Arrays.stream(counts()).skip(classes).sum();
  }

  public long active() {
    return population.active();
  }

  public long floored() {
    return floored;
  }

  /** The exact sums of the active examples' norms, averages last, in limbs of 32 bits. */
  public long[] sums() {
    MemorySegment bytes = MemorySegment.ofArray(history());
    long[] limbs = new long[3 * LIMBS];
    for (int column = 0; column < 3; column++) {
      BigInteger sum = BigInteger.ZERO;
      for (int i = 0; i < n; i++) {
        if (population.isActive(i)) {
          long at = (i / 1024 * 4096L + column * 1024L + i % 1024) * Float.BYTES;
          sum = sum.add(units(bytes.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at)));
        }
      }
      for (int i = 0; i < LIMBS; i++) {
        limbs[column * LIMBS + i] = sum.shiftRight(32 * i).longValue() & 0xFFFFFFFFL;
      }
    }
    return limbs;
  }

  /** A float in units of the smallest one. */
  private static BigInteger units(float x) {
    return x == 0
        ? BigInteger.ZERO
        : new java.math.BigDecimal(x)
            .multiply(new java.math.BigDecimal(BigInteger.ONE.shiftLeft(149)))
            .toBigIntegerExact();
  }

  @Override
  public void close() {
    history.close();
  }
}
