package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.nn.BoundNetwork;
import dev.rais.nn.Network;
import dev.rais.nn.Parameter;
import dev.rais.sampling.Observation;

/** Forward and backward pass of one minibatch, observed as the trainer observes it. */
final class Pass {
  private final Backend backend;
  private final Network network;
  private final BoundNetwork net;
  private final int m;
  private final int classes;
  private final Buffer labels;
  private final Buffer weights;
  private final Buffer losses;
  private final Buffer norms;
  private final Buffer correctness;
  private final Buffer hidden;

  Pass(Network network, BoundNetwork net) {
    this.backend = network.backend();
    this.network = network;
    this.net = net;
    m = net.batch();
    classes = network.model().classes();
    labels = backend.allocate(DType.INT32, m);
    weights = backend.allocate(DType.FLOAT32, m);
    losses = backend.allocate(DType.FLOAT32, m);
    norms = backend.allocate(DType.FLOAT32, m);
    correctness = backend.allocate(DType.UINT8, m);
    hidden = backend.allocate(DType.FLOAT32, m);
  }

  /** Leaves (1/m) Σ w_j ∇f_j in the network's gradients. */
  Observation run(int[] y, float[] w) {
    labels.upload(y);
    weights.upload(w);
    net.forward();
    backend.lossLayer(
        m,
        classes,
        net.logits(),
        labels,
        weights,
        1f / m,
        losses,
        norms,
        net.logitGradients(),
        correctness);
    net.backward();
    backend.rowSquaredNorms(net.finalInput(), hidden);
    float[] scores = norms.toFloats();
    float[] squares = hidden.toFloats();
    for (int j = 0; j < m; j++) {
      squares[j] = scores[j] * scores[j] * (squares[j] + 1);
    }
    double g = 0;
    for (Parameter parameter : network.finalParameters()) {
      g += backend.squaredNorm(parameter.gradient());
    }
    return new Observation(scores, squares, g);
  }
}
