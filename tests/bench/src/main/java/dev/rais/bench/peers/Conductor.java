package dev.rais.bench.peers;

/** Tells a training run how many steps to train next, and is told how long they took. */
interface Conductor {
  /**
   * What a side is, once it is ready to train.
   *
   * @param engine what computes, for people
   * @param parameters number of trained values
   */
  record Ready(String engine, long parameters) {}

  /**
   * Result of some steps.
   *
   * @param steps minibatches trained
   * @param seconds wall-clock time of all of them
   * @param loss training loss at their end
   * @param weightedSteps minibatches so far, of all there were, that were not drawn uniformly
   */
  record Ran(int steps, double seconds, double loss, long weightedSteps) {}

  /** The run is about to begin. */
  void ready(Ready ready);

  /** Steps to train now, blocking until somebody wants some; 0 to end the run. */
  int next();

  /** The steps asked for are done. */
  void ran(Ran ran);
}
