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
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.Minibatch;
import dev.rais.sampling.NaiveSampler;
import dev.rais.sampling.OracleSampler;
import dev.rais.sampling.RaisOptions;
import dev.rais.sampling.RaisSampler;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The weighted minibatch gradients of a frozen perceptron, averaged over many draws, against the
 * gradient of the whole training set (docs/algorithm.md §2), for every weighted sampler.
 */
class WeightedGradientTest extends RandomTest {
  private static final int N = 300;
  private static final int M = 16;
  private static final int CLASSES = 3;
  private static final int PIXELS = 16;
  private static final int BURN_IN = 200;
  private static final int BATCHES = 3000;

  @ParameterizedTest
  @CsvSource({
    "rais,ROUNDS",
    "rais,IID",
    "naive,ROUNDS",
    "naive,IID",
    "oracle,ROUNDS",
    "oracle,IID"
  })
  void theMeanOverManyDrawsIsTheFullGradient(String name, DrawMode draw) {
    Random random = random("weighted gradient, " + name + " " + draw);
    float[] x = new float[N * PIXELS];
    int[] y = new int[N];
    for (int i = 0; i < N; i++) {
      y[i] = random.nextInt(CLASSES);
      double scale = i % 5 == 0 ? 2 : 0.3;
      for (int k = 0; k < PIXELS; k++) {
        x[i * PIXELS + k] = (float) (scale * random.nextGaussian());
      }
    }
    long seed = random.nextLong();
    try (Backend backend = Backends.open("cpu", 1, warning -> {});
        Network network = new Network(backend, Models.mlp(new Shape(4, 4, 1), CLASSES), seed);
        BoundNetwork all = network.bind(N, Mode.TRAINING);
        BoundNetwork net = network.bind(M, Mode.TRAINING)) {
      all.input().upload(x);
      float[] ones = new float[N];
      Arrays.fill(ones, 1f);
      float[] norms = root(new Pass(network, all).run(y, ones).momentNormsSquared());
      float[] full = network.gradients().toFloats();

      try (ImportanceSampler sampler = sampler(name, draw, y, seed)) {
        if (sampler instanceof OracleSampler oracle) {
          oracle.setNorms(norms);
        }
        // One direction per run: the gradient's own, mixed with a random one.
        double[] direction = new double[full.length];
        double expected = 0;
        for (int i = 0; i < full.length; i++) {
          direction[i] = full[i] + 0.02 * random.nextGaussian();
          expected += direction[i] * full[i];
        }
        Pass pass = new Pass(network, net);
        double sum = 0;
        double squares = 0;
        double weightSpread = 0;
        for (int t = 0; t < BURN_IN + BATCHES; t++) {
          Minibatch batch = sampler.draw(M);
          float[] batchX = new float[M * PIXELS];
          int[] batchY = new int[M];
          for (int j = 0; j < M; j++) {
            System.arraycopy(x, batch.indices()[j] * PIXELS, batchX, j * PIXELS, PIXELS);
            batchY[j] = y[batch.indices()[j]];
          }
          net.input().upload(batchX);
          sampler.observe(batch, pass.run(batchY, batch.weights()));
          if (t < BURN_IN) {
            continue;
          }
          float[] gradient = network.gradients().toFloats();
          double along = 0;
          for (int i = 0; i < gradient.length; i++) {
            along += direction[i] * gradient[i];
          }
          sum += along;
          squares += along * along;
          for (float w : batch.weights()) {
            weightSpread = Math.max(weightSpread, Math.abs(w - 1));
          }
        }
        double found = sum / BATCHES;
        double error = Math.sqrt((squares / BATCHES - found * found) / BATCHES);
        assertTrue(weightSpread > 0.2, "weights that are all 1 prove nothing");
        assertTrue(error < 0.1 * expected, "the test must be able to see a bias: " + error);
        assertEquals(expected, found, 5 * error);
      }
    }
  }

  private static ImportanceSampler sampler(String name, DrawMode draw, int[] labels, long seed) {
    return switch (name) {
      case "rais" -> new RaisSampler(labels, CLASSES, seed, RaisOptions.defaults().withDraw(draw));
      case "naive" -> new NaiveSampler(N, seed, draw, 0.1, 10);
      default -> new OracleSampler(N, seed, draw, Integer.MAX_VALUE, 10);
    };
  }

  private static float[] root(float[] squares) {
    float[] roots = new float[squares.length];
    for (int i = 0; i < roots.length; i++) {
      roots[i] = (float) Math.sqrt(squares[i]);
    }
    return roots;
  }
}
