package dev.rais.sampling;

/**
 * The oracle (docs/algorithm.md §1): p_i ∝ ‖∇f_i(w)‖ from exact per-example norms of all n, which
 * minimises E‖g‖². Whoever trains computes the norms whenever {@link #needsNorms} says so: a
 * yardstick, not a way to save time.
 */
public final class OracleSampler implements ImportanceSampler {
  /** Norms are raised to this share of their mean, so that every example can be drawn. */
  private static final double FLOOR = 1e-6;

  private final int n;
  private final DrawMode mode;
  private final int period;
  private final UniformDraws uniform;
  private final GainEstimator gain;
  private final SumTree tree;
  private final WeightedDraws weighted;
  private long drawn;
  private long normsAt = Long.MIN_VALUE / 2;
  private long refreshes;
  private long floored;

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
    if (period < 1) {
      throw new IllegalArgumentException("the oracle's period must be at least 1, not " + period);
    }
    this.n = n;
    this.mode = mode;
    this.period = period;
    uniform = new UniformDraws(n, seed);
    gain = new GainEstimator(gainMax);
    tree = new SumTree(n);
    weighted = new WeightedDraws(tree, seed);
  }

  /** Whether {@link #setNorms} is to be called before the next {@link #draw}. */
  public boolean needsNorms() {
    return drawn - normsAt >= period;
  }

  /**
   * Takes in exact norms.
   *
   * @param norms [n] ‖∇f_i(w)‖
   * @throws IllegalArgumentException if one is negative, NaN or infinite, with its index and value
   */
  public void setNorms(float[] norms) {
    if (norms.length != n) {
      throw new IllegalArgumentException(
          "the oracle needs %d norms, not %d".formatted(n, norms.length));
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
      if (!(norms[i] >= 0 && norms[i] <= Float.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "the norm of example %d must be finite and not negative, but is %s"
                .formatted(i, norms[i]));
      }
      sum += norms[i];
    }
    float floor = (float) (FLOOR * sum / n);
    for (float norm : norms) {
      if (norm < floor) {
        floored++;
      }
    }
    boolean anyPositive = sum > 0;
    tree.build(i -> anyPositive ? Math.max(floor, norms[(int) i]) : 1f);
    weighted.endRound();
    normsAt = drawn;
    refreshes++;
  }

  @Override
  public int size() {
    return n;
  }

  @Override
  public Minibatch draw(int m) {
    uniform.checkBatch(m);
    if (needsNorms()) {
      throw new IllegalStateException("the oracle needs new exact norms before it can draw");
    }
    Minibatch batch = new Minibatch(drawn, m, 0);
    if (mode == DrawMode.IID) {
      weighted.fillIndependently(batch, 0);
    } else {
      if (weighted.remaining() < m) {
        long wanted = Math.min((long) period * m, WeightedDraws.MAX_ROUND);
        weighted.startRound((int) Math.max(1, wanted / m) * m);
      }
      weighted.fillFromRound(batch);
    }
    drawn++;
    return batch;
  }

  @Override
  public void observe(Minibatch batch, Observation observation) {
    observation.check(batch.size());
    GainEstimator.markObserved(batch);
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
    return new SamplerStatistics(floored, gain.boundHits(), gain.boundShare(), refreshes, drawn);
  }

  @Override
  public void close() {
    tree.close();
  }
}
