package dev.rais.example;

import dev.rais.data.Dataset;
import dev.rais.data.ImageSet;
import dev.rais.data.Normalization;
import dev.rais.sampling.Observation;
import java.util.Random;

/** A perceptron with one hidden layer in plain Java, standing in for another library's network. */
final class Perceptron implements ForeignTrainer {
  private final Dataset data;
  private final RunSettings settings;
  private final Normalization normalization;
  private final int inputs;
  private final int hidden;
  private final int classes;

  /** Hidden layer [hidden, inputs + 1], then output layer [classes, hidden + 1], biases last. */
  final double[] parameters;

  private final double[] gradient;
  private final double[] velocity;

  Perceptron(Dataset data, RunSettings settings, int hidden) {
    this.data = data;
    this.settings = settings;
    this.hidden = hidden;
    normalization = data.normalization();
    inputs = data.train().bytesPerImage();
    classes = data.numClasses();
    parameters = new double[hidden * (inputs + 1) + classes * (hidden + 1)];
    gradient = new double[parameters.length];
    velocity = new double[parameters.length];
    Random random = new Random(settings.seed());
    for (int i = 0; i < parameters.length; i++) {
      int fanIn = i < output() ? inputs : hidden;
      parameters[i] = random.nextGaussian() / Math.sqrt(fanIn);
    }
  }

  /** Where the output layer's parameters begin. */
  private int output() {
    return hidden * (inputs + 1);
  }

  @Override
  public double step(int[] indices, float[] weights, StepRate rate) {
    int m = indices.length;
    double[][] x = new double[m][];
    double[][] h = new double[m][];
    float[] logits = new float[m * classes];
    int[] labels = new int[m];
    for (int j = 0; j < m; j++) {
      x[j] = input(data.train(), indices[j]);
      h[j] = activations(x[j]);
      double[] z = logits(h[j]);
      for (int k = 0; k < classes; k++) {
        logits[j * classes + k] = (float) z[k];
      }
      labels[j] = data.train().label(indices[j]);
    }
    float[] deltas = Observation.logitGradients(logits, labels, classes);
    double learningRate = rate.afterForward(deltas);
    java.util.Arrays.fill(gradient, 0);
    double loss = 0;
    for (int j = 0; j < m; j++) {
      loss += weights[j] * -Math.log1p(deltas[j * classes + labels[j]]) / m;
      backward(x[j], h[j], deltas, j, weights[j] / m);
    }
    for (int i = 0; i < parameters.length; i++) {
      double g = gradient[i] + settings.weightDecay() * parameters[i];
      velocity[i] = settings.momentum() * velocity[i] - learningRate * g;
      parameters[i] += velocity[i];
    }
    return loss;
  }

  private void backward(double[] x, double[] h, float[] deltas, int j, double factor) {
    double[] dh = new double[hidden];
    for (int k = 0; k < classes; k++) {
      double d = factor * deltas[j * classes + k];
      int row = output() + k * (hidden + 1);
      for (int i = 0; i < hidden; i++) {
        gradient[row + i] += d * h[i];
        dh[i] += d * parameters[row + i];
      }
      gradient[row + hidden] += d;
    }
    for (int i = 0; i < hidden; i++) {
      if (h[i] > 0) {
        int row = i * (inputs + 1);
        for (int c = 0; c < inputs; c++) {
          gradient[row + c] += dh[i] * x[c];
        }
        gradient[row + inputs] += dh[i];
      }
    }
  }

  private double[] input(ImageSet set, int index) {
    double[] x = new double[inputs];
    float mean = normalization.mean()[0];
    float deviation = normalization.standardDeviation()[0];
    for (int c = 0; c < inputs; c++) {
      x[c] = ((set.pixels()[index * inputs + c] & 0xff) / 255.0 - mean) / deviation;
    }
    return x;
  }

  private double[] activations(double[] x) {
    double[] h = new double[hidden];
    for (int i = 0; i < hidden; i++) {
      h[i] = Math.max(0, row(i * (inputs + 1), x));
    }
    return h;
  }

  private double[] logits(double[] h) {
    double[] z = new double[classes];
    for (int k = 0; k < classes; k++) {
      z[k] = row(output() + k * (hidden + 1), h);
    }
    return z;
  }

  /** Product of a row of weights with {@code values}, and the bias behind them. */
  private double row(int from, double[] values) {
    double sum = parameters[from + values.length];
    for (int i = 0; i < values.length; i++) {
      sum += parameters[from + i] * values[i];
    }
    return sum;
  }

  /** −log softmax of one training example's label. */
  double loss(int index) {
    double[] z = logits(activations(input(data.train(), index)));
    double sum = 0;
    for (double logit : z) {
      sum += Math.exp(logit - z[data.train().label(index)]);
    }
    return Math.log(sum);
  }

  @Override
  public double trainLoss() {
    double sum = 0;
    for (int i = 0; i < data.train().count(); i++) {
      sum += loss(i);
    }
    return sum / data.train().count();
  }

  @Override
  public double testError() {
    int wrong = 0;
    for (int i = 0; i < data.test().count(); i++) {
      double[] z = logits(activations(input(data.test(), i)));
      int best = 0;
      for (int k = 1; k < classes; k++) {
        best = z[k] > z[best] ? k : best;
      }
      wrong += best == data.test().label(i) ? 0 : 1;
    }
    return (double) wrong / data.test().count();
  }

  @Override
  public void close() {
    // Nothing native is held.
  }
}
