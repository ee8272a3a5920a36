package dev.rais.nn;

import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.LinearShape;
import dev.rais.backend.PoolShape;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import dev.rais.reference.Reference;
import java.util.ArrayList;
import java.util.List;

/**
 * Forward passes of models in double precision, layer by layer from {@link Reference}: what
 * gradients of whole networks are differentiated from.
 */
final class ReferenceNetwork {
  private final Model model;
  private final int batch;
  private final Mode mode;
  private final double[] weights;
  private final long seed;
  private final long iteration;

  /**
   * @param weights [m] of the examples, for batch norms
   */
  ReferenceNetwork(Model model, int batch, Mode mode, double[] weights, long seed, long iteration) {
    this.model = model;
    this.batch = batch;
    this.mode = mode;
    this.weights = weights;
    this.seed = seed;
    this.iteration = iteration;
  }

  /** Loss of each example. */
  double[] losses(double[] x, List<double[]> parameters, List<double[]> state, int[] labels) {
    return Reference.lossLayer(
            batch, model.classes(), logits(x, parameters, state), labels, null, 1)
        .losses();
  }

  /**
   * The logits.
   *
   * @param parameters in the model's order
   * @param state in the model's order; not changed
   */
  double[] logits(double[] x, List<double[]> parameters, List<double[]> state) {
    List<double[]> activations = new ArrayList<>();
    activations.add(x);
    int p = 0;
    int s = 0;
    for (int i = 0; i < model.layers().size(); i++) {
      Model.NamedLayer layer = model.layers().get(i);
      int ownParameters = layer.layer().parameters(layer.inputShape()).size();
      int ownState = layer.layer().state(layer.inputShape()).size();
      activations.add(
          forward(
              layer,
              i,
              activations.get(layer.input()),
              layer.residual() < 0 ? null : activations.get(layer.residual()),
              parameters.subList(p, p + ownParameters),
              state.subList(s, s + ownState)));
      p += ownParameters;
      s += ownState;
    }
    return activations.getLast();
  }

  private double[] forward(
      Model.NamedLayer at,
      int index,
      double[] x,
      double[] residual,
      List<double[]> w,
      List<double[]> state) {
    Shape in = at.inputShape();
    return switch (at.layer()) {
      case Conv2d c ->
          Reference.convolution(
              new ConvolutionShape(
                  batch,
                  in.height(),
                  in.width(),
                  in.channels(),
                  c.channels(),
                  c.kernel(),
                  c.stride(),
                  c.padding(),
                  c.bias()),
              x,
              w.getFirst(),
              c.bias() ? w.getLast() : null);
      case Dense d ->
          Reference.linear(new LinearShape(batch, in.size(), d.outputs()), x, w.get(0), w.get(1));
      case MaxPool2d m ->
          Reference.maxPool(
              new PoolShape(batch, in.height(), in.width(), in.channels(), m.kernel(), m.stride()),
              x);
      case GlobalAveragePool _ ->
          Reference.globalAveragePool(batch, in.size() / in.channels(), in.channels(), x);
      case Relu _ -> Reference.relu(x);
      case AddRelu _ -> Reference.relu(sum(x, residual));
      case Dropout d -> mode == Mode.TRAINING ? dropped(x, d.rate(), index) : x;
      case BatchNorm2d b -> batchNorm(b, in.channels(), x, residual, w, state);
      default -> throw new IllegalArgumentException("no reference for " + at.layer());
    };
  }

  private static double[] sum(double[] a, double[] b) {
    double[] y = new double[a.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = a[i] + b[i];
    }
    return y;
  }

  private double[] dropped(double[] x, float rate, int layer) {
    Philox philox = new Philox(seed, Streams.DROPOUT | layer << 8);
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      long two = i % 4 < 2 ? philox.bits(iteration, i / 4) : philox.highBits(iteration, i / 4);
      long word = i % 2 == 0 ? two & 0xFFFFFFFFL : two >>> 32;
      y[i] = word < Math.rint(rate * 0x1p32) ? 0 : x[i] / (1 - rate);
    }
    return y;
  }

  private double[] batchNorm(
      BatchNorm2d norm,
      int channels,
      double[] x,
      double[] residual,
      List<double[]> w,
      List<double[]> state) {
    double[] y = new double[x.length];
    for (int c = 0; c < channels; c++) {
      double[] statistics =
          mode == Mode.TRAINING
              ? statistics(x, channels, c)
              : new double[] {state.get(0)[c], state.get(1)[c]};
      double deviation = Math.sqrt(statistics[1] + norm.epsilon());
      for (int i = c; i < x.length; i += channels) {
        y[i] = w.get(0)[c] * (x[i] - statistics[0]) / deviation + w.get(1)[c];
      }
    }
    return switch (norm.fusion()) {
      case NONE -> y;
      case RELU -> Reference.relu(y);
      case ADD_RELU -> Reference.relu(sum(y, residual));
    };
  }

  /** Weighted mean and variance of a channel, and 1 − Σω². */
  private double[] statistics(double[] x, int channels, int c) {
    int perExample = x.length / batch;
    double total = 0;
    for (double weight : weights) {
      total += weight;
    }
    double mean = 0;
    double squares = 0;
    for (int i = c; i < x.length; i += channels) {
      double omega = weights[i / perExample] / (total * perExample / channels);
      mean += omega * x[i];
      squares += omega * omega;
    }
    double variance = 0;
    for (int i = c; i < x.length; i += channels) {
      double omega = weights[i / perExample] / (total * perExample / channels);
      variance += omega * (x[i] - mean) * (x[i] - mean);
    }
    return new double[] {mean, variance, 1 - squares};
  }
}
