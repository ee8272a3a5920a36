package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.MemoryPlan;
import dev.rais.nn.Mode;
import dev.rais.nn.Network;

/**
 * What a network takes each image of a set for.
 *
 * @param predicted [n] most likely class
 * @param confidence [n] its probability
 * @param labelProbability [n] probability of the image's label
 */
public record Predictions(int[] predicted, float[] confidence, float[] labelProbability) {
  private static final int BATCH = 500;

  /** Runs the network over the images, in evaluation mode. */
  public static Predictions of(Network network, ImageSet images, Normalization normalization) {
    int n = images.count();
    int classes = network.model().classes();
    Predictions all = new Predictions(new int[n], new float[n], new float[n]);
    MemoryPlan plan =
        MemoryPlan.within(
            Evaluator.SMALL_WORKSPACE, network.model(), Math.min(BATCH, n), Mode.EVALUATION);
    int batch = plan.batch();
    Backend backend = network.backend();
    long beside = plan.numBytes(backend.activations());
    try (DeviceImages onDevice = new DeviceImages(backend, images, normalization, beside);
        BoundNetwork net = network.bind(batch, Mode.EVALUATION);
        Buffer indices = backend.allocate(DType.INT32, batch)) {
      int[] chosen = new int[batch];
      for (int from = 0; from < n; from += batch) {
        int used = Math.min(batch, n - from);
        for (int j = 0; j < batch; j++) {
          // The last batch is filled up with its first image.
          chosen[j] = j < used ? from + j : from;
        }
        indices.upload(chosen);
        onDevice.gather(indices, net.input());
        net.forward();
        float[] logits = net.logits().toFloats();
        for (int j = 0; j < used; j++) {
          all.set(from + j, logits, j * classes, classes, images.label(from + j));
        }
      }
    }
    return all;
  }

  private void set(int i, float[] logits, int row, int classes, int label) {
    int best = 0;
    for (int k = 1; k < classes; k++) {
      best = logits[row + k] > logits[row + best] ? k : best;
    }
    double sum = 0;
    for (int k = 0; k < classes; k++) {
      sum += Math.exp(logits[row + k] - logits[row + best]);
    }
    predicted[i] = best;
    confidence[i] = (float) (1 / sum);
    labelProbability[i] = (float) (Math.exp(logits[row + label] - logits[row + best]) / sum);
  }
}
