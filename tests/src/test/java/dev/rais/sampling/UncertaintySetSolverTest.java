package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The trained uncertainty set against slow solvers, its optimality conditions and its limits. */
class UncertaintySetSolverTest extends RandomTest {
  /** A training problem in the solver's layout. */
  private static final class Problem {
    final double[][] features;
    final double[] norms;
    final double[] weights;
    final double[] mean;
    final boolean[] used;

    Problem(int features, int records) {
      this.features = new double[features][records];
      norms = new double[records];
      weights = new double[records];
      mean = new double[features];
      used = new boolean[features];
      Arrays.fill(weights, 1);
      Arrays.fill(used, true);
    }

    /** Lagged gradient norms, as a run records them: see the feature list of section 3. */
    static Problem realistic(Random random, int records) {
      Problem problem = new Problem(6, records);
      double shape = 0.3 + random.nextDouble();
      double drift = 0.2 + random.nextDouble();
      for (int j = 0; j < records; j++) {
        double difficulty = gamma(random, shape);
        double classMean = 0.3 + 0.1 * random.nextInt(10);
        boolean unseen = random.nextInt(10) == 0;
        double last = unseen ? classMean : difficulty * Math.exp(drift * random.nextGaussian());
        double before = unseen ? classMean : difficulty * Math.exp(drift * random.nextGaussian());
        problem.norms[j] = difficulty * Math.exp(drift * random.nextGaussian());
        problem.weights[j] = 0.2 + gamma(random, 1);
        problem.features[0][j] = 0.7;
        problem.features[1][j] = classMean;
        problem.features[2][j] = last;
        problem.features[3][j] = before;
        problem.features[4][j] = 0.6 * last + 0.4 * before * Math.exp(0.3 * random.nextGaussian());
        problem.features[5][j] = unseen ? classMean : 0;
      }
      problem.averageOver(random);
      return problem;
    }

    /** Means of a population that resembles the records, but is not the same. */
    void averageOver(Random random) {
      for (int k = 0; k < mean.length; k++) {
        mean[k] = Arrays.stream(features[k]).average().orElseThrow();
        mean[k] *= 0.8 + 0.4 * random.nextDouble();
      }
    }

    UncertaintySetSolver.Solution solve() {
      return UncertaintySetSolver.solveWithCertificate(
          features, norms, weights, norms.length, mean, used, null);
    }

    UncertaintySet solve(UncertaintySet previous) {
      return UncertaintySetSolver.solve(
          features, norms, weights, norms.length, mean, used, previous);
    }

    /** h from its definition. */
    double h(double[] c, double[] d) {
      double sum = 0;
      double weightSum = 0;
      for (int j = 0; j < norms.length; j++) {
        double r = -norms[j];
        double q = 0;
        for (int k = 0; k < c.length; k++) {
          r += c[k] * features[k][j];
          q += d[k] * features[k][j];
        }
        sum += r == 0 ? 0 : weights[j] * r * r / q;
        weightSum += weights[j];
      }
      return sum / weightSum;
    }

    double meanSquare() {
      double sum = 0;
      for (int j = 0; j < norms.length; j++) {
        sum += weights[j] * norms[j] * norms[j];
      }
      return sum / Arrays.stream(weights).sum();
    }
  }

  /** Marsaglia and Tsang's gamma deviate. */
  private static double gamma(Random random, double shape) {
    if (shape < 1) {
      return gamma(random, shape + 1) * Math.pow(random.nextDouble(), 1 / shape);
    }
    double d = shape - 1 / 3.0;
    while (true) {
      double x = random.nextGaussian();
      double v = 1 + x / Math.sqrt(9 * d);
      if (v > 0
          && Math.log(random.nextDouble())
              < 0.5 * x * x + d - d * v * v * v + 3 * d * Math.log(v)) {
        return d * v * v * v;
      }
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int k = 0; k < a.length; k++) {
      sum += a[k] * b[k];
    }
    return sum;
  }

