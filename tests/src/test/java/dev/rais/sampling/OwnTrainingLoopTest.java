package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The training loops of docs/samplers.md, word for word, on a softmax regression. */
class OwnTrainingLoopTest extends RandomTest {
  private static final int N = 900;

  private final Random random = random("own loop");
  private final int classes = 3;
  private final int m = 30;
  private final long seed = random.nextLong();
  private final double length = 10.0 * N / m;
  private final int[] labels = new int[N];
  private final SoftmaxRegression model = new SoftmaxRegression();

  /** Points around three centres in the plane. */
  private final class SoftmaxRegression {
    final double[][] points = new double[N][];
    final double[][] weights = new double[classes][3];
    final double[][] gradients = new double[classes][3];

    SoftmaxRegression() {
      for (int i = 0; i < N; i++) {
        labels[i] = i % classes;
        double angle = 2 * Math.PI * labels[i] / classes;
        double x = 2 * Math.cos(angle) + random.nextGaussian();
        double y = 2 * Math.sin(angle) + random.nextGaussian();
        points[i] = new double[] {1, x, y};
      }
    }

    double[] probabilities(int i) {
      double[] p = new double[classes];
      double sum = 0;
      for (int k = 0; k < classes; k++) {
        double z = 0;
        for (int d = 0; d < 3; d++) {
          z += weights[k][d] * points[i][d];
        }
        p[k] = Math.exp(z);
        sum += p[k];
      }
      for (int k = 0; k < classes; k++) {
        p[k] /= sum;
      }
      return p;
    }

    float[] gradient(int[] indices, float[] w) {
      float[] logitGradients = new float[indices.length * classes];
      for (double[] row : gradients) {
        java.util.Arrays.fill(row, 0);
      }
      for (int j = 0; j < indices.length; j++) {
        double[] p = probabilities(indices[j]);
        for (int k = 0; k < classes; k++) {
          double delta = p[k] - (labels[indices[j]] == k ? 1 : 0);
          logitGradients[j * classes + k] = (float) delta;
          for (int d = 0; d < 3; d++) {
            gradients[k][d] += w[j] * delta * points[indices[j]][d] / indices.length;
          }
        }
      }
      return logitGradients;
    }

    void update(double rate) {
      for (int k = 0; k < classes; k++) {
        for (int d = 0; d < 3; d++) {
          weights[k][d] -= rate * gradients[k][d];
        }
      }
    }

    float[] losses(int[] indices) {
      float[] losses = new float[indices.length];
      for (int j = 0; j < losses.length; j++) {
        losses[j] = (float) -Math.log(probabilities(indices[j])[labels[indices[j]]]);
      }
      return losses;
    }

    float[] train(int[] indices, float[] w) {
      float[] losses = losses(indices);
      gradient(indices, w);
      update(0.2);
      return losses;
    }

    double meanLoss() {
      double sum = 0;
      for (int i = 0; i < N; i++) {
        sum += losses(new int[] {i})[0] / N;
      }
      return sum;
    }
  }

  @Test
  void logitGradientsAreAllThatRaisNeeds() {
    try (ImportanceSampler sampler =
        new RaisSampler(labels, classes, seed, RaisOptions.defaults())) {
      while (sampler.effectiveIterations() < length) {
        Minibatch batch = sampler.draw(m);
        float[] logitGradients = model.gradient(batch.indices(), batch.weights());
        sampler.observe(batch, logitGradients, classes);
        model.update(sampler.learningRate(t -> 0.5 * (1 - t / length)));
      }
      assertTrue(sampler.statistics().weightedIterations() > 0, "importance sampling was used");
    }
    assertTrue(model.meanLoss() < 0.35, "loss " + model.meanLoss());
  }

  @Test
  void samplersThatScoreCandidatesCallBack() {
    try (ImportanceSampler sampler = new SelectiveBackpropSampler(N, seed, 1)) {
      while (sampler.effectiveIterations() < length) {
        Minibatch batch = sampler.draw(m, indices -> model.losses(indices));
        float[] losses = model.train(batch.indices(), batch.weights());
        sampler.observe(batch, Observation.ofScores(losses));
      }
    }
    assertTrue(model.meanLoss() < 0.5, "loss " + model.meanLoss());
  }
}
