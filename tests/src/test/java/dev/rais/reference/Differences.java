package dev.rais.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.ToDoubleFunction;

/**
 * Central differences. With a step of 1e-5 the truncation error is about 1e-10 of the function's
 * third derivative and the rounding error about 1e-11 of the function.
 */
final class Differences {
  static final double TOLERANCE = 1e-7;

  private static final double STEP = 1e-5;

  private Differences() {}

  static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  static double[] of(ToDoubleFunction<double[]> function, double[] at) {
    double[] gradient = new double[at.length];
    for (int i = 0; i < at.length; i++) {
      double kept = at[i];
      at[i] = kept + STEP;
      double above = function.applyAsDouble(at);
      at[i] = kept - STEP;
      double below = function.applyAsDouble(at);
      at[i] = kept;
      gradient[i] = (above - below) / (2 * STEP);
    }
    return gradient;
  }

  /** Relative to the largest entry: an entry near zero has no digits of its own to compare. */
  static void check(String what, ToDoubleFunction<double[]> function, double[] at, double[] found) {
    double[] expected = of(function, at);
    double largest = 0;
    for (double value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    assertTrue(largest > 0, what + ": all differences are zero, so nothing is compared");
    assertEquals(expected.length, found.length, what);
    for (int i = 0; i < found.length; i++) {
      assertEquals(expected[i], found[i], TOLERANCE * largest, what + " at " + i);
    }
  }
}
