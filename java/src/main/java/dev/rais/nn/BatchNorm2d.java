package dev.rais.nn;

import dev.rais.backend.BatchNorm;
import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.util.List;

/**
 * Batch norm per channel, with statistics that count examples by their importance weights
 * (docs/algorithm.md §6); outside training, with running means of these.
 *
 * <p>A {@link Model} makes one operation of it and what follows, where that is a {@link Relu} or
 * the end of a residual block.
 *
 * @param fusion what is done with the result; {@link Model.Builder} chooses
 * @param epsilon added to the variance
 * @param momentum share of a minibatch's statistics in the running ones
 */
public record BatchNorm2d(Fusion fusion, float epsilon, float momentum) implements JoiningLayer {
  /** The usual one: epsilon 1e-5, momentum 0.1. */
  public BatchNorm2d() {
    this(Fusion.NONE, 1e-5f, 0.1f);
  }

  BatchNorm2d with(Fusion following) {
    return new BatchNorm2d(following, epsilon, momentum);
  }

  @Override
  public String describe() {
    return switch (fusion) {
      case NONE -> "batch norm";
      case RELU -> "batch norm, relu";
      case ADD_RELU -> "batch norm, add, relu";
    };
  }

  @Override
  public Shape outputShape(Shape input) {
    return input;
  }

  @Override
  public List<TensorSpec> parameters(Shape input) {
    List<Integer> dims = List.of(input.channels());
    return List.of(TensorSpec.constant("weight", dims, 1), TensorSpec.constant("bias", dims, 0));
  }

  @Override
  public List<TensorSpec> state(Shape input) {
    List<Integer> dims = List.of(input.channels());
    return List.of(
        TensorSpec.constant("running_mean", dims, 0), TensorSpec.constant("running_var", dims, 1));
  }

  @Override
  public MemoryUse memory() {
    // The rectifier's mask is where the output is above 0, which the input alone tells without a
    // sum.
    return new MemoryUse(true, fusion == Fusion.ADD_RELU, false, true);
  }

  @Override
  public BoundLayer bind(LayerContext context) {
    int channels = context.inputShape().channels();
    int positions = context.inputShape().size() / channels;
    BatchNorm op =
        context
            .backend()
            .batchNorm(new BatchNormShape(context.batch(), positions, channels, epsilon, fusion));
    boolean training = context.mode() == Mode.TRAINING;
    Parameter gamma = context.parameters().get(0);
    Parameter beta = context.parameters().get(1);
    Buffer runningMean = context.state().get(0).value();
    Buffer runningVariance = context.state().get(1).value();
    Buffer mean = training ? context.backend().allocate(DType.FLOAT32, channels) : null;
    Buffer inverseDeviation = training ? context.backend().allocate(DType.FLOAT32, channels) : null;
    Buffer x = context.input();
    Buffer residual = context.residual();
    Buffer y = context.output();
    Buffer dy = context.outputGradient();
    Buffer dresidual = context.residualGradient();
    Buffer dx = context.inputGradient();
    return new BoundLayer() {
      @Override
      public void forward(Step step) {
        if (training) {
          op.forward(
              x,
              step.exampleWeights(),
              gamma.value(),
              beta.value(),
              residual,
              y,
              mean,
              inverseDeviation,
              runningMean,
              runningVariance,
              momentum);
        } else {
          op.forwardRunning(
              x, gamma.value(), beta.value(), runningMean, runningVariance, residual, y);
        }
      }

      @Override
      public void backward(Step step) {
        if (training) {
          op.backward(
              x,
              y,
              dy,
              step.exampleWeights(),
              gamma.value(),
              beta.value(),
              mean,
              inverseDeviation,
              dx,
              gamma.gradient(),
              beta.gradient(),
              dresidual);
        } else {
          op.backwardRunning(
              x,
              y,
              dy,
              gamma.value(),
              beta.value(),
              runningMean,
              runningVariance,
              dx,
              dresidual,
              context.squaredNorms());
        }
      }

      @Override
      public void close() {
        op.close();
        if (training) {
          mean.close();
          inverseDeviation.close();
        }
      }
    };
  }
}
