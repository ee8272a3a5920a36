package dev.rais.backend;

import static dev.rais.backend.DType.FLOAT32;

import dev.rais.backend.BatchNormShape.Fusion;

/**
 * Batch norm with weighted statistics (docs/algorithm.md §6), prepared for one {@link
 * BatchNormShape}: checks its operands, then runs.
 *
 * <p>With w_j the weight of example j, P positions and ω_j = w_j / (P Σw), a minibatch has per
 * channel the mean μ = Σ_js ω_j x_js and the variance v = Σ_js ω_j (x_js − μ)² over examples j and
 * positions s; x̂ = (x − μ) / √(v + ε) and y = γ x̂ + β, then what the shape's {@link Fusion} says.
 * Without weights all are 1. Sums are taken in an order that depends on the shape alone.
 *
 * <p>Weights are not looked at: if they sum to zero or one is not finite, all results are NaN.
 *
 * <p>x, y, dy, dx, residual and dresidual are of {@link Backend#activations}, [batch, positions,
 * channels]; all others FLOAT32: weights [batch], the rest [channels]. Outputs are overwritten
 * unless said otherwise.
 */
public abstract class BatchNorm implements AutoCloseable {
  private final BatchNormShape shape;
  private final DType activations;

  /**
   * Remembers what it is for.
   *
   * @param activations {@link Backend#activations}
   */
  protected BatchNorm(BatchNormShape shape, DType activations) {
    this.shape = shape;
    this.activations = activations;
  }

  /** The shape this operation was prepared for. */
  public final BatchNormShape shape() {
    return shape;
  }

  /**
   * y from the statistics of this minibatch, which also move the running ones: r ← r + momentum ·
   * (estimate − r). The estimate of the variance is v / (1 − Σ_js ω_j²), or v where that is not
   * above 0, as with a single element.
   *
   * @param exampleWeights w, or null for all 1
   * @param gamma γ
   * @param beta β
   * @param residual added before the rectifier with {@link Fusion#ADD_RELU}, else null
   * @param y output
   * @param mean output: μ, for {@link #backward}
   * @param inverseDeviation output: 1 / √(v + ε), for {@link #backward}
   * @param runningMean read and changed
   * @param runningVariance read and changed
   * @param momentum share of this minibatch in the running statistics
   */
  public final void forward(
      Buffer x,
      Buffer exampleWeights,
      Buffer gamma,
      Buffer beta,
      Buffer residual,
      Buffer y,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer runningMean,
      Buffer runningVariance,
      float momentum) {
    String op = "batch norm forward";
    whole(op, "x", x);
    Shapes.requireOrNull(op, "example weights", exampleWeights, FLOAT32, shape.batch());
    perChannel(op, "gamma", gamma);
    perChannel(op, "beta", beta);
    residual(op, "residual", residual);
    whole(op, "y", y);
    perChannel(op, "mean", mean);
    perChannel(op, "inverse deviation", inverseDeviation);
    perChannel(op, "running mean", runningMean);
    perChannel(op, "running variance", runningVariance);
    doForward(
        x,
        exampleWeights,
        gamma,
        beta,
        residual,
        y,
        mean,
        inverseDeviation,
        runningMean,
        runningVariance,
        momentum);
  }

  /** y from running statistics, for evaluation: x̂ = (x − runningMean) / √(runningVariance + ε). */
  public final void forwardRunning(
      Buffer x,
      Buffer gamma,
      Buffer beta,
      Buffer runningMean,
      Buffer runningVariance,
      Buffer residual,
      Buffer y) {
    String op = "batch norm forward with running statistics";
    whole(op, "x", x);
    perChannel(op, "gamma", gamma);
    perChannel(op, "beta", beta);
    perChannel(op, "running mean", runningMean);
    perChannel(op, "running variance", runningVariance);
    residual(op, "residual", residual);
    whole(op, "y", y);
    doForwardRunning(x, gamma, beta, runningMean, runningVariance, residual, y);
  }

