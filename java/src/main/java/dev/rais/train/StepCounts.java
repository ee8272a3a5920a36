package dev.rais.train;

/** What a run counts from step to step. */
final class StepCounts {
  static final double LOSS_ALPHA = 0.02;

  /** [n] how often each example was trained on. */
  final int[] draws;

  long iteration;
  long forwardExamples;
  long backwardExamples;

  /**
   * Minibatches that were left out as their loss or gradient was not finite ({@link SkippedSteps}).
   */
  long skipped;

  /** Those of them since the last that was trained. */
  int skippedInARow;

  /** How often the learning rate was halved after a rollback. */
  int rateHalvings;

  /** η of the last minibatch. */
  double learningRate;

  /** Running mean of the weighted minibatch loss. */
  double loss = Double.NaN;

  /** Time spent drawing, learning from norms, and waiting for sets. */
  long samplerNanos;

  StepCounts(int n) {
    draws = new int[n];
  }

  /** A minibatch of m was trained, or will be. */
  void stepped(int m) {
    iteration++;
    forwardExamples += m;
    backwardExamples += m;
  }

  /** Only so many minibatches of m were trained: those after them came to nothing. */
  void backTo(long trained, int m) {
    forwardExamples -= (iteration - trained) * m;
    backwardExamples -= (iteration - trained) * m;
    iteration = trained;
  }

  /** Takes in the loss of a minibatch. */
  void addLoss(double mean) {
    loss = Double.isNaN(loss) ? mean : loss + LOSS_ALPHA * (mean - loss);
  }
}
