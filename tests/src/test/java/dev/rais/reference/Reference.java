package dev.rais.reference;

import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.LinearShape;
import dev.rais.backend.PoolShape;

/**
 * Every operation of the backend seam once more: slow, in double precision, straight from the
 * definitions, sharing nothing with a backend but the shapes. Fit to be read, not to be fast.
 *
 * <p>Activations are {@code [batch, height, width, channels]}, convolution weights {@code
 * [outputChannels, kernel, kernel, inputChannels]}, linear weights {@code [outputs, inputs]}.
 */
public final class Reference {
  private Reference() {}

  /** What {@link #lossLayer} finds, row by row. */
  public record Loss(double[] losses, double[] norms, double[] gradients, int[] ranks) {}

  /** What backward to weights finds. */
  public record WeightGradient(double[] weights, double[] bias) {}

  /** What a momentum step leaves. */
  public record Step(double[] w, double[] u) {}

  /** One product x · w of a convolution, by the indices of its operands and of its output. */
  private interface Tap {
    void visit(int input, int weight, int output, int outputChannel);
  }

  /** Calls back for every multiplication of examples [from, to). */
  private static void taps(ConvolutionShape s, int from, int to, Tap tap) {
    for (int n = from; n < to; n++) {
      for (int row = 0; row < s.outputHeight(); row++) {
        for (int column = 0; column < s.outputWidth(); column++) {
          for (int o = 0; o < s.outputChannels(); o++) {
            int output =
                ((n * s.outputHeight() + row) * s.outputWidth() + column) * s.outputChannels() + o;
            for (int i = 0; i < s.kernel(); i++) {
              for (int j = 0; j < s.kernel(); j++) {
                int y = row * s.stride() + i - s.padding();
                int x = column * s.stride() + j - s.padding();
                if (y < 0 || y >= s.height() || x < 0 || x >= s.width()) {
                  continue;
                }
                for (int c = 0; c < s.inputChannels(); c++) {
                  int input = ((n * s.height() + y) * s.width() + x) * s.inputChannels() + c;
                  int weight = ((o * s.kernel() + i) * s.kernel() + j) * s.inputChannels() + c;
                  tap.visit(input, weight, output, o);
                }
              }
            }
          }
        }
      }
    }
  }

  /** y = x * w + b; b is null where the shape has none. */
  public static double[] convolution(ConvolutionShape s, double[] x, double[] w, double[] b) {
    double[] y = new double[(int) s.outputCount()];
    for (int i = 0; i < y.length; i++) {
      y[i] = s.bias() ? b[i % s.outputChannels()] : 0;
    }
    taps(s, 0, s.batch(), (in, weight, out, o) -> y[out] += x[in] * w[weight]);
    return y;
  }

  /** dx = dL/dx from dy = dL/dy. */
  public static double[] convolutionBackwardData(ConvolutionShape s, double[] dy, double[] w) {
    double[] dx = new double[(int) s.inputCount()];
    taps(s, 0, s.batch(), (in, weight, out, o) -> dx[in] += dy[out] * w[weight]);
    return dx;
  }

  /** dL/dw and dL/db. */
  public static WeightGradient convolutionBackwardWeights(
      ConvolutionShape s, double[] x, double[] dy) {
    return weightGradient(s, 0, s.batch(), x, dy);
  }

  private static WeightGradient weightGradient(
      ConvolutionShape s, int from, int to, double[] x, double[] dy) {
    double[] dw = new double[(int) s.weightCount()];
    double[] db = new double[s.outputChannels()];
    taps(s, from, to, (in, weight, out, o) -> dw[weight] += x[in] * dy[out]);
    int perExample = dy.length / s.batch();
    for (int i = from * perExample; i < to * perExample; i++) {
      db[i % s.outputChannels()] += dy[i];
    }
    return new WeightGradient(dw, db);
  }

