package dev.rais.example;

/**
 * What determines a run, but for the network.
 *
 * @param sampler who chooses the examples: "rais", "uniform", or the other library's own
 * @param epochs E: length of the run in epochs equivalent
 * @param batchSize m
 * @param learningRate at the start; a tenth of it from half of the run on, a hundredth from four
 *     fifths on
 * @param momentum μ
 * @param weightDecay factor of the L2 penalty's gradient
 * @param seed of the sampler and the initial parameters
 */
public record RunSettings(
    String sampler,
    double epochs,
    int batchSize,
    double learningRate,
    double momentum,
    double weightDecay,
    int seed) {

  /** T: the run's length in effective iterations, for n training examples. */
  public long scheduleLength(int n) {
    return Math.max(1, Math.round(epochs * n / batchSize));
  }

  /** The learning rate at t̂ of T, before any gain ratio. */
  public double learningRateAt(double effectiveIterations, long total) {
    double progress = effectiveIterations / total;
    return learningRate * (progress < 0.5 ? 1 : progress < 0.8 ? 0.1 : 0.01);
  }
}
