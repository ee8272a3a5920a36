package dev.rais.sampling;

/**
 * Decides which examples to train on, with what weight, and how much further a step takes than a
 * uniform one.
 *
 * <p>One training step: {@link #draw} a minibatch, compute the gradient (1/m) Σ w_j ∇f_j, {@link
 * #observe} its gradient norms, then update with the learning rate {@link #learningRate} gives. The
 * run ends when {@link #effectiveIterations} reaches the schedule's length T (docs/algorithm.md
 * §5).
 *
 * <p>A sampler is used by one thread at a time.
 */
public interface ImportanceSampler extends AutoCloseable {
  /** A learning rate as a function of effective iterations t̂. */
  @FunctionalInterface
  interface RateSchedule {
    /** The rate at t̂, before the gain ratio is applied. */
    double at(double effectiveIterations);
  }

  /** Number of examples n. */
  int size();

  /**
   * Draws the next minibatch.
   *
   * @param m examples to draw, 1 to n
   * @throws IllegalArgumentException if m is out of range
   */
  Minibatch draw(int m);

  /** Whether {@link #observe} looks at the norms; where not, {@link Observation#NONE} will do. */
  default boolean usesNorms() {
    return true;
  }

  /**
   * Takes in what training on a minibatch showed.
   *
   * @param batch a minibatch of {@link #draw}; each is observed at most once
   * @param observation its norms
   * @throws IllegalArgumentException if a norm is negative, NaN or infinite, with its place and
   *     value, or an array's length is not m; the sampler is then unchanged
   */
  void observe(Minibatch batch, Observation observation);

  /** The gain ratio r_t of the minibatch observed last; 1 before the first. */
  double gainRatio();

  /** The sum t̂ of the gain ratios of all minibatches observed. */
  double effectiveIterations();

  /** The learning rate η_t = r_t · schedule(t̂_t) for the minibatch observed last. */
  default double learningRate(RateSchedule schedule) {
    return gainRatio() * schedule.at(effectiveIterations() - gainRatio());
  }

  /** Counts and quantities for reports. */
  SamplerStatistics statistics();

  @Override
  void close();
}
