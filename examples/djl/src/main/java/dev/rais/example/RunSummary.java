package dev.rais.example;

/**
 * What a run came to; as JSON the object that {@code --json} prints.
 *
 * @param sampler who chose the examples
 * @param data name of the data set
 * @param seed the run's seed
 * @param steps minibatches trained on
 * @param epochs examples trained on, in training sets
 * @param epochsEquivalent t̂ · m/n: how many uniform epochs that was worth, as measured
 * @param finalTestError share of test examples classified wrongly at the end
 * @param finalTrainLoss mean loss over the whole training set at the end
 * @param seconds time in steps, evaluations left out
 * @param meanGainRatio epochs equivalent per epoch
 */
public record RunSummary(
    String sampler,
    String data,
    int seed,
    long steps,
    double epochs,
    double epochsEquivalent,
    double finalTestError,
    double finalTrainLoss,
    double seconds,
    double meanGainRatio) {}