  /** ‖∂L_j/∂(w, b)‖² for every example j alone, b only where the shape has one. */
  public static double[] convolutionSquaredNorms(ConvolutionShape s, double[] x, double[] dy) {
    double[] norms = new double[s.batch()];
    for (int j = 0; j < s.batch(); j++) {
      WeightGradient gradient = weightGradient(s, j, j + 1, x, dy);
      norms[j] = squaredNorm(gradient.weights());
      if (s.bias()) {
        norms[j] += squaredNorm(gradient.bias());
      }
    }
    return norms;
  }

  /** y = x wᵀ + b. */
  public static double[] linear(LinearShape s, double[] x, double[] w, double[] b) {
    double[] y = new double[(int) s.outputCount()];
    for (int j = 0; j < s.batch(); j++) {
      for (int o = 0; o < s.outputs(); o++) {
        double sum = b[o];
        for (int i = 0; i < s.inputs(); i++) {
          sum += x[j * s.inputs() + i] * w[o * s.inputs() + i];
        }
        y[j * s.outputs() + o] = sum;
      }
    }
    return y;
  }

  /** dx = dy w. */
  public static double[] linearBackwardData(LinearShape s, double[] dy, double[] w) {
    double[] dx = new double[(int) s.inputCount()];
    for (int j = 0; j < s.batch(); j++) {
      for (int i = 0; i < s.inputs(); i++) {
        for (int o = 0; o < s.outputs(); o++) {
          dx[j * s.inputs() + i] += dy[j * s.outputs() + o] * w[o * s.inputs() + i];
        }
      }
    }
    return dx;
  }

  /** dw = dyᵀ x, db = column sums of dy. */
  public static WeightGradient linearBackwardWeights(LinearShape s, double[] x, double[] dy) {
    double[] dw = new double[(int) s.weightCount()];
    double[] db = new double[s.outputs()];
    for (int j = 0; j < s.batch(); j++) {
      for (int o = 0; o < s.outputs(); o++) {
        double delta = dy[j * s.outputs() + o];
        db[o] += delta;
        for (int i = 0; i < s.inputs(); i++) {
          dw[o * s.inputs() + i] += delta * x[j * s.inputs() + i];
        }
      }
    }
    return new WeightGradient(dw, db);
  }

  /** ‖∂L_j/∂(w, b)‖² for every example j alone: the outer product is built, not factored. */
  public static double[] linearSquaredNorms(LinearShape s, double[] x, double[] dy) {
    double[] norms = new double[s.batch()];
    for (int j = 0; j < s.batch(); j++) {
      for (int o = 0; o < s.outputs(); o++) {
        double delta = dy[j * s.outputs() + o];
        norms[j] += delta * delta;
        for (int i = 0; i < s.inputs(); i++) {
          double gradient = delta * x[j * s.inputs() + i];
          norms[j] += gradient * gradient;
        }
      }
    }
    return norms;
  }

  /** Index into x of the winner of each window; the first in row-major order wins ties. */
  public static int[] maxPoolWinners(PoolShape s, double[] x) {
    int[] winners = new int[(int) s.outputCount()];
    int next = 0;
    for (int n = 0; n < s.batch(); n++) {
      for (int row = 0; row < s.outputHeight(); row++) {
        for (int column = 0; column < s.outputWidth(); column++) {
          for (int c = 0; c < s.channels(); c++) {
            int best = -1;
            for (int i = 0; i < s.kernel(); i++) {
              for (int j = 0; j < s.kernel(); j++) {
                int y = row * s.stride() + i;
                int at = ((n * s.height() + y) * s.width() + column * s.stride() + j);
                int candidate = at * s.channels() + c;
                if (best < 0 || x[candidate] > x[best]) {
                  best = candidate;
                }
              }
            }
            winners[next++] = best;
          }
        }
      }
    }
    return winners;
  }

  /** y = the maximum of each window. */
  public static double[] maxPool(PoolShape s, double[] x) {
    int[] winners = maxPoolWinners(s, x);
    double[] y = new double[winners.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = x[winners[i]];
    }
    return y;
  }

