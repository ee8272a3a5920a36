package dev.rais.example;

/** What another library's network has to do so that a sampler of ours can drive its training. */
public interface ForeignTrainer extends AutoCloseable {
  /** Asked once in every step, between the forward pass and the update. */
  @FunctionalInterface
  interface StepRate {
    /**
     * The learning rate of this step.
     *
     * @param logitGradients [m, K] softmax(z_j) − y_j, row by row, without weights; {@link
     *     dev.rais.sampling.Observation#logitGradients} computes them from logits
     */
    double afterForward(float[] logitGradients);
  }

  /**
   * One training step: forward, ask {@code rate}, backward of the loss mean(w_j · loss_j), update.
   *
   * @param indices [m] examples of the minibatch; one may occur more than once
   * @param weights [m] w_j, factor of each example's loss
   * @param rate to be asked once, with the gradients of this minibatch's logits
   * @return the loss mean(w_j · loss_j) before the update
   */
  double step(int[] indices, float[] weights, StepRate rate);

  /** Mean unweighted loss over all training examples. */
  double trainLoss();

  /** Share of the test examples that are classified wrongly. */
  double testError();

  @Override
  void close();
}
