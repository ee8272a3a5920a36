package dev.rais.train;

/**
 * One evaluation: a line of metrics.jsonl. Errors are fractions, times seconds.
 *
 * @param iteration minibatches trained
 * @param epochs real epochs: (forward + 2 · backward examples) / (3n), passes that only score
 *     included
 * @param epochsEquivalent t̂ · m / n
 * @param gainRatio r of the last minibatch
 * @param learningRate η of the last minibatch
 * @param trainLoss mean loss on the fixed training examples (all n at the end), evaluation mode
 * @param testLoss mean loss on the test set
 * @param testError share of the test set that is classified wrongly
 * @param testTop5Error share of the test set whose class is not among the five most likely
 * @param gainBoundHits minibatches so far whose gain ratio was cut at its bound
 * @param boundShare share of t̂ earned at the bound
 * @param flooredExamples examples so far whose sampling value was raised to the floor
 * @param cautious whether draws are uniform at present because importance sampling did not pay
 * @param forwardExamples examples sent forward so far, evaluations apart
 * @param backwardExamples examples sent backward so far
 * @param skipped minibatches left out so far because their loss or gradient was not finite
 * @param seconds training time so far, without evaluations
 * @param draws how the sampler draws
 */
public record Metrics(
    long iteration,
    double epochs,
    double epochsEquivalent,
    double gainRatio,
    double learningRate,
    double trainLoss,
    double testLoss,
    double testError,
    double testTop5Error,
    long gainBoundHits,
    double boundShare,
    long flooredExamples,
    boolean cautious,
    long forwardExamples,
    long backwardExamples,
    long skipped,
    double seconds,
    Draws draws) {
  /** Lines of runs that recorded no draws have none. */
  public Metrics {
    draws = draws == null ? Draws.UNKNOWN : draws;
  }
}
