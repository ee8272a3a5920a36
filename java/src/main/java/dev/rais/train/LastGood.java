package dev.rais.train;

import dev.rais.nn.Network;

/** A network as it was when its loss was last known to be finite. */
final class LastGood {
  private final Network network;
  private float[] values;
  private float[] state;
  private long iteration;

  LastGood(Network network) {
    this.network = network;
    values = network.values().toFloats();
    state = network.stateValues().toFloats();
  }

  /** The network is good as it is. */
  void keep(long iteration) {
    network.values().download(values, 0);
    network.stateValues().download(state, 0);
    this.iteration = iteration;
  }

  /** The network has these values, and is good. */
  void keep(long iteration, float[] values, float[] state) {
    this.values = values;
    this.state = state;
    this.iteration = iteration;
  }

  /**
   * Gives the network its last good values again; what remains is to throw this.
   *
   * @param loss of the minibatch; where it is finite, its gradients are not
   */
  DivergedException diverged(long found, double loss) {
    network.values().upload(values);
    network.valuesWritten();
    network.stateValues().upload(state);
    String what =
        Double.isFinite(loss)
            ? "gradients are no longer finite, though the training loss is,"
            : "the training loss became " + (float) loss;
    return new DivergedException(found, what, iteration);
  }
}
