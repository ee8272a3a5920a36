package dev.rais.sampling;

/** A {@link GainEstimator}, for tests of the kernel that must estimate the same. */
public final class JavaGain {
  private final GainEstimator estimator;
  private double ratio = 1;
  private double effectiveIterations;

  public JavaGain(double gainMax) {
    estimator = new GainEstimator(gainMax);
  }

  /**
   * Takes in a minibatch.
   *
   * @param weights a_j
   * @param importance w_j
   * @param shadow n p_j, or null
   * @param squares N_j²
   */
  public void observe(
      float[] weights, float[] importance, float[] shadow, float[] squares, double gradient) {
    int m = weights.length;
    Minibatch batch = new Minibatch(null, 0, m, 0, true);
    System.arraycopy(weights, 0, batch.weights(), 0, m);
    System.arraycopy(importance, 0, batch.importance, 0, m);
    batch.shadow = shadow;
    ratio = estimator.observe(batch, new Observation(new float[m], squares, gradient));
    effectiveIterations += ratio;
  }

  /** As {@link AbstractSampler#learningRate}. */
  public double learningRate(ImportanceSampler.RateSchedule schedule) {
    return ratio * schedule.at(effectiveIterations - ratio);
  }

  public double ratio() {
    return ratio;
  }

  public double estimate() {
    return estimator.estimate();
  }

  public double effectiveIterations() {
    return effectiveIterations;
  }

  public long boundHits() {
    return estimator.boundHits();
  }

  /** The memory that the kernels keep, in the order of their header. */
  public double[] state() {
    SamplerState state = new SamplerState("test");
    estimator.save(state);
    double[] all = new double[16];
    System.arraycopy(state.doubles("gain", 6), 0, all, 0, 6);
    all[6] = boundHits();
    all[7] = ratio;
    all[8] = effectiveIterations;
    return all;
  }
}
