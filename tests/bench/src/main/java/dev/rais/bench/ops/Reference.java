package dev.rais.bench.ops;

import dev.rais.backend.Buffer;
import dev.rais.backend.ConvolutionShape;
import dev.rais.backend.LinearShape;
import dev.rais.backend.PoolShape;

/**
 * Every operation once more, straight from its definition and in double precision: it shares
 * nothing with the code that is timed.
 */
final class Reference {
  /** Largest error, relative to the largest value: float sums in another order stay below it. */
  private static final double TOLERANCE = 1e-4;

  private Reference() {}

  /**
   * Compares.
   *
   * @throws IllegalStateException if a value is off, with its place
   */
  static void require(String what, double[] expected, Buffer actual) {
    float[] values = actual.toFloats();
    if (values.length != expected.length) {
      throw new IllegalStateException(
          "%s: %d values, not %d".formatted(what, values.length, expected.length));
    }
    double largest = 1e-30;
    for (double value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < values.length; i++) {
      if (!(Math.abs(values[i] - expected[i]) <= TOLERANCE * largest)) {
        throw new IllegalStateException(
            "%s: element %d is %s, but should be %s".formatted(what, i, values[i], expected[i]));
      }
    }
  }

  /** y, where dw, db and dx below are its adjoints. */
  static double[] convolution(ConvolutionShape s, float[] x, float[] w, float[] b) {
    double[] y = new double[Math.toIntExact(s.outputCount())];
    forEachProduct(s, (xi, wi, yi) -> y[yi] += (double) x[xi] * w[wi]);
    for (int i = 0; i < y.length; i++) {
      y[i] += b[i % s.outputChannels()];
    }
    return y;
  }

  static double[] convolutionToData(ConvolutionShape s, float[] dy, float[] w) {
    double[] dx = new double[Math.toIntExact(s.inputCount())];
    forEachProduct(s, (xi, wi, yi) -> dx[xi] += (double) dy[yi] * w[wi]);
    return dx;
  }

  static double[] convolutionToWeights(ConvolutionShape s, float[] x, float[] dy) {
    double[] dw = new double[Math.toIntExact(s.weightCount())];
    forEachProduct(s, (xi, wi, yi) -> dw[wi] += (double) x[xi] * dy[yi]);
    return dw;
  }

  /** Positions of the three factors in their arrays. */
  private interface Product {
    void at(int x, int w, int y);
  }

  private static void forEachProduct(ConvolutionShape s, Product product) {
    int y = 0;
    for (int n = 0; n < s.batch(); n++) {
      for (int row = 0; row < s.outputHeight(); row++) {
        for (int column = 0; column < s.outputWidth(); column++) {
          for (int o = 0; o < s.outputChannels(); o++, y++) {
            for (int i = 0; i < s.kernel(); i++) {
              for (int j = 0; j < s.kernel(); j++) {
                int r = row * s.stride() + i - s.padding();
                int c = column * s.stride() + j - s.padding();
                if (r < 0 || c < 0 || r >= s.height() || c >= s.width()) {
                  continue;
                }
                int x = ((n * s.height() + r) * s.width() + c) * s.inputChannels();
                int w = ((o * s.kernel() + i) * s.kernel() + j) * s.inputChannels();
                for (int k = 0; k < s.inputChannels(); k++) {
                  product.at(x + k, w + k, y);
                }
              }
            }
          }
        }
      }
    }
  }

  static double[] linear(LinearShape s, float[] x, float[] w, float[] b) {
    double[] y = new double[Math.toIntExact(s.outputCount())];
    for (int n = 0; n < s.batch(); n++) {
      for (int o = 0; o < s.outputs(); o++) {
        double sum = b[o];
        for (int i = 0; i < s.inputs(); i++) {
          sum += (double) x[n * s.inputs() + i] * w[o * s.inputs() + i];
        }
        y[n * s.outputs() + o] = sum;
      }
    }
    return y;
  }

  static double[] linearToData(LinearShape s, float[] dy, float[] w) {
    double[] dx = new double[Math.toIntExact(s.inputCount())];
    for (int n = 0; n < s.batch(); n++) {
      for (int o = 0; o < s.outputs(); o++) {
        for (int i = 0; i < s.inputs(); i++) {
          dx[n * s.inputs() + i] += (double) dy[n * s.outputs() + o] * w[o * s.inputs() + i];
        }
      }
    }
    return dx;
  }

  static double[] linearToWeights(LinearShape s, float[] x, float[] dy) {
    double[] dw = new double[Math.toIntExact(s.weightCount())];
    for (int n = 0; n < s.batch(); n++) {
      for (int o = 0; o < s.outputs(); o++) {
        for (int i = 0; i < s.inputs(); i++) {
          dw[o * s.inputs() + i] += (double) x[n * s.inputs() + i] * dy[n * s.outputs() + o];
        }
      }
    }
    return dw;
  }

  /** Sums over all rows of a matrix: the gradient of a bias. */
  static double[] columnSums(float[] matrix, int columns) {
    double[] sums = new double[columns];
    for (int i = 0; i < matrix.length; i++) {
      sums[i % columns] += matrix[i];
    }
    return sums;
  }

  /** For each output of the pooling the position in x of the window's maximum. */
  static int[] winners(PoolShape s, float[] x) {
    int[] winners = new int[Math.toIntExact(s.outputCount())];
    for (int at = 0; at < winners.length; at++) {
      int c = at % s.channels();
      int column = at / s.channels() % s.outputWidth();
      int row = at / s.channels() / s.outputWidth() % s.outputHeight();
      int n = at / s.channels() / s.outputWidth() / s.outputHeight();
      int best = -1;
      for (int i = 0; i < s.kernel(); i++) {
        for (int j = 0; j < s.kernel(); j++) {
          int r = row * s.stride() + i;
          int q = column * s.stride() + j;
          int here = ((n * s.height() + r) * s.width() + q) * s.channels() + c;
          if (best < 0 || x[here] > x[best]) {
            best = here;
          }
        }
      }
      winners[at] = best;
    }
    return winners;
  }
}
