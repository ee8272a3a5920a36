package dev.rais.sampling;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/**
 * What all samplers share: one call at a time, checks before anything changes, minibatches drawn
 * and not yet observed, the gain ratio of the last one and t̂.
 */
abstract class AbstractSampler implements ImportanceSampler {
  /** Far more than any loader draws ahead: a loop that forgets to observe ends here. */
  static final int MAX_OUTSTANDING = 1 << 16;

  private final String name;
  private final int features;
  final Population population;
  private final TreeMap<Long, Minibatch> outstanding = new TreeMap<>();
  private long drawn;
  private double rateFactor = 1;
  private double gainRatio = 1;
  private double advance;
  private double effectiveIterations;

  /**
   * @param name of this kind of sampler, for states and messages
   * @param features features that a minibatch carries per example
   */
  AbstractSampler(String name, Population population, int features) {
    this.name = name;
    this.population = population;
    this.features = features;
  }

  /** Sets every slot of a new minibatch. */
  abstract void fill(Minibatch batch, ForwardPass forward);

  /** Learns from a checked observation; calls {@link #advance} once. */
  abstract void learn(Minibatch batch, Observation observation);

  /** Adds this sampler's own state. */
  abstract void save(SamplerState state);

  /** Takes over what {@link #save} put there. */
  abstract void load(SamplerState state);

  /** Whether examples can be added and retired. */
  boolean dataMayChange() {
    return true;
  }

  /** Called under the lock before indices are retired; they are checked and still active. */
  void beforeRetire(int[] indices) {}

  /** Called under the lock after {@link Population#append}. */
  void appended(int from, int[] labels) {}

  /** Checks labels that are to be appended, where they matter; changes nothing. */
  void checkAppend(int[] labels) {}

  /** Called under the lock before anything is taken over from a state. */
  void beforeRestore() {}

  private void requireChangeable() {
    if (!dataMayChange()) {
      throw new UnsupportedOperationException(
          "the examples of a " + name + " sampler cannot change");
    }
  }

  /** Minibatches drawn so far. */
  final long drawn() {
    return drawn;
  }

  /**
   * What the minibatch being observed is worth.
   *
   * @param ratio the gain ratio to report, and the factor of the learning rate
   * @param iterations by how much t̂ grows
   */
  final void advance(double ratio, double iterations) {
    advance(ratio, ratio, iterations);
  }

  /** {@link #advance(double, double)} with a rate that is scaled by another factor. */
  final void advance(double ratio, double factor, double iterations) {
    gainRatio = ratio;
    rateFactor = factor;
    advance = iterations;
    effectiveIterations += iterations;
  }

  /** n p_i of uniform draws. */
  final float[] uniformProbabilities() {
    float[] np = new float[population.size()];
    for (int i = 0; i < np.length; i++) {
      np[i] = population.isActive(i) ? 1 : 0;
    }
    return np;
  }

  /** n p_i of draws from a distribution. */
  final float[] probabilities(Distribution distribution) {
    float[] np = new float[population.size()];
    for (int i = 0; i < np.length; i++) {
      np[i] = (float) distribution.np(i);
    }
    return np;
  }

  /** Checks scores that a forward pass gave; {@code indices} says whose they are. */
  final float[] scores(ForwardPass forward, int[] indices) {
    float[] scores = forward.scores(indices);
    if (scores.length != indices.length) {
      throw new IllegalArgumentException(
          "a forward pass of %d examples gave %d scores".formatted(indices.length, scores.length));
    }
    boolean signed = score() == ScoreKind.LOSS;
    for (int j = 0; j < scores.length; j++) {
      if (!(signed || scores[j] >= 0) || !(Math.abs(scores[j]) <= Float.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "the score of example %d must be finite%s, but is %s"
                .formatted(indices[j], signed ? "" : " and not negative", scores[j]));
      }
    }
    return scores;
  }

  @Override
  public boolean usesMoments() {
    return false;
  }

  @Override
  public SamplerStatistics statistics() {
    return SamplerStatistics.NONE;
  }

  @Override
  public void close() {
    // Most samplers hold nothing native.
  }

  @Override
  public final synchronized int size() {
    return population.active();
  }

  @Override
  public final synchronized int indexBound() {
    return population.size();
  }