  /**
   * Gradients of a loss whose gradient of y is dy; dy contains the example weights already. With δ
   * = dy, or dy where y > 0 and else 0 if there is a rectifier:
   *
   * <pre>
   *   dβ = Σ_js δ_js     dγ = Σ_js δ_js x̂_js     dresidual = δ
   *   dx_js = γ / √(v + ε) · (δ_js − ω_j dβ − ω_j x̂_js dγ)
   * </pre>
   *
   * @param x as in {@link #forward}
   * @param y what it left there with {@link Fusion#ADD_RELU}; else not read, and may be null
   * @param dy gradient of y
   * @param exampleWeights as in {@link #forward}
   * @param gamma as in {@link #forward}
   * @param beta as in {@link #forward}
   * @param mean what it left there
   * @param inverseDeviation what it left there
   * @param dx output, or null where it is not wanted; may be the same buffer as dy
   * @param dgamma output
   * @param dbeta output
   * @param dresidual output with {@link Fusion#ADD_RELU}, else null; may be the same buffer as dy,
   *     but not as dx
   */
  public final void backward(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer exampleWeights,
      Buffer gamma,
      Buffer beta,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer dx,
      Buffer dgamma,
      Buffer dbeta,
      Buffer dresidual) {
    String op = "batch norm backward";
    whole(op, "x", x);
    output(op, y);
    whole(op, "dy", dy);
    Shapes.requireOrNull(op, "example weights", exampleWeights, FLOAT32, shape.batch());
    perChannel(op, "gamma", gamma);
    perChannel(op, "beta", beta);
    perChannel(op, "mean", mean);
    perChannel(op, "inverse deviation", inverseDeviation);
    Shapes.requireOrNull(op, "dx", dx, activations, shape.count());
    perChannel(op, "dgamma", dgamma);
    perChannel(op, "dbeta", dbeta);
    residual(op, "dresidual", dresidual);
    doBackward(
        x,
        y,
        dy,
        exampleWeights,
        gamma,
        beta,
        mean,
        inverseDeviation,
        dx,
        dgamma,
        dbeta,
        dresidual);
  }

  /**
   * The same for {@link #forwardRunning}, where statistics are constants and every example has a
   * gradient of its own: dx = γ / √(runningVariance + ε) · δ.
   *
   * @param y what forwardRunning left there with {@link Fusion#ADD_RELU}; else not read, and may be
   *     null
   * @param dx output, or null where it is not wanted; may be the same buffer as dy
   * @param dresidual output with {@link Fusion#ADD_RELU}, else null; may be the same buffer as dy,
   *     but not as dx
   * @param squaredNorms [batch]: to that of example j, ‖Σ_s δ_js x̂_js‖² + ‖Σ_s δ_js‖² is added
   *     (docs/algorithm.md §4, "exact")
   */
  public final void backwardRunning(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer gamma,
      Buffer beta,
      Buffer runningMean,
      Buffer runningVariance,
      Buffer dx,
      Buffer dresidual,
      Buffer squaredNorms) {
    String op = "batch norm backward with running statistics";
    whole(op, "x", x);
    output(op, y);
    whole(op, "dy", dy);
    perChannel(op, "gamma", gamma);
    perChannel(op, "beta", beta);
    perChannel(op, "running mean", runningMean);
    perChannel(op, "running variance", runningVariance);
    Shapes.requireOrNull(op, "dx", dx, activations, shape.count());
    residual(op, "dresidual", dresidual);
    Shapes.require(op, "squared norms", squaredNorms, FLOAT32, shape.batch());
    doBackwardRunning(
        x, y, dy, gamma, beta, runningMean, runningVariance, dx, dresidual, squaredNorms);
  }

  private void whole(String op, String operand, Buffer buffer) {
    Shapes.require(op, operand, buffer, activations, shape.count());
  }

  private void perChannel(String op, String operand, Buffer buffer) {
    Shapes.require(op, operand, buffer, FLOAT32, shape.channels());
  }

  private void residual(String op, String operand, Buffer buffer) {
    Shapes.requireIf(
        shape.fusion() == Fusion.ADD_RELU, op, operand, buffer, activations, shape.count());
  }

  private void output(String op, Buffer y) {
    if (shape.fusion() == Fusion.ADD_RELU) {
      whole(op, "y", y);
    } else {
      Shapes.requireOrNull(op, "y", y, activations, shape.count());
    }
  }

  /** Operands are checked. */
  protected abstract void doForward(
      Buffer x,
      Buffer exampleWeights,
      Buffer gamma,
      Buffer beta,
      Buffer residual,
      Buffer y,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer runningMean,
      Buffer runningVariance,
      float momentum);

  /** Operands are checked. */
  protected abstract void doForwardRunning(
      Buffer x,
      Buffer gamma,
      Buffer beta,
      Buffer runningMean,
      Buffer runningVariance,
      Buffer residual,
      Buffer y);

  /** Operands are checked. */
  protected abstract void doBackward(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer exampleWeights,
      Buffer gamma,
      Buffer beta,
      Buffer mean,
      Buffer inverseDeviation,
      Buffer dx,
      Buffer dgamma,
      Buffer dbeta,
      Buffer dresidual);

  /** Operands are checked. */
  protected abstract void doBackwardRunning(
      Buffer x,
      Buffer y,
      Buffer dy,
      Buffer gamma,
      Buffer beta,
      Buffer runningMean,
      Buffer runningVariance,
      Buffer dx,
      Buffer dresidual,
      Buffer squaredNorms);

  @Override
  public abstract void close();
}
