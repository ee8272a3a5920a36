package dev.rais.sampling;

/** Uniform sampling, in shuffled epochs or with independent draws. */
public final class UniformSampler extends AbstractSampler {
  private final UniformDraws draws;
  private final DrawMode mode;
  private final double iterationsPerStep;

  /**
   * A sampler over n examples.
   *
   * @param n number of examples
   * @param seed the run's seed
   * @param mode {@link DrawMode#ROUNDS} for shuffled epochs, minibatches crossing their borders;
   *     {@link DrawMode#IID} for draws with replacement
   */
  public UniformSampler(int n, long seed, DrawMode mode) {
    this(n, null, seed, mode, 1);
  }

  /**
   * A sampler for a weighted objective, or one that goes through its schedule faster than it steps.
   *
   * @param n number of examples
   * @param weights [n] u_i of the objective F = Σ u_i f_i / Σ u_i; null for 1 each
   * @param seed the run's seed
   * @param mode how indices are drawn
   * @param iterationsPerStep by how much t̂ grows with a step, above 0; the rate is not scaled.
   *     With 2 a run ends after half the steps: the yardstick for samplers that save steps
   */
  public UniformSampler(
      int n, float[] weights, long seed, DrawMode mode, double iterationsPerStep) {
    super("uniform", new Population(n, weights), 0);
    if (!(iterationsPerStep > 0 && iterationsPerStep <= Double.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "the iterations per step must be above 0, but are " + iterationsPerStep);
    }
    this.draws = new UniformDraws(population, seed);
    this.mode = mode;
    this.iterationsPerStep = iterationsPerStep;
  }

  @Override
  void fill(Minibatch batch, ForwardPass forward) {
    draws.fill(batch, mode);
  }

  @Override
  void learn(Minibatch batch, Observation observation) {
    advance(1, iterationsPerStep);
  }

  @Override
  public synchronized int[] upcoming(int count) {
    return mode == DrawMode.IID ? new int[0] : draws.upcoming(count);
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
  void save(SamplerState state) {
    draws.save(state);
  }

  @Override
  void load(SamplerState state) {
    draws.load(state);
  }
}