  @Override
  public final synchronized Minibatch draw(int m, ForwardPass forward) {
    if (m < 1 || m > population.active()) {
      throw new IllegalArgumentException(
          "a minibatch must have from 1 to n = %d examples, not %d"
              .formatted(population.active(), m));
    }
    if (outstanding.size() == MAX_OUTSTANDING) {
      throw new IllegalStateException(
          "%,d minibatches were drawn and not observed: each one is to be observed"
              .formatted(MAX_OUTSTANDING));
    }
    Minibatch batch = new Minibatch(this, drawn, m, features, population.isWeighted());
    fill(batch, forward);
    drawn++;
    outstanding.put(batch.iteration(), batch);
    return batch;
  }

  @Override
  public final synchronized void observe(Minibatch batch, Observation observation) {
    requireOutstanding(batch);
    observation.check(batch, score(), usesMoments());
    outstanding.remove(batch.iteration());
    learn(batch, observation);
  }

  @Override
  public final synchronized void discard(Minibatch batch) {
    requireOutstanding(batch);
    outstanding.remove(batch.iteration());
  }

  private void requireOutstanding(Minibatch batch) {
    if (batch.sampler != this) {
      throw new IllegalArgumentException(
          "minibatch " + batch.iteration() + " was drawn by another sampler");
    }
    if (!outstanding.containsKey(batch.iteration())) {
      throw new IllegalArgumentException("minibatch " + batch.iteration() + " was observed before");
    }
  }

  @Override
  public final synchronized double gainRatio() {
    return gainRatio;
  }

  @Override
  public final synchronized double effectiveIterations() {
    return effectiveIterations;
  }

  @Override
  public final synchronized double learningRate(RateSchedule schedule) {
    return rateFactor * schedule.at(effectiveIterations - advance);
  }

  @Override
  public final synchronized void append(int[] labels, float[] weights) {
    requireChangeable();
    checkAppend(labels);
    int from = population.size();
    population.append(labels.length, weights);
    appended(from, labels);
  }

  @Override
  public final synchronized void retire(int... indices) {
    requireChangeable();
    population.checkRetire(indices);
    int[] active =
        java.util.Arrays.stream(indices).filter(population::isActive).distinct().toArray();
    beforeRetire(active);
    for (int index : active) {
      population.retire(index);
    }
  }

  @Override
  public final synchronized SamplerState state() {
    SamplerState state = new SamplerState(name);
    population.save(state);
    state.put("sampler", drawn, outstanding.size());
    state.put("sampler.advance", gainRatio, rateFactor, advance, effectiveIterations);
    for (Minibatch batch : outstanding.values()) {
      String prefix = "outstanding." + batch.iteration() + ".";
      state.put(prefix + "indices", batch.indices());
      state.put(prefix + "weights", batch.weights());
      state.put(prefix + "importance", batch.importance);
      state.put(prefix + "features", batch.features);
      state.put(prefix + "note", batch.note);
      if (batch.shadow != null) {
        state.put(prefix + "shadow", batch.shadow);
      }
    }
    state.put("outstanding", outstanding.keySet().stream().mapToLong(Long::longValue).toArray());
    save(state);
    return state;
  }

  @Override
  public final synchronized List<Minibatch> restore(SamplerState state) {
    if (!state.sampler().equals(name)) {
      throw new IllegalArgumentException(
          "a %s sampler cannot take over the state of a %s".formatted(name, state.sampler()));
    }
    beforeRestore();
    population.load(state);
    drawn = state.longs("sampler", 2)[0];
    double[] values = state.doubles("sampler.advance", 4);
    gainRatio = values[0];
    rateFactor = values[1];
    advance = values[2];
    effectiveIterations = values[3];
    outstanding.clear();
    for (long iteration : state.longs("outstanding", -1)) {
      String prefix = "outstanding." + iteration + ".";
      int[] indices = state.ints(prefix + "indices", -1);
      int m = indices.length;
      for (int index : indices) {
        if (index < 0 || index >= population.size()) {
          throw new IllegalArgumentException(
              "a state has drawn example %d of %d".formatted(index, population.size()));
        }
      }
      Minibatch batch = new Minibatch(this, iteration, m, features, population.isWeighted());
      System.arraycopy(indices, 0, batch.indices(), 0, m);
      System.arraycopy(state.floats(prefix + "weights", m), 0, batch.weights(), 0, m);
      System.arraycopy(state.floats(prefix + "importance", m), 0, batch.importance, 0, m);
      System.arraycopy(
          state.floats(prefix + "features", m * features), 0, batch.features, 0, m * features);
      batch.note = state.doubles(prefix + "note", 1)[0];
      if (state.has(prefix + "shadow")) {
        batch.shadow = state.floats(prefix + "shadow", m);
      }
      outstanding.put(iteration, batch);
    }
    load(state);
    return new ArrayList<>(outstanding.values());
  }
}