  @Test
  void agreesWithTheAlternatingReference() {
    Random random = random("agreesWithTheAlternatingReference");
    for (int trial = 0; trial < 6; trial++) {
      Problem problem = Problem.realistic(random, 400);
      double reference =
          AlternatingReferenceSolver.solve(
              problem.features, problem.norms, problem.weights, problem.mean);
      UncertaintySetSolver.Solution solution = problem.solve();
      double h = solution.set().hStar();
      assertEquals(h, reference, 1e-6 * h);
      assertTrue(h <= reference * (1 + 1e-9), () -> h + " is above the reference " + reference);
      assertTrue(solution.lowerBound() <= reference);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {50, 3000, 20_000})
  void reachesItsLowerBoundOnRealisticRecords(int records) {
    Random random = random("reachesItsLowerBound");
    for (int trial = 0; trial < 10; trial++) {
      Problem problem = Problem.realistic(random, records);
      UncertaintySetSolver.Solution solution = problem.solve();
      UncertaintySet set = solution.set();
      assertEquals(1, dot(set.dHat(), problem.mean), 1e-12);
      assertEquals(problem.h(set.c(), set.dHat()), set.hStar(), 1e-11 * set.hStar());
      assertTrue(solution.lowerBound() <= set.hStar());
      assertEquals(set.hStar(), solution.lowerBound(), 2e-9 * set.hStar());
      assertTrue(solution.iterations() < 40);
    }
  }

  @Test
  void satisfiesTheOptimalityConditions() {
    Random random = random("satisfiesTheOptimalityConditions");
    for (int trial = 0; trial < 20; trial++) {
      Problem problem = Problem.realistic(random, 500);
      UncertaintySet set = problem.solve().set();
      int n = problem.mean.length;
      double root = Math.sqrt(set.hStar());
      double[] c = set.c();
      double[] d = set.dHat();
      double[] gradC = new double[n];
      double[] gradD = problem.mean.clone();
      double weightSum = Arrays.stream(problem.weights).sum();
      double meanNorm = 0;
      for (int j = 0; j < problem.norms.length; j++) {
        double r = -problem.norms[j];
        double q = 0;
        for (int k = 0; k < n; k++) {
          r += c[k] * problem.features[k][j];
          q += root * d[k] * problem.features[k][j];
        }
        double w = problem.weights[j] / weightSum;
        meanNorm += w * problem.norms[j];
        for (int k = 0; k < n; k++) {
          gradC[k] += 2 * w * r / q * problem.features[k][j];
          gradD[k] -= w * r * r / q / q * problem.features[k][j];
        }
      }
      // φ changes by less than 1e-4 φ if x_k moves by its natural unit, and by 1e-8 φ if by x_k.
      double phi = 2 * root;
      for (int k = 0; k < n; k++) {
        double unitC = meanNorm / problem.mean[k];
        double unitD = root / problem.mean[k];
        assertTrue(gradC[k] * unitC >= -1e-4 * phi, "downhill in c");
        assertTrue(gradD[k] * unitD >= -1e-4 * phi, "downhill in d");
        assertEquals(0, gradC[k] * c[k], 1e-8 * phi);
        assertEquals(0, gradD[k] * d[k] * root, 1e-8 * phi);
      }
    }
  }

  @Test
  void oneFeatureHasAClosedForm() {
    Random random = random("oneFeatureHasAClosedForm");
    for (int trial = 0; trial < 50; trial++) {
      Problem problem = new Problem(1, 1 + random.nextInt(40));
      double normSum = 0;
      double featureSum = 0;
      for (int j = 0; j < problem.norms.length; j++) {
        problem.norms[j] = gamma(random, 0.5);
        problem.features[0][j] = 0.1 + gamma(random, 2);
        problem.weights[j] = 0.1 + random.nextDouble();
        normSum += problem.weights[j] * problem.norms[j];
        featureSum += problem.weights[j] * problem.features[0][j];
      }
      problem.mean[0] = 0.5 + random.nextDouble();
      UncertaintySet set = problem.solve().set();
      // h = Σ w (c s − v)² / s · s̄ is a parabola in c with its minimum at Σ w v / Σ w s.
      double c = normSum / featureSum;
      double h = problem.h(new double[] {c}, new double[] {1 / problem.mean[0]});
      assertEquals(h, set.hStar(), 1e-8 * h + 1e-11 * problem.meanSquare());
      assertEquals(c, set.c()[0], 1e-4 * c);
      assertEquals(1 / problem.mean[0], set.dHat()[0], 1e-12 / problem.mean[0]);
    }
  }

  @Test
  void twoFeaturesAgreeWithAGrid() {
    Random random = random("twoFeaturesAgreeWithAGrid");
    for (int trial = 0; trial < 10; trial++) {
      Problem problem = new Problem(2, 30);
      for (int j = 0; j < 30; j++) {
        problem.features[0][j] = 1;
        problem.features[1][j] = gamma(random, 1);
        problem.norms[j] = (0.3 + problem.features[1][j]) * gamma(random, 3) / 3;
        problem.weights[j] = 0.5 + random.nextDouble();
      }
      problem.averageOver(random);
      // Centre and radius of a shrinking grid over (c_0, c_1, ⟨d̂,s̄⟩'s share of feature 1). h is
      // jointly convex, so the minimum stays inside as long as the grid shrinks slowly.
      double[] centre = {2, 2, 0.5};
      double[] radius = {2, 2, 0.5};
      double best = Double.POSITIVE_INFINITY;
      for (int level = 0; level < 80; level++) {
        double[] around = centre.clone();
        for (int cell = 0; cell < 729; cell++) {
          double[] at = new double[3];
          for (int axis = 0, rest = cell; axis < 3; axis++, rest /= 9) {
            at[axis] = Math.max(0, around[axis] + radius[axis] * (rest % 9 - 4) / 4);
          }
          double share = Math.min(1, at[2]);
          double h =
              problem.h(
                  new double[] {at[0], at[1]},
                  new double[] {(1 - share) / problem.mean[0], share / problem.mean[1]});
          if (h < best) {
            best = h;
            centre = new double[] {at[0], at[1], share};
          }
        }
        for (int axis = 0; axis < 3; axis++) {
          radius[axis] *= 0.75;
        }
      }
      UncertaintySetSolver.Solution solution = problem.solve();
      double h = best;
      assertTrue(solution.set().hStar() <= h * (1 + 1e-9), () -> "grid is better: " + h);
      assertEquals(h, solution.set().hStar(), 1e-7 * h);
      assertTrue(solution.lowerBound() <= h);
    }
  }

  @Test
  void doesNotDependOnUnits() {
    Random random = random("doesNotDependOnUnits");
    Problem problem = Problem.realistic(random, 1000);
    UncertaintySet base = problem.solve().set();
    // Powers of two change no mantissa, so that not a bit may change; others round.
    for (double unit : new double[] {0x1p-60, 0x1p40, 1e-9, 3e7}) {
      Problem scaled = new Problem(6, 1000);
      for (int j = 0; j < 1000; j++) {
        scaled.norms[j] = unit * problem.norms[j];
        scaled.weights[j] = 4 * problem.weights[j];
        for (int k = 0; k < 6; k++) {
          scaled.features[k][j] = unit * problem.features[k][j];
        }
      }
      for (int k = 0; k < 6; k++) {
        scaled.mean[k] = unit * problem.mean[k];
      }
      UncertaintySet set = scaled.solve().set();
      double exact = Math.getExponent(unit) == Math.log(unit) / Math.log(2) ? 0 : 1e-8;
      assertEquals(base.hStar(), set.hStar() / unit / unit, exact * base.hStar());
      assertArrayEquals(base.c(), set.c(), 100 * exact);
    }
  }

  @Test
  void repeatsBitForBit() {
    Problem problem = Problem.realistic(random("repeatsBitForBit"), 3000);
    assertEquals(problem.solve().set(), problem.solve().set());
  }

  @Test
  void leavesOutFeaturesThatAreUnusedOrZero() {
    Random random = random("leavesOutFeaturesThatAreUnusedOrZero");
    Problem problem = Problem.realistic(random, 400);
    problem.used[3] = false;
    Arrays.fill(problem.features[3], Double.NaN); // not even read
    problem.mean[4] = 0;
    Arrays.fill(problem.features[5], 0);
    UncertaintySet set = problem.solve().set();
    for (int k = 3; k < 6; k++) {
      assertEquals(0, set.c()[k]);
      assertEquals(0, set.dHat()[k]);
    }
    Problem small = new Problem(3, 400);
    for (int k = 0; k < 3; k++) {
      small.features[k] = problem.features[k];
      small.mean[k] = problem.mean[k];
    }
    System.arraycopy(problem.norms, 0, small.norms, 0, 400);
    System.arraycopy(problem.weights, 0, small.weights, 0, 400);
    assertEquals(small.solve().set().hStar(), set.hStar());
  }

  @Test
  void collinearFeaturesDoNoHarm() {
    Random random = random("collinearFeaturesDoNoHarm");
    for (int trial = 0; trial < 10; trial++) {
      Problem problem = Problem.realistic(random, 600);
      problem.features[3] = problem.features[2].clone();
      problem.mean[3] = problem.mean[2];
      Arrays.setAll(problem.features[1], j -> 3 * problem.features[0][j]);
      problem.mean[1] = 3 * problem.mean[0];
      UncertaintySetSolver.Solution with = problem.solve();
      assertEquals(with.set().hStar(), with.lowerBound(), 1e-7 * with.set().hStar());
      problem.used[3] = false;
      problem.used[1] = false;
      UncertaintySetSolver.Solution without = problem.solve();
      assertEquals(without.set().hStar(), with.set().hStar(), 1e-8 * with.set().hStar());
    }
  }

  @Test
  void keepsThePreviousShapeWhenTheFitIsPerfect() {
    Random random = random("keepsThePreviousShapeWhenTheFitIsPerfect");
    Problem problem = Problem.realistic(random, 300);
    for (int j = 0; j < 300; j++) {
      problem.norms[j] = 0.3 * problem.features[0][j] + 0.6 * problem.features[2][j];
    }
    double uniform = 1 / Arrays.stream(problem.mean).sum();
    UncertaintySet first = problem.solve(null);
    assertTrue(first.hStar() < 1e-12 * problem.meanSquare());
    for (int k = 0; k < 6; k++) {
      assertEquals(uniform, first.dHat()[k], 1e-12 * uniform);
    }
    // The shape is kept; its scale follows the mean features of today.
    double[] shape = {1, 0, 2, 0, 3, 0};
    UncertaintySet next = problem.solve(new UncertaintySet(new double[6], shape, 1));
    double scale = 1 / dot(shape, problem.mean);
    for (int k = 0; k < 6; k++) {
      assertEquals(scale * shape[k], next.dHat()[k], 1e-12 * scale);
    }
    for (int j = 0; j < 300; j++) {
      double[] features = new double[6];
      for (int k = 0; k < 6; k++) {
        features[k] = problem.features[k][j];
      }
      assertEquals(problem.norms[j], next.predict(features), 1e-4 * (0.1 + problem.norms[j]));
    }
  }

  @Test
  void zeroNormsGiveZeroPredictions() {
    Problem problem = Problem.realistic(random("zeroNormsGiveZeroPredictions"), 100);
    Arrays.fill(problem.norms, 0);
    UncertaintySet set = problem.solve(null);
    assertArrayEquals(new double[6], set.c());
    assertEquals(0, set.hStar());
    assertEquals(1, dot(set.dHat(), problem.mean), 1e-12);
    assertEquals(0, set.errorScale(problem.mean));
  }

  /** Examples the network has learnt have norms that underflow to 0. */
  @Test
  void manyExactlyZeroNormsAreFine() {
    Random random = random("manyExactlyZeroNormsAreFine");
    for (int trial = 0; trial < 10; trial++) {
      Problem problem = Problem.realistic(random, 2000);
      for (int j = 0; j < 2000; j++) {
        if (random.nextInt(10) < 8) {
          problem.norms[j] = 0;
          problem.features[2][j] = 0;
          problem.features[3][j] = 0;
          problem.features[4][j] = 0;
          problem.features[5][j] = 0;
        }
      }
      problem.averageOver(random);
      UncertaintySetSolver.Solution solution = problem.solve();
      assertEquals(solution.set().hStar(), solution.lowerBound(), 1e-7 * solution.set().hStar());
    }
  }

  @Test
  void recordsWithoutInfluenceAreIgnored() {
    Random random = random("recordsWithoutInfluenceAreIgnored");
    Problem problem = Problem.realistic(random, 200);
    problem.weights[17] = 0;
    UncertaintySet before = problem.solve().set();
    problem.norms[17] = 1e9;
    assertEquals(before, problem.solve().set());
  }

  /** Small, wild problems: nothing overflows, the bound holds, and nearly always proves. */
  @Test
  void staysSoundOnWildData() {
    Random random = random("staysSoundOnWildData");
    int proven = 0;
    int problems = 2000;
    for (int trial = 0; trial < problems; trial++) {
      int features = 1 + random.nextInt(8);
      int records = 1 + random.nextInt(random.nextBoolean() ? 12 : 200);
      double sigma = random.nextInt(8);
      Problem problem = new Problem(features, records);
      for (int j = 0; j < records; j++) {
        problem.norms[j] = random.nextInt(10) == 0 ? 0 : Math.exp(sigma * random.nextGaussian());
        problem.weights[j] = Math.exp(2 * random.nextGaussian());
        for (int k = 1; k < features; k++) {
          problem.features[k][j] =
              random.nextInt(3) == 0 ? 0 : Math.exp(sigma * random.nextGaussian());
        }
        problem.features[0][j] = 1;
      }
      problem.averageOver(random);
      UncertaintySetSolver.Solution solution = problem.solve();
      double h = solution.set().hStar();
      assertTrue(solution.lowerBound() <= h);
      double[] even = new double[features];
      for (int k = 0; k < features; k++) {
        even[k] = problem.mean[k] == 0 ? 0 : 1 / (features * problem.mean[k]);
      }
      assertTrue(h <= problem.h(new double[features], even) * features, "worse than c = 0");
      boolean perfect = h < 1e-12 * problem.meanSquare();
      proven += perfect || h - solution.lowerBound() <= 1e-6 * h ? 1 : 0;
    }
    int found = proven;
    assertTrue(found > 0.97 * problems, () -> "only " + found + " optima were proven");
  }

  @Test
  void refusesWhatItCannotUse() {
    Random random = random("refusesWhatItCannotUse");
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY, -1}) {
      Problem problem = Problem.realistic(random, 20);
      problem.norms[3] = bad;
      assertRefused(problem, "norms[3] must be finite and not negative, but is " + bad);
      problem = Problem.realistic(random, 20);
      problem.weights[5] = bad;
      assertRefused(problem, "weights[5] must be finite and not negative, but is " + bad);
      problem = Problem.realistic(random, 20);
      problem.features[2][7] = bad;
      assertRefused(problem, "features[2][7] must be finite and not negative, but is " + bad);
      problem = Problem.realistic(random, 20);
      problem.mean[1] = bad;
      assertRefused(problem, "meanFeatures[1] must be finite and not negative, but is " + bad);
    }
    Problem problem = Problem.realistic(random, 20);
    for (int k = 0; k < 6; k++) {
      problem.features[k][11] = 0;
    }
    problem.norms[11] = 0.5;
    assertRefused(
        problem, "record 11 has norm 0.5, but all its used features are 0: add a constant feature");
    problem.norms[11] = 0;
    assertTrue(problem.solve().set().hStar() > 0);
    Arrays.fill(problem.weights, 0);
    assertRefused(
        problem, "the weights of the 20 records must have a positive, finite sum, but it is 0.0");
    Arrays.fill(problem.weights, 1);
    problem.mean[2] = Double.MIN_VALUE; // features / mean overflow
    assertRefused(
        problem, "the features and norms of the 20 records span too many orders of magnitude");
    assertThrows(
        IllegalArgumentException.class,
        () -> problem.solve(new UncertaintySet(new double[5], new double[5], 1)));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            UncertaintySetSolver.solve(
                problem.features,
                problem.norms,
                problem.weights,
                0,
                problem.mean,
                problem.used,
                null));
  }

  private static void assertRefused(Problem problem, String message) {
    assertEquals(
        message, assertThrows(IllegalArgumentException.class, problem::solve).getMessage());
  }

  @Test
  void theSetOwnsItsArrays() {
    double[] c = {1, 2};
    UncertaintySet set = new UncertaintySet(c, new double[] {0.5, 0}, 4);
    c[0] = 9;
    set.c()[1] = 9;
    set.dHat()[0] = 9;
    assertEquals(new UncertaintySet(new double[] {1, 2}, new double[] {0.5, 0}, 4), set);
    assertEquals(7, set.predict(new double[] {3, 2}));
    assertEquals(2, set.errorScale(new double[] {2, 5}));
    assertEquals(7 + 2 * 1.5, set.robustValue(new double[] {3, 2}, 2));
    assertThrows(IllegalArgumentException.class, () -> set.predict(new double[1]));
    assertThrows(
        IllegalArgumentException.class,
        () -> new UncertaintySet(new double[] {-1}, new double[] {1}, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new UncertaintySet(new double[] {1}, new double[] {Double.NaN}, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new UncertaintySet(new double[] {1}, new double[2], 0));
  }
}
