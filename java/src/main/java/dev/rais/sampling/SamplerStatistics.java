package dev.rais.sampling;

/**
 * Counts and quantities of a sampler for metrics and reports.
 *
 * @param flooredExamples leaves raised to the floor of 0.001 · mean(v), over all refreshes and
 *     updates
 * @param gainBoundHits minibatches whose gain ratio was cut at the bound
 * @param boundShare share of t̂ that was earned at the bound
 * @param refreshes times a new uncertainty set (or a new set of exact norms) was applied
 * @param weightedIterations minibatches drawn from a distribution other than uniform
 * @param cautious whether draws are uniform at present because importance sampling did not pay
 * @param cautiousIterations minibatches drawn uniformly for that reason
 */
public record SamplerStatistics(
    long flooredExamples,
    long gainBoundHits,
    double boundShare,
    long refreshes,
    long weightedIterations,
    boolean cautious,
    long cautiousIterations) {
  static final SamplerStatistics NONE = new SamplerStatistics(0, 0, 0, 0, 0);

  SamplerStatistics(
      long flooredExamples,
      long gainBoundHits,
      double boundShare,
      long refreshes,
      long weightedIterations) {
    this(flooredExamples, gainBoundHits, boundShare, refreshes, weightedIterations, false, 0);
  }
}
