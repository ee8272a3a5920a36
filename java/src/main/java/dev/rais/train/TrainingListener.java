package dev.rais.train;

/** Is told how a run goes; every method does nothing by default. */
public interface TrainingListener {
  /**
   * Where a run stands.
   *
   * @param iteration minibatches trained
   * @param epochs real epochs: (forward + 2 · backward examples) / (3n)
   * @param epochsEquivalent t̂ · m / n
   * @param totalEpochs E
   * @param loss running mean of the weighted minibatch loss
   * @param gainRatio r of the last minibatch
   * @param imagesPerSecond examples trained per second, without evaluations
   */
  record Progress(
      long iteration,
      double epochs,
      double epochsEquivalent,
      double totalEpochs,
      double loss,
      double gainRatio,
      double imagesPerSecond) {}

  /** After every minibatch. */
  default void progressed(Progress progress) {}

  /** After every evaluation. */
  default void evaluated(Metrics metrics) {}
}
