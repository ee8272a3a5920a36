package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.data.ImageSet;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.Mode;
import dev.rais.nn.Network;
import dev.rais.nn.Shape;
import java.util.function.Consumer;

/** Tells the classes of single images with the network of a model file. */
public final class Classifier implements AutoCloseable {
  private final ModelFile.Description description;
  private final Network network;
  private final BoundNetwork net;
  private final Buffer index;

  /**
   * Loads the network.
   *
   * @param backend where to compute; stays the caller's
   * @throws RunFileException if the file's parameters are not its model's
   */
  public Classifier(Backend backend, ModelFile file) {
    description = file.description();
    Consumer<Throwable> savepoint = backend.savepoint();
    try {
      network = file.open(backend);
      net = network.bind(1, Mode.EVALUATION);
      index = backend.allocate(DType.INT32, 1);
      index.upload(new int[] {0});
    } catch (Throwable e) {
      // Nobody has a classifier to close, and the backend goes on.
      savepoint.accept(e);
      throw e;
    }
  }

  /**
   * The probability of each class, [K].
   *
   * @param pixels one image as unsigned bytes [height, width, channels] of the model's input shape
   */
  public double[] probabilities(byte[] pixels) {
    Shape input = description.input();
    ImageSet one =
        new ImageSet(input.height(), input.width(), input.channels(), pixels, new int[] {0});
    try (DeviceImages image =
        new DeviceImages(network.backend(), one, description.normalization(), 0)) {
      image.gather(index, net.input());
    }
    net.forward();
    return softmax(net.logits().toFloats());
  }

  private static double[] softmax(float[] logits) {
    double largest = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      largest = Math.max(largest, logit);
    }
    double[] probabilities = new double[logits.length];
    double sum = 0;
    for (int k = 0; k < logits.length; k++) {
      // Less the largest logit, so that no exponential overflows.
      probabilities[k] = Math.exp(logits[k] - largest);
      sum += probabilities[k];
    }
    for (int k = 0; k < logits.length; k++) {
      probabilities[k] /= sum;
    }
    return probabilities;
  }

  @Override
  public void close() {
    index.close();
    net.close();
    network.close();
  }
}