  /** dx: every window sends its gradient to its winner. */
  public static double[] maxPoolBackward(PoolShape s, double[] x, double[] dy) {
    int[] winners = maxPoolWinners(s, x);
    double[] dx = new double[(int) s.inputCount()];
    for (int i = 0; i < dy.length; i++) {
      dx[winners[i]] += dy[i];
    }
    return dx;
  }

  /** y[j, c] = mean over s of x[j, s, c]. */
  public static double[] globalAveragePool(int batch, int positions, int channels, double[] x) {
    double[] y = new double[batch * channels];
    for (int i = 0; i < x.length; i++) {
      y[i / (positions * channels) * channels + i % channels] += x[i] / positions;
    }
    return y;
  }

  /** dx[j, s, c] = dy[j, c] / positions. */
  public static double[] globalAveragePoolBackward(
      int batch, int positions, int channels, double[] dy) {
    double[] dx = new double[batch * positions * channels];
    for (int i = 0; i < dx.length; i++) {
      dx[i] = dy[i / (positions * channels) * channels + i % channels] / positions;
    }
    return dx;
  }

  /**
   * Dropout with a random word for each element, in floats: the result must have these bits.
   *
   * @param words without sign, one for each element
   */
  public static float[] dropout(float[] x, float rate, long[] words) {
    float[] y = new float[x.length];
    long threshold = Math.min((long) Math.rint(rate * 4294967296.0), 4294967295L);
    for (int i = 0; i < x.length; i++) {
      if (words[i] >= threshold) {
        y[i] = x[i] * (1 / (1 - rate));
      }
    }
    return y;
  }

