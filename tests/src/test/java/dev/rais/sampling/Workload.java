package dev.rais.sampling;

import java.util.Random;

/**
 * A made-up training task for sampler tests: n examples in a few classes whose gradient norms are
 * drawn once from a skewed distribution, shrink as they are visited, and carry noise.
 */
final class Workload {
  final int n;
  final int classes;
  final int[] labels;
  final double[] norms;
  private final Random random;

  Workload(int n, int classes, long seed) {
    this.n = n;
    this.classes = classes;
    random = new Random(seed);
    labels = new int[n];
    norms = new double[n];
    for (int i = 0; i < n; i++) {
      labels[i] = random.nextInt(classes);
      double skewed = -Math.log(1 - random.nextDouble());
      norms[i] = 0.02 + skewed * skewed * (1 + labels[i]) / classes;
    }
  }

  /** Lets a sampler go through draw and observe, as training would. */
  void train(ImportanceSampler sampler, int iterations, int m) {
    for (int t = 0; t < iterations; t++) {
      Minibatch batch = sampler.draw(m);
      sampler.observe(batch, observe(batch));
    }
  }

  Observation observe(Minibatch batch) {
    int m = batch.size();
    float[] scores = new float[m];
    float[] squares = new float[m];
    double sum = 0;
    for (int j = 0; j < m; j++) {
      int i = batch.indices()[j];
      scores[j] = (float) (norms[i] * (0.8 + 0.4 * random.nextDouble()));
      squares[j] = scores[j] * scores[j];
      sum += batch.weights()[j] * squares[j];
      norms[i] *= 0.995;
    }
    // ‖g‖² of a gradient that is all noise; r can then reach 2 where sampling removes all of it.
    return new Observation(scores, squares, sum / m / m);
  }
}
