package dev.rais.sampling;

/**
 * The naive baseline (docs/algorithm.md §1): p from the norms seen last, mixed with a share λ of
 * uniform. It trusts point estimates that are as old as an example's last visit, and with small λ
 * it diverges; that is the failure the robust set removes.
 *
 * <p>p_i ∝ u_i ((1 − λ) v_i + λ v̄), v_i the norm seen last, or the running mean before the first
 * visit, v̄ the mean of v. v̄ is renewed once an epoch, or at the start of each round.
 */
public final class NaiveSampler extends AbstractSampler {
  private static final double ALPHA = 0.01;
  private static final double ROUND_FRACTION = 0.5;

  private final DrawMode mode;
  private final double smoothing;
  private final long seed;
  private final UniformDraws uniform;
  private final ExampleHistory history;
  private final GainEstimator gain;
  private final Distribution distribution;
  private final IndependentDraws independent;
  private Round round;

  /** Running mean of the norms; NaN before the first. */
  private double runningMean = Double.NaN;

  /** v̄ and the norm of examples never seen, as of the last refresh. */
  private float mean;

  private float unseen;
  private long sinceRefresh;
  private long refreshes;
  private long weightedIterations;

  /**
   * A sampler over n examples.
   *
   * @param n number of examples
   * @param seed the run's seed
   * @param mode how indices are drawn
   * @param smoothing λ, above 0 and at most 1
   * @param gainMax bound of the gain ratio
   */
  public NaiveSampler(int n, long seed, DrawMode mode, double smoothing, double gainMax) {
    this(n, null, seed, mode, smoothing, gainMax);
  }

  /**
   * A sampler for a weighted objective.
   *
   * @param weights [n] u_i of the objective F = Σ u_i f_i / Σ u_i; null for 1 each
   */
  public NaiveSampler(
      int n, float[] weights, long seed, DrawMode mode, double smoothing, double gainMax) {
    super("naive", new Population(n, weights), 0);
    if (!(smoothing > 0 && smoothing <= 1)) {
      throw new IllegalArgumentException(
          "the smoothing must be above 0 and at most 1, but is " + smoothing);
    }
    this.mode = mode;
    this.smoothing = smoothing;
    this.seed = seed;
    uniform = new UniformDraws(population, seed);
    gain = new GainEstimator(gainMax);
    independent = new IndependentDraws(seed);
    history = new ExampleHistory(n);
    try {
      distribution = new Distribution(population);
      round = Round.none(distribution);
    } catch (Throwable e) {
      close();
      throw e;
    }
  }

  @Override
  void fill(Minibatch batch, ForwardPass forward) {
    if (!(runningMean > 0)) {
      uniform.fill(batch, mode);
      return;
    }
    weightedIterations++;
    int m = batch.size();
    if (mode == DrawMode.IID) {
      if (refreshes == 0 || sinceRefresh >= population.active()) {
        refresh();
      }
      sinceRefresh += m;
      independent.fill(batch, distribution);
      return;
    }
    for (int j = 0; j < m; j++) {
      int index = round.take();
      while (index < 0) {
        refresh();
        int size = Round.size(ROUND_FRACTION, population.active(), m);
        round = Round.generate(distribution, seed, round.number() + 1, size);
        index = round.take();
      }
      batch.set(j, index, distribution.np(index), distribution.relativeWeight(index));
    }
  }

  private void refresh() {
    unseen = (float) runningMean;
    double sum = 0;
    for (int i = 0; i < population.size(); i++) {
      sum += population.isActive(i) ? lastOrMean(i) : 0;
    }
    mean = (float) (sum / population.active());
    distribution.build(i -> population.isActive((int) i) ? leaf((int) i) : 0f);
    sinceRefresh = 0;
    refreshes++;
  }

  private float leaf(int index) {
    float v = mean > 0 ? (float) ((1 - smoothing) * lastOrMean(index) + smoothing * mean) : 1f;
    return population.weight(index) * v;
  }

  private float lastOrMean(int index) {
    return history.visits(index) == 0 ? unseen : history.last(index);
  }

  @Override
  void learn(Minibatch batch, Observation observation) {
    float[] norms = observation.scores();
    double sum = 0;
    double weight = 0;
    for (int j = 0; j < norms.length; j++) {
      sum += batch.importance[j] * norms[j];
      weight += batch.importance[j];
    }
    runningMean =
        Double.isNaN(runningMean)
            ? sum / weight
            : runningMean + ALPHA * (sum / weight - runningMean);
    for (int j = 0; j < norms.length; j++) {
      if (population.isActive(batch.indices()[j])) {
        history.visit(batch.indices()[j], norms[j]);
      }
    }
    if (mode == DrawMode.IID && refreshes > 0) {
      float[] leaves = new float[norms.length];
      for (int j = 0; j < leaves.length; j++) {
        int index = batch.indices()[j];
        leaves[j] = population.isActive(index) ? leaf(index) : 0f;
      }
      distribution.tree().update(batch.indices(), leaves, leaves.length);
    }
    double ratio = gain.observe(batch, observation);
    advance(ratio, ratio);
  }

  @Override
  public synchronized int[] upcoming(int count) {
    return mode == DrawMode.IID
        ? new int[0]
        : runningMean > 0 ? round.upcoming(count) : uniform.upcoming(count);
  }

  @Override
  public synchronized float[] relativeProbabilities() {
    return refreshes == 0 ? uniformProbabilities() : probabilities(distribution);
  }

  @Override
  public ScoreKind score() {
    return ScoreKind.GRADIENT_NORM;
  }

  @Override
  public boolean usesMoments() {
    return true;
  }

  @Override
  void beforeRetire(int[] indices) {
    for (int index : indices) {
      distribution.retire(index);
      history.retire(index);
    }
  }

  @Override
  void appended(int from, int[] labels) {
    history.grow(population.size());
    if (mode == DrawMode.IID && refreshes > 0) {
      distribution.extend();
      for (int i = from; i < population.size(); i++) {
        distribution.tree().set(i, leaf(i));
      }
    }
  }

  @Override
  public synchronized SamplerStatistics statistics() {
    return new SamplerStatistics(
        0, gain.boundHits(), gain.boundShare(), refreshes, weightedIterations);
  }

  @Override
  void save(SamplerState state) {
    gain.save(state);
    uniform.save(state);
    history.save(state);
    distribution.save(state, "naive.");
    round.save(state, "naive.");
    state.put("naive", sinceRefresh, refreshes, weightedIterations);
    state.put("naive.means", runningMean, mean, unseen);
  }

  @Override
  void load(SamplerState state) {
    gain.load(state);
    uniform.load(state);
    history.load(state, population);
    distribution.load(state, "naive.");
    round = Round.load(state, "naive.", distribution);
    long[] counts = state.longs("naive", 3);
    sinceRefresh = counts[0];
    refreshes = counts[1];
    weightedIterations = counts[2];
    double[] means = state.rawDoubles("naive.means", 3);
    runningMean = means[0];
    mean = (float) means[1];
    unseen = (float) means[2];
  }

  @Override
  public void close() {
    if (distribution != null) { // null where the constructor fails
      distribution.close();
    }
    history.close();
  }
}
