package dev.rais.sampling;

/**
 * AdaScale's learning rate for large minibatches (T. B. Johnson, P. Agrawal, H. Gu and C. Guestrin,
 * "AdaScale SGD: A User-Friendly Algorithm for Distributed Training", ICML 2020), with uniform
 * sampling in shuffled epochs.
 *
 * <p>A minibatch of m is taken for S minibatches of the base size m0 = m/S, and the schedule and
 * its rate are those of the base size. A step with the large minibatch is worth between one and S
 * steps with the small one, depending on how much of a small one's gradient is noise:
 *
 * <pre>
 *   r = (σ² + μ²) / (σ²/S + μ²),   1 ≤ r ≤ S,   η = r · schedule(t̂)
 * </pre>
 *
 * with μ² = ‖∇F‖² and σ² the variance of the base minibatch's gradient, tr Σ1 / m0. The mean of
 * N_j² over a minibatch estimates tr Σ1 + μ² and its ‖g‖² estimates tr Σ1 / m + μ² = σ²/S + μ², so
 *
 * <pre>
 *   r = 1 + (S − 1) E[σ²/S] / E‖g‖²,   σ²/S ≈ (mean(N_j²) − ‖g‖²) / (m − 1)
 * </pre>
 *
 * both by exponential moving averages with the paper's 1 − S/1000 (at least 0). The paper takes the
 * variance between the gradients of S workers; here that between examples, which there are more of.
 *
 * <p>t̂ counts iterations with minibatches of m, as with every sampler: one is S iterations of the
 * base size, of which the step does r. So t̂ grows by r/S, and a run over E epochs equivalent takes
 * from E epochs, if all is noise, to S·E.
 */
public final class AdaScaleSampler extends AbstractSampler {
  /** S. */
  public static final double DEFAULT_SCALE = 4;

  private final double scale;
  private final double momentum;
  private final UniformDraws draws;

  /** Moving averages of σ²/S and ‖g‖²; their corrections for the start cancel in r. */
  private double noise;

  private double batchMoment;

  /**
   * A sampler over n examples.
   *
   * @param n number of examples
   * @param seed the run's seed
   * @param scale S, at least 1; minibatches must have as many examples or more
   */
  public AdaScaleSampler(int n, long seed, double scale) {
    super("adascale", new Population(n, null), 0);
    if (!(scale >= 1 && scale <= n)) {
      throw new IllegalArgumentException(
          "the scale must be from 1 to n = %d, but is %s".formatted(n, scale));
    }
    this.scale = scale;
    momentum = Math.max(0, 1 - scale / 1000);
    draws = new UniformDraws(population, seed);
  }

  @Override
  void fill(Minibatch batch, ForwardPass forward) {
    if (batch.size() < scale) {
      throw new IllegalArgumentException(
          "a minibatch of %d is no %s minibatches; draw more or lower the scale"
              .formatted(batch.size(), scale));
    }
    draws.fill(batch, DrawMode.ROUNDS);
  }

  @Override
  void learn(Minibatch batch, Observation observation) {
    int m = batch.size();
    double single = 0;
    for (int j = 0; j < m; j++) {
      double a = batch.weights()[j]; // 1 unless examples with weights of their own were added
      single += a * a * observation.momentNormsSquared()[j];
    }
    single /= m;
    double g = observation.batchGradientNormSquared();
    // One example says nothing about its variance; the scale is then 1 and so is the ratio.
    double estimate = m > 1 ? (single - g) / (m - 1) : 0;
    noise = momentum * noise + (1 - momentum) * estimate;
    batchMoment = momentum * batchMoment + (1 - momentum) * g;
    double ratio = batchMoment > 0 ? 1 + (scale - 1) * (noise / batchMoment) : 1;
    ratio = Math.clamp(ratio, 1, scale);
    advance(ratio, ratio, ratio / scale);
  }

  @Override
  public synchronized int[] upcoming(int count) {
    return draws.upcoming(count);
  }

  @Override
  public synchronized float[] relativeProbabilities() {
    return uniformProbabilities();
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
  void save(SamplerState state) {
    draws.save(state);
    state.put("adascale", noise, batchMoment);
  }

  @Override
  void load(SamplerState state) {
    draws.load(state);
    double[] values = state.doubles("adascale", 2);
    noise = values[0];
    batchMoment = values[1];
  }
}
