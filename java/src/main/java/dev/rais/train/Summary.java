package dev.rais.train;

/**
 * What a finished run came to: summary.json. Errors are fractions, times seconds.
 *
 * @param sampler name of the sampler
 * @param model name of the model
 * @param data name of the data set
 * @param backend what computed
 * @param seed the run's seed
 * @param batchSize m
 * @param iterations minibatches trained
 * @param epochs real epochs: (forward + 2 · backward examples) / (3n), passes that only score
 *     included
 * @param epochsEquivalent t̂ · m / n
 * @param finalTrainLoss mean loss on all training examples at the end, evaluation mode
 * @param finalTestError share of the test set classified wrongly at the end
 * @param finalTop5Error share of the test set whose class is not among the five most likely ones
 * @param bestTestError least such share at any evaluation
 * @param meanGainRatio t̂ / iterations
 * @param imagesPerSecond examples trained per second of training
 * @param secondsTraining time of the training loop, without evaluations
 * @param secondsTotal time of the run
 * @param samplerOverhead share of secondsTraining spent drawing, observing, updating and waiting
 *     for the uncertainty set
 * @param inputIdleShare share of secondsTraining in which nothing was computed for want of input
 * @param boundShare share of t̂ earned at the bound of the gain ratio
 * @param gainBoundHits minibatches whose gain ratio was cut at that bound
 * @param flooredExamples times that an example's value was raised so as to bound its weight
 * @param cautiousIterations minibatches drawn uniformly because importance sampling did not pay
 * @param forwardExamples examples sent forward, evaluations apart
 * @param backwardExamples examples sent backward
 * @param skipped minibatches left out because their loss or gradient was not finite
 * @param rateHalvings how often the run went back to a checkpoint and halved its learning rate
 */
public record Summary(
    String sampler,
    String model,
    String data,
    String backend,
    long seed,
    int batchSize,
    long iterations,
    double epochs,
    double epochsEquivalent,
    double finalTrainLoss,
    double finalTestError,
    double finalTop5Error,
    double bestTestError,
    double meanGainRatio,
    double imagesPerSecond,
    double secondsTraining,
    double secondsTotal,
    double samplerOverhead,
    double inputIdleShare,
    double boundShare,
    long gainBoundHits,
    long flooredExamples,
    long cautiousIterations,
    long forwardExamples,
    long backwardExamples,
    long skipped,
    int rateHalvings) {}
