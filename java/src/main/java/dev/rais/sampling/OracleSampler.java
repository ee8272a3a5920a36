package dev.rais.sampling;

/**
 * The oracle (docs/algorithm.md §1): p_i ∝ u_i ‖∇f_i(w)‖ with exact norms, which the caller
 * computes from time to time. It minimises E‖g‖² at the moment its norms are made, and shows how
 * far any prediction of norms can go.
 */
public final class OracleSampler extends AbstractSampler {
  private static final double FLOOR = 0.001;

  private final DrawMode mode;
  private final int period;
  private final long seed;
  private final GainEstimator gain;
  private final Distribution distribution;
  private final IndependentDraws independent;
  private Round round;
  private long normsAt = Long.MIN_VALUE / 2;
  private long floored;
  private long refreshes;

  /**
   * A sampler over n examples.
   *
   * @param n number of examples
   * @param seed the run's seed
   * @param mode how indices are drawn
   * @param period minibatches drawn from one set of norms, at least 1
   * @param gainMax bound of the gain ratio
   */
  public OracleSampler(int n, long seed, DrawMode mode, int period, double gainMax) {
    this(n, null, seed, mode, period, gainMax);
  }

  /**
   * A sampler for a weighted objective.
   *
   * @param weights [n] u_i of the objective F = Σ u_i f_i / Σ u_i; null for 1 each
   */
  public OracleSampler(
      int n, float[] weights, long seed, DrawMode mode, int period, double gainMax) {
    super("oracle", new Population(n, weights), 0);
    if (period < 1) {
      throw new IllegalArgumentException("the oracle's period must be at least 1, not " + period);
    }
    this.mode = mode;
    this.period = period;
    this.seed = seed;
    gain = new GainEstimator(gainMax);
    independent = new IndependentDraws(seed);
    distribution = new Distribution(population);
    try {
      round = Round.none(distribution);
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  /** Whether {@link #setNorms} is to be called before the next {@link #draw}. */
  public synchronized boolean needsNorms() {
    return drawn() - normsAt >= period;
  }

  /**
   * Takes in exact norms.
   *
   * @param norms [indexBound] ‖∇f_i(w)‖; those of retired examples do not matter
   * @throws IllegalArgumentException if one is negative, NaN or infinite, with its index and value
   */
  public synchronized void setNorms(float[] norms) {
    int n = population.size();
    if (norms.length != n) {
      throw new IllegalArgumentException(
          "the oracle needs %d norms, not %d".formatted(n, norms.length));
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
      if (population.isActive(i)) {
        if (!(norms[i] >= 0 && norms[i] <= Float.MAX_VALUE)) {
          throw new IllegalArgumentException(
              "the norm of example %d must be finite and not negative, but is %s"
                  .formatted(i, norms[i]));
        }
        sum += norms[i];
      }
    }
    boolean anyPositive = sum > 0;
    float floor = anyPositive ? (float) (FLOOR * sum / population.active()) : 1f;
    for (int i = 0; i < n; i++) {
      if (anyPositive && population.isActive(i) && norms[i] < floor) {
        floored++;
      }
    }
    distribution.build(
        i -> {
          int index = (int) i;
          return population.isActive(index)
              ? population.weight(index) * Math.max(floor, norms[index])
              : 0f;
        });
    round.end();
    normsAt = drawn();
    refreshes++;
  }

  @Override
  void fill(Minibatch batch, ForwardPass forward) {
    if (needsNorms()) {
      throw new IllegalStateException("the oracle needs new exact norms before it can draw");
    }
    if (mode == DrawMode.IID) {
      independent.fill(batch, distribution);
      return;
    }
    int m = batch.size();
    for (int j = 0; j < m; j++) {
      int index = round.take();
      while (index < 0) {
        int size = (int) Math.max(1, Math.min((long) period * m, Round.MAX_SIZE) / m) * m;
        round = Round.generate(distribution, seed, round.number() + 1, size);
        index = round.take();
      }
      batch.set(j, index, distribution.np(index), distribution.relativeWeight(index));
    }
  }

  @Override
  void learn(Minibatch batch, Observation observation) {
    double ratio = gain.observe(batch, observation);
    advance(ratio, ratio);
  }

  @Override
  public synchronized int[] upcoming(int count) {
    return needsNorms() ? new int[0] : round.upcoming(count);
  }

  @Override
  public synchronized float[] relativeProbabilities() {
    return refreshes == 0 ? uniformProbabilities() : probabilities(distribution);
  }

  @Override
  public ScoreKind score() {
    return ScoreKind.NONE;
  }

  @Override
  public boolean usesMoments() {
    return true;
  }

  @Override
  void beforeRetire(int[] indices) {
    for (int index : indices) {
      distribution.retire(index);
    }
  }

  @Override
  void appended(int from, int[] labels) {
    normsAt = Long.MIN_VALUE / 2;
  }

  @Override
  public synchronized SamplerStatistics statistics() {
    return new SamplerStatistics(floored, gain.boundHits(), gain.boundShare(), refreshes, drawn());
  }

  @Override
  void save(SamplerState state) {
    gain.save(state);
    distribution.save(state, "oracle.");
    round.save(state, "oracle.");
    state.put("oracle", normsAt, floored, refreshes);
  }

  @Override
  void load(SamplerState state) {
    gain.load(state);
    distribution.load(state, "oracle.");
    round = Round.load(state, "oracle.", distribution);
    long[] values = state.longs("oracle", 3);
    normsAt = values[0];
    floored = values[1];
    refreshes = values[2];
  }

  @Override
  public void close() {
    distribution.close();
  }
}
