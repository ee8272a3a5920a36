package dev.rais.nn;

import java.util.List;
import java.util.Locale;

/**
 * Learning rate over a run, as a function of effective iterations t̂ (docs/algorithm.md §5): the
 * base rate times a factor of the progress t̂/T.
 *
 * <p>A schedule is a table of pieces, so that a device can read it ({@link #table}). Its factor is
 * made of additions, multiplications and divisions alone: the same bits everywhere.
 */
public enum Schedule {
  /** Factor 1, 0.1 from half of the run on, 0.01 from four fifths on. */
  STEP(piece(0.5, 1), piece(0.8, 0.1), piece(1, 0.01)),
  /** Half a cosine, from 1 to 0. */
  COSINE(new Piece(1, 0.5, 0, 0.5)),
  /** Factor 1 throughout. */
  CONSTANT(piece(1, 1));

  /**
   * A part of a schedule. With x, the part of it that has passed, held in [0, 1], the factor is
   * constant + slope · x + amplitude · cos(πx).
   *
   * @param end progress at which the next piece begins; the last one goes on for ever
   */
  private record Piece(double end, double constant, double slope, double amplitude) {}

  /** (−1)^k π^2k / (2k)!, from k = 1: cos(πx) = 1 + Σ c_k x^2k. Up to x = 1/4 the rest is 2e-18. */
  private static final double[] COSINE_SERIES = {
    -4.934802200544679,
    4.0587121264167685,
    -1.3352627688545895,
    0.2353306303588932,
    -0.02580689139001406,
    0.0019295743094039231,
    -0.0001046381049248457,
    4.303069587032947e-06
  };

  /** (−1)^k π^(2k+1) / (2k+1)!, from k = 0: sin(πx) = Σ s_k x^(2k+1). */
  private static final double[] SINE_SERIES = {
    3.141592653589793,
    -5.16771278004997,
    2.5501640398773455,
    -0.5992645293207921,
    0.08214588661112823,
    -0.0073704309457143504,
    0.00046630280576761255,
    -2.1915353447830217e-05
  };

  private final Piece[] pieces;

  Schedule(Piece... pieces) {
    this.pieces = pieces;
  }

  private static Piece piece(double end, double factor) {
    return new Piece(end, factor, 0, 0);
  }

  double factor(double progress) {
    double begin = 0;
    int i = 0;
    while (i < pieces.length - 1 && progress >= pieces[i].end()) {
      begin = pieces[i++].end();
    }
    Piece piece = pieces[i];
    double x = Math.clamp((progress - begin) / (piece.end() - begin), 0.0, 1.0);
    return (piece.constant() + piece.slope() * x) + piece.amplitude() * cosineOfPi(x);
  }

  /** cos(πx) for x in [0, 1], to 2e-16; exact in multiples of a half. */
  static double cosineOfPi(double x) {
    if (x > 0.5) {
      return -cosineOfPi(1 - x);
    }
    if (x <= 0.25) {
      double square = x * x;
      return 1 + square * polynomial(COSINE_SERIES, square);
    }
    double rest = 0.5 - x;
    return rest * polynomial(SINE_SERIES, rest * rest);
  }

  private static double polynomial(double[] coefficients, double x) {
    double sum = 0;
    for (int k = coefficients.length - 1; k >= 0; k--) {
      sum = sum * x + coefficients[k];
    }
    return sum;
  }

  /**
   * Rate at a point of the run, before the gain ratio is applied.
   *
   * @param base rate of factor 1
   * @param effectiveIterations t̂
   * @param total T
   */
  public double learningRate(double base, double effectiveIterations, double total) {
    return base * factor(effectiveIterations / total);
  }

  /**
   * The schedule as a table that rais_gain (kernels/rais_kernels.h) reads: base, T, then for every
   * piece its end, constant, slope and amplitude.
   *
   * @param base rate of factor 1
   * @param total T
   */
  public double[] table(double base, double total) {
    double[] table = new double[2 + 4 * pieces.length];
    table[0] = base;
    table[1] = total;
    for (int i = 0; i < pieces.length; i++) {
      table[2 + 4 * i] = pieces[i].end();
      table[3 + 4 * i] = pieces[i].constant();
      table[4 + 4 * i] = pieces[i].slope();
      table[5 + 4 * i] = pieces[i].amplitude();
    }
    return table;
  }

  /** The schedule's name in options. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** All names. */
  public static List<String> names() {
    return java.util.Arrays.stream(values()).map(Schedule::id).toList();
  }
}
