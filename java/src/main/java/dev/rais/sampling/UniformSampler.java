package dev.rais.sampling;

/** Uniform sampling, in shuffled epochs or with independent draws; all weights are 1. */
public final class UniformSampler implements ImportanceSampler {
  private final UniformDraws draws;
  private final DrawMode mode;
  private long iteration;
  private long observed;

  /**
   * A sampler over n examples.
   *
   * @param n number of examples
   * @param seed the run's seed
   * @param mode {@link DrawMode#ROUNDS} for shuffled epochs, minibatches crossing their borders;
   *     {@link DrawMode#IID} for draws with replacement
   */
  public UniformSampler(int n, long seed, DrawMode mode) {
    this.draws = new UniformDraws(n, seed);
    this.mode = mode;
  }

  @Override
  public int size() {
    return draws.size();
  }

  @Override
  public Minibatch draw(int m) {
    draws.checkBatch(m);
    Minibatch batch = new Minibatch(iteration, m, 0);
    draws.fill(batch, mode);
    iteration++;
    return batch;
  }

  @Override
  public boolean usesNorms() {
    return false;
  }

  @Override
  public void observe(Minibatch batch, Observation observation) {
    GainEstimator.markObserved(batch);
    observed++;
  }

  @Override
  public double gainRatio() {
    return 1;
  }

  @Override
  public double effectiveIterations() {
    return observed;
  }

  @Override
  public SamplerStatistics statistics() {
    return SamplerStatistics.NONE;
  }

  @Override
  public void close() {
    // Nothing native is held.
  }
}
