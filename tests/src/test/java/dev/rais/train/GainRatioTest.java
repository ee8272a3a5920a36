package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.Mode;
import dev.rais.nn.Models;
import dev.rais.nn.Network;
import dev.rais.nn.Shape;
import dev.rais.sampling.DrawMode;
import dev.rais.sampling.Minibatch;
import dev.rais.sampling.Observation;
import dev.rais.sampling.OracleSampler;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * The estimated gain ratio of a frozen perceptron against the ratio of exact moments
 * (docs/algorithm.md §5), computed from all per-example gradients of the final layer.
 */
class GainRatioTest extends RandomTest {
  private static final int N = 400;
  private static final int M = 16;
  private static final int CLASSES = 4;

  @Test
  void theEstimateMatchesTheRatioOfExactMoments() {
    Random random = random("gain ratio");
    try (Backend backend = Backends.open("cpu", 1, warning -> {});
        Network network =
            new Network(backend, Models.mlp(new Shape(4, 4, 1), CLASSES), random.nextLong());
        BoundNetwork all = network.bind(N, Mode.TRAINING);
        BoundNetwork net = network.bind(M, Mode.TRAINING)) {
      float[] x = new float[N * 16];
      int[] y = new int[N];
      for (int i = 0; i < N; i++) {
        y[i] = random.nextInt(CLASSES);
        // Most examples lie close to zero and have small hidden activations; a few are far out.
        double scale = i % 8 == 0 ? 3 : 0.2;
        for (int k = 0; k < 16; k++) {
          x[i * 16 + k] = (float) (scale * random.nextGaussian());
        }
      }

      // Exact: per-example norms, full gradient, and from them all three moments.
      all.input().upload(x);
      Pass full = new Pass(network, all);
      float[] ones = new float[N];
      java.util.Arrays.fill(ones, 1f);
      Observation exact = full.run(y, ones);
      float[] norms = new float[N];
      double sum = 0;
      double uniformMoment = 0;
      for (int i = 0; i < N; i++) {
        norms[i] = (float) Math.sqrt(exact.momentNormsSquared()[i]);
        sum += norms[i];
        uniformMoment += exact.momentNormsSquared()[i] / N;
      }
      // p_i ∝ N_i: E‖g_R1‖² = Σ p_i N_i² / (n p_i)² = (Σ N_i)² / n².
      double weightedMoment = sum * sum / ((double) N * N);
      double batchMoment = weightedMoment / M + (1 - 1.0 / M) * exact.batchGradientNormSquared();
      double expected = 1 + (uniformMoment - weightedMoment) / (M * batchMoment);
      assertTrue(expected > 1.2, "the example must have something to gain: " + expected);

      // Estimated, from minibatches of the frozen network.
      try (OracleSampler sampler =
          new OracleSampler(N, random.nextLong(), DrawMode.IID, Integer.MAX_VALUE, 100)) {
        sampler.setNorms(norms);
        Pass pass = new Pass(network, net);
        float[] batchX = new float[M * 16];
        int[] batchY = new int[M];
        double mean = 0;
        int batches = 6000;
        int burnIn = 500;
        for (int t = 0; t < batches; t++) {
          Minibatch batch = sampler.draw(M);
          for (int j = 0; j < M; j++) {
            System.arraycopy(x, batch.indices()[j] * 16, batchX, j * 16, 16);
            batchY[j] = y[batch.indices()[j]];
          }
          net.input().upload(batchX);
          sampler.observe(batch, pass.run(batchY, batch.weights()));
          if (t >= burnIn) {
            mean += sampler.gainRatio() / (batches - burnIn);
          }
        }
        assertEquals(expected, mean, 0.03 * expected);
      }
    }
  }
}