  /** y = max(x, 0). */
  public static double[] relu(double[] x) {
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = x[i] > 0 ? x[i] : 0;
    }
    return y;
  }

  /** dx = dy where y > 0, else 0. */
  public static double[] reluBackward(double[] y, double[] dy) {
    double[] dx = new double[y.length];
    for (int i = 0; i < y.length; i++) {
      dx[i] = y[i] > 0 ? dy[i] : 0;
    }
    return dx;
  }

  /**
   * Softmax cross-entropy per row; {@code ranks[j]} counts the classes ahead of the label (a larger
   * logit, or an equal one of a lower class).
   *
   * @param weights one per row, or null for all 1
   */
  public static Loss lossLayer(
      int rows, int classes, double[] logits, int[] labels, double[] weights, double scale) {
    return lossLayer(rows, classes, logits, labels, weights, scale, 0);
  }

  /**
   * The same for labels smoothed by e: y = (1 − e) onehot(label) + e/K.
   *
   * @param smoothing e
   */
  public static Loss lossLayer(
      int rows,
      int classes,
      double[] logits,
      int[] labels,
      double[] weights,
      double scale,
      double smoothing) {
    double[] losses = new double[rows];
    double[] norms = new double[rows];
    double[] gradients = new double[rows * classes];
    int[] ranks = new int[rows];
    double uniform = smoothing / classes;
    for (int j = 0; j < rows; j++) {
      int row = j * classes;
      int label = labels[j];
      double zLabel = logits[row + label];
      double maximum = Double.NEGATIVE_INFINITY;
      for (int k = 0; k < classes; k++) {
        maximum = Math.max(maximum, logits[row + k]);
        if (logits[row + k] > zLabel || (logits[row + k] == zLabel && k < label)) {
          ranks[j]++;
        }
      }
      double all = 0;
      double others = 0;
      double below = 0;
      for (int k = 0; k < classes; k++) {
        double e = Math.exp(logits[row + k] - maximum);
        all += e;
        others += k == label ? 0 : e;
        below += zLabel - logits[row + k];
      }
      // −log s = log(1 + others/e_label), exact also where s is nearly 1.
      double ratio = others / Math.exp(zLabel - maximum);
      losses[j] = ratio < 1 ? Math.log1p(ratio) : Math.log(all) + maximum - zLabel;
      // −Σ y_k log s_k = −log s_label + Σ y_k (z_label − z_k)
      losses[j] += uniform * below;
      double squares = 0;
      for (int k = 0; k < classes; k++) {
        double s = Math.exp(logits[row + k] - maximum) / all;
        double difference = k == label ? smoothing - uniform - others / all : s - uniform;
        squares += difference * difference;
        gradients[row + k] = scale * (weights == null ? 1 : weights[j]) * difference;
      }
      norms[j] = Math.sqrt(squares);
    }
    return new Loss(losses, norms, gradients, ranks);
  }

  /** batch[j, k] = images[indices[j], k] · scale[c] + shift[c], c = k mod channels. */
  public static double[] gather(
      byte[] images, int imageSize, int[] indices, double[] scale, double[] shift) {
    double[] batch = new double[indices.length * imageSize];
    for (int j = 0; j < indices.length; j++) {
      for (int k = 0; k < imageSize; k++) {
        int pixel = Byte.toUnsignedInt(images[indices[j] * imageSize + k]);
        batch[j * imageSize + k] = pixel * scale[k % scale.length] + shift[k % shift.length];
      }
    }
    return batch;
  }

  /**
   * {@link #gather} with the images varied, pixel by pixel as the definition says, in floats: the
   * result must have these bits. {@code words} are x0 to x3 of each slot.
   */
  public static float[] augment(
      byte[] images,
      int height,
      int width,
      int[] indices,
      float[] scale,
      float[] shift,
      int padding,
      boolean flips,
      int cutout,
      int[][] words) {
    int channels = scale.length;
    float[] batch = new float[indices.length * height * width * channels];
    int at = 0;
    for (int j = 0; j < indices.length; j++) {
      long[] x = java.util.Arrays.stream(words[j]).mapToLong(Integer::toUnsignedLong).toArray();
      long dy = x[0] * (2L * padding + 1) / (1L << 32) - padding;
      long dx = x[1] * (2L * padding + 1) / (1L << 32) - padding;
      long cy = x[2] / 65_536 * height / 65_536;
      long cx = x[2] % 65_536 * width / 65_536;
      boolean mirrored = flips && x[3] >= 1L << 31;
      for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
          boolean cut =
              row >= cy - cutout / 2
                  && row < cy - cutout / 2 + cutout
                  && column >= cx - cutout / 2
                  && column < cx - cutout / 2 + cutout;
          long sourceRow = row + dy;
          long sourceColumn = (mirrored ? width - 1 - column : column) + dx;
          boolean inside =
              sourceRow >= 0 && sourceRow < height && sourceColumn >= 0 && sourceColumn < width;
          for (int c = 0; c < channels; c++) {
            long position =
                ((indices[j] * (long) height + sourceRow) * width + sourceColumn) * channels + c;
            float value = inside ? Byte.toUnsignedInt(images[(int) position]) : 0;
            float product = value * scale[c];
            batch[at++] = cut ? 0 : product + shift[c];
          }
        }
      }
    }
    return batch;
  }

  /** u ← momentum · u − learningRate · (g + weightDecay · w), w ← w + u. */
  public static Step sgd(
      double[] w,
      double[] u,
      double[] g,
      double learningRate,
      double momentum,
      double weightDecay) {
    double[] newW = new double[w.length];
    double[] newU = new double[w.length];
    for (int i = 0; i < w.length; i++) {
      newU[i] = momentum * u[i] - learningRate * (g[i] + weightDecay * w[i]);
      newW[i] = w[i] + newU[i];
    }
    return new Step(newW, newU);
  }

  /** Σ x². */
  public static double squaredNorm(double[] x) {
    double sum = 0;
    for (double value : x) {
      sum += value * value;
    }
    return sum;
  }

  /** Σ_k x[j, k]² for every row j. */
  public static double[] rowSquaredNorms(int rows, double[] x) {
    double[] sums = new double[rows];
    int columns = x.length / rows;
    for (int i = 0; i < rows * columns; i++) {
      sums[i / columns] += x[i] * x[i];
    }
    return sums;
  }
}
