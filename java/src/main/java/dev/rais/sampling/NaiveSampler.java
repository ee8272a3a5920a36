package dev.rais.sampling;

/**
 * The naive baseline (docs/algorithm.md §1): p from the norms seen last, mixed with a share λ of
 * uniform. It trusts point estimates that are as old as an example's last visit, and with small λ
 * it diverges; that is the failure the robust set removes.
 */
public final class NaiveSampler implements ImportanceSampler {
  private final int n;
  private final DrawMode mode;
  private final double smoothing;
  private final UniformDraws uniform;
  private final ExampleHistory history;
  private final ClassMeans means;
  private final GainEstimator gain;
  private final SumTree tree;
  private final WeightedDraws weighted;
  private long drawn;
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
    if (!(smoothing > 0 && smoothing <= 1)) {
      throw new IllegalArgumentException(
          "the smoothing must be above 0 and at most 1, but is " + smoothing);
    }
    this.n = n;
    this.mode = mode;
    this.smoothing = smoothing;
    uniform = new UniformDraws(n, seed);
    gain = new GainEstimator(gainMax);
    history = new ExampleHistory(n);
    means = new ClassMeans(new int[n], 1);
    tree = new SumTree(n);
    weighted = new WeightedDraws(tree, seed);
  }

  @Override
  public int size() {
    return n;
  }

  @Override
  public Minibatch draw(int m) {
    uniform.checkBatch(m);
    Minibatch batch = new Minibatch(drawn, m, 0);
    if (means.isEmpty() || !(means.mean() > 0)) {
      uniform.fill(batch, mode);
    } else {
      weightedIterations++;
      if (mode == DrawMode.IID) {
        // Examples never seen stand at the running mean, which moves: bring them up to date once
        // an epoch.
        if (refreshes == 0 || sinceRefresh >= n) {
          refresh(i -> lastOrMean(i));
        }
        weighted.fillIndependently(batch, smoothing);
      } else {
        if (weighted.remaining() < m) {
          double sum = 0;
          for (int i = 0; i < n; i++) {
            sum += lastOrMean(i);
          }
          double mean = sum / n;
          refresh(
              i -> mean > 0 ? (float) ((1 - smoothing) * lastOrMean(i) / mean + smoothing) : 1f);
          weighted.startRound(Math.max(1, Math.min(n / 2, WeightedDraws.MAX_ROUND) / m) * m);
        }
        weighted.fillFromRound(batch);
      }
    }
    drawn++;
    sinceRefresh += m;
    return batch;
  }

  private void refresh(SumTree.LeafValues values) {
    means.freeze();
    tree.build(values);
    sinceRefresh = 0;
    refreshes++;
  }

  private float lastOrMean(long index) {
    int i = (int) index;
    return history.visits(i) == 0 ? means.mean() : history.last(i);
  }

  @Override
  public void observe(Minibatch batch, Observation observation) {
    observation.check(batch.size());
    GainEstimator.markObserved(batch);
    float[] norms = observation.scores();
    boolean first = means.isEmpty();
    means.observe(batch, norms);
    if (first) {
      means.freeze();
    }
    for (int j = 0; j < norms.length; j++) {
      history.visit(batch.indices()[j], norms[j]);
    }
    if (mode == DrawMode.IID && refreshes > 0) {
      tree.update(batch.indices(), norms, norms.length);
    }
    gain.observe(
        batch.weights(), observation.momentNormsSquared(), observation.batchGradientNormSquared());
  }

  @Override
  public double gainRatio() {
    return gain.gainRatio();
  }

  @Override
  public double effectiveIterations() {
    return gain.effectiveIterations();
  }

  @Override
  public SamplerStatistics statistics() {
    return new SamplerStatistics(
        0, gain.boundHits(), gain.boundShare(), refreshes, weightedIterations);
  }

  @Override
  public void close() {
    tree.close();
    history.close();
  }
}
