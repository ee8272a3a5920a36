package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.MemoryPlan;
import dev.rais.nn.Mode;
import dev.rais.nn.Model;
import dev.rais.nn.Network;
import java.util.stream.IntStream;

/** Exact gradient norms ‖∇f_i(w)‖ of examples, for yardsticks (docs/algorithm.md §4). */
final class ExactNorms implements AutoCloseable {
  private static final int BATCH = 128;

  private final Network network;
  private final DeviceImages images;
  private final BoundNetwork net;
  private final Buffer indices;
  private final Buffer labels;
  private final Buffer losses;
  private final Buffer norms;
  private final Buffer correctness;

  /**
   * @param plan of the network's model in the mode for example norms
   * @param workspace memory that others use too, in turns
   */
  ExactNorms(Network network, DeviceImages images, MemoryPlan plan, Buffer workspace) {
    this.network = network;
    this.images = images;
    Backend backend = network.backend();
    int batch = plan.batch();
    net = network.bind(plan, workspace);
    indices = backend.allocate(DType.INT32, batch);
    labels = backend.allocate(DType.INT32, batch);
    losses = backend.allocate(DType.FLOAT32, batch);
    norms = backend.allocate(DType.FLOAT32, batch);
    correctness = backend.allocate(DType.UINT8, batch);
  }

  /**
   * Plans for batches of up to 128.
   *
   * @param count elements that the workspace has anyway
   */
  static MemoryPlan plan(Model model, int n, long count) {
    return MemoryPlan.within(
        Math.max(count, Evaluator.SMALL_WORKSPACE), model, Math.min(BATCH, n), Mode.EXAMPLE_NORMS);
  }

  /** [n] norms at the network's present parameters; leaves its gradients alone. */
  float[] compute() {
    float[] norms = squares(IntStream.range(0, images.set().count()).toArray());
    for (int i = 0; i < norms.length; i++) {
      norms[i] = (float) Math.sqrt(norms[i]);
    }
    return norms;
  }

  /** Squares of these examples' norms at the network's present parameters. */
  float[] squares(int[] examples) {
    int n = examples.length;
    int batch = net.batch();
    int classes = network.model().classes();
    float[] result = new float[n];
    float[] squares = new float[batch];
    int[] batchIndices = new int[batch];
    int[] batchLabels = new int[batch];
    for (int from = 0; from < n; from += batch) {
      int used = Math.min(batch, n - from);
      for (int j = 0; j < batch; j++) {
        batchIndices[j] = examples[from + (j < used ? j : 0)];
        batchLabels[j] = images.set().label(batchIndices[j]);
      }
      indices.upload(batchIndices);
      labels.upload(batchLabels);
      images.gather(indices, net.input());
      net.forward();
      // Scale 1 and no weights: each row is its own example's gradient, not a share of the mean's.
      network
          .backend()
          .lossLayer(
              batch,
              classes,
              net.logits(),
              labels,
              null,
              1,
              losses,
              norms,
              net.logitGradients(),
              correctness);
      net.backward();
      net.squaredNorms().download(squares, 0);
      System.arraycopy(squares, 0, result, from, used);
    }
    return result;
  }

  @Override
  public void close() {
    net.close();
    for (Buffer buffer : new Buffer[] {indices, labels, losses, norms, correctness}) {
      buffer.close();
    }
  }
}
