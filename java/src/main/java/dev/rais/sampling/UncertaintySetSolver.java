package dev.rais.sampling;

import java.util.Arrays;

/**
 * Trains the uncertainty set: finds c and d̂ from recorded features and norms (docs/algorithm.md
 * section 3) by a primal-dual interior-point method with a certificate of optimality.
 *
 * <p><b>Problem.</b> With records j = 1..N of features s̃_j ≥ 0, norm ṽ_j ≥ 0 and weight ŵ_j
 * (normalised to mean 1), and with s̄ the mean feature vector of all examples,
 *
 * <pre>
 *   h(c,d) = (1/N) Σ_j ŵ_j (⟨c,s̃_j⟩ − ṽ_j)² / ⟨d,s̃_j⟩
 *   h* = min h(c,d̂)   over c, d̂ ≥ 0 with ⟨d̂,s̄⟩ = 1
 * </pre>
 *
 * <p><b>Reformulation.</b> Instead we minimise, over c, d ≥ 0 alone,
 *
 * <pre>
 *   φ(c,d) = h(c,d) + ⟨d,s̄⟩
 * </pre>
 *
 * <p>It is jointly convex, because r²/q is (the perspective of the square) and r, q are affine in
 * (c,d). Its minimum is 2 sqrt(h*), reached at (c*, sqrt(h*) · d̂*). Proof: write d = t d̂ with t =
 * ⟨d,s̄⟩ &gt; 0 and ⟨d̂,s̄⟩ = 1. As h is homogeneous of degree −1 in d, φ = h(c,d̂)/t + t ≥ 2
 * sqrt(h(c,d̂)) ≥ 2 sqrt(h*); the first holds with equality exactly at t = sqrt(h(c,d̂)), the
 * second exactly where (c,d̂) is optimal. So the equality constraint costs nothing.
 *
 * <p><b>Certificate.</b> For any numbers α_j, r²/q ≥ 2 α r − α² q. Hence, if
 *
 * <pre>
 *   (1/N) Σ_j ŵ_j α_j s̃_jk ≥ 0   and   (1/N) Σ_j ŵ_j α_j² s̃_jk ≤ s̄_k   for every feature k,
 * </pre>
 *
 * then φ(c,d) ≥ −(2/N) Σ_j ŵ_j α_j ṽ_j for all c, d ≥ 0: the terms in c and d are not negative. At
 * the optimum α_j = r_j/q_j satisfies both (they say ∇φ ≥ 0) and the bound is tight (where ∇φ ≥ 0
 * it says φ(x) − φ* ≤ xᵀ∇φ). Elsewhere, a constant is added to all α_j to satisfy the first
 * condition and all are then scaled to satisfy the second, which takes only sums that are known
 * already. So every iterate gives a rigorous lower bound, and the method stops when the value
 * reached is within {@value #TOLERANCE} of it, relative. Where the optimum fits some records
 * exactly, their α = 0/0 is rounding error and proves less; the method then stops when μ has become
 * negligible.
 *
 * <p><b>Method.</b> Newton's method on ∇φ = z, x_k z_k = μ for x = (c,d): the system (H + Z/X) Δx =
 * μ/x − ∇φ, steps limited to 0.99 of the way to the boundary and shortened until φ − μ Σ ln x_k
 * decreases. The Hessian of r²/q is (2/q) a aᵀ with a = (s̃, −(r/q) s̃), so that all of H comes
 * from three weighted sums of s̃ s̃ᵀ. Features are scaled by s̄_k and norms by their mean first.
 * Only the Newton system is regularised, never the objective: collinear features give some optimum.
 *
 * <p>Cost: ten to fifteen passes over the records, each some 80 multiply-adds per record at six
 * features. One thread; the result depends on the input alone.
 */
public final class UncertaintySetSolver {
  /** Relative distance of h from its lower bound at which the solver stops. */
  static final double TOLERANCE = 1e-9;

  /** Below this multiple of the mean squared norm, h* is the rounding error of a perfect fit. */
  private static final double PERFECT_FIT = 1e-12;

  private static final int MAX_ITERATIONS = 100;
  private static final int MAX_HALVINGS = 40;
  private static final double TO_BOUNDARY = 0.99;
  private static final double CENTRED = 10;

  /** Records per block: the block's columns stay in the first-level cache. */
  private static final int BLOCK = 256;

  /**
   * What {@link #solveWithCertificate} found.
   *
   * @param set the trained set
   * @param lowerBound h* is at least this and at most {@code set.hStar()}, up to rounding
   * @param iterations Newton steps taken
   */
  record Solution(UncertaintySet set, double lowerBound, int iterations) {}

  private final int features;
  private final int records;

  /** [features][records] scaled. */
  private final double[][] s;

  /** [records] scaled. */
  private final double[] v;

  /** [records] ŵ_j / N. */
  private final double[] w;

  // The state at one point x = (c, d) of the scaled problem, where s̄ = (1, ..., 1).
  private double h;
  private final double[] gradient;
  private final double[][] hessian;
  private final double[] diagonal;

  /** (1/N) Σ ŵ α ṽ. */
  private double alphaNorm;

  /** [features] (1/N) Σ ŵ s̃. */
  private final double[] meanS;

  /** (1/N) Σ ŵ ṽ. */
  private final double meanV;

  // Scratch for one block.
  private final double[] r = new double[BLOCK];
  private final double[] q = new double[BLOCK];
  private final double[] wAlpha = new double[BLOCK];
  private final double[] wAlpha2 = new double[BLOCK];

  // [records] what multiplies s̃ s̃ᵀ in the three parts of the Hessian.
  private final double[] b0;
  private final double[] b1;
  private final double[] b2;

  // [BLOCK] running sums side by side, which C2 adds to in vectors; it does not so with one sum.
  private final double[] cc = new double[BLOCK];
  private final double[] cd = new double[BLOCK];
  private final double[] dd = new double[BLOCK];

  private UncertaintySetSolver(double[][] s, double[] v, double[] w, int records) {
    this.s = s;
    this.v = v;
    this.w = w;
    this.features = s.length;
    this.records = records;
    gradient = new double[2 * features];
    hessian = new double[2 * features][2 * features];
    diagonal = new double[2 * features];
    b0 = new double[records];
    b1 = new double[records];
    b2 = new double[records];
    meanS = new double[features];
    double sum = 0;
    for (int j = 0; j < records; j++) {
      sum += w[j] * v[j];
    }
    meanV = sum;
    for (int k = 0; k < features; k++) {
      sum = 0;
      for (int j = 0; j < records; j++) {
        sum += w[j] * s[k][j];
      }
      meanS[k] = sum;
    }
  }

  /**
   * Trains the set from records.
   *
   * <p>A feature that is not {@code used}, is zero on average over all examples, or is zero in all
   * records gets c_k = d̂_k = 0. If h* is below 1e-12 of the mean squared norm (the records say
   * nothing about the error) the previous d̂ is kept, or a uniform one taken when there is none.
   * Records of weight 0, and records whose features and norm are all 0, have no influence.
   *
   * @param features [features][at least count] recorded feature vectors s̃, in columns
   * @param norms [at least count] observed norms ṽ
   * @param weights [at least count] importance weights w̃; their scale does not matter
   * @param count number of records, at least 1
   * @param meanFeatures [features] s̄, the mean over all examples
   * @param used [features] which features to use
   * @param previous the set in use until now, or null
   * @return the set, with ⟨d̂,s̄⟩ = 1
   * @throws IllegalArgumentException if an entry is negative or not finite, all weights are 0, the
   *     shapes do not fit, a record has a positive norm but no feature to predict it from, or the
   *     entries span so many orders of magnitude that sums overflow
   */
  public static UncertaintySet solve(
      double[][] features,
      double[] norms,
      double[] weights,
      int count,
      double[] meanFeatures,
      boolean[] used,
      UncertaintySet previous) {
    return solveWithCertificate(features, norms, weights, count, meanFeatures, used, previous)
        .set();
  }

  /** Does what {@link #solve} does, and returns the lower bound of h* with it. */
  static Solution solveWithCertificate(
      double[][] features,
      double[] norms,
      double[] weights,
      int count,
      double[] meanFeatures,
      boolean[] used,
      UncertaintySet previous) {
    checkShapes(features, norms, weights, count, meanFeatures, used, previous);
    checkValues("norms", norms, count);
    checkValues("weights", weights, count);
    checkValues("meanFeatures", meanFeatures, meanFeatures.length);
    boolean[] present = new boolean[features.length];
    for (int k = 0; k < features.length; k++) {
      if (used[k] && meanFeatures[k] > 0) {
        checkValues("features[" + k + "]", features[k], count);
        present[k] = true;
      }
    }

    double weightSum = 0;
    for (int j = 0; j < count; j++) {
      weightSum += weights[j];
    }
    if (!(weightSum > 0 && weightSum <= Double.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "the weights of the %d records must have a positive, finite sum, but it is %s"
              .formatted(count, weightSum));
    }

    int[] kept = keptRecords(features, norms, weights, count, present);
    double normScale = 0;
    for (int j : kept) {
      normScale += weights[j] / weightSum * norms[j];
    }
    int[] columns = columns(features, kept, present);
    if (normScale == 0) {
      double[] zero = new double[features.length];
      return new Solution(
          new UncertaintySet(zero, fallback(previous, meanFeatures, present), 0), 0, 0);
    }

    double[][] s = new double[columns.length][kept.length];
    double[] v = new double[kept.length];
    double[] w = new double[kept.length];
    double meanSquare = 0;
    for (int i = 0; i < kept.length; i++) {
      v[i] = norms[kept[i]] / normScale;
      w[i] = weights[kept[i]] / weightSum;
      meanSquare += w[i] * v[i] * v[i];
    }
    for (int k = 0; k < columns.length; k++) {
      double[] column = features[columns[k]];
      double scale = meanFeatures[columns[k]];
      for (int i = 0; i < kept.length; i++) {
        s[k][i] = column[kept[i]] / scale;
      }
    }

    UncertaintySetSolver solver = new UncertaintySetSolver(s, v, w, kept.length);
    double[] x = new double[2 * columns.length];
    Outcome outcome = solver.minimise(x, PERFECT_FIT * meanSquare);
    if (!(outcome.h <= Double.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "the features and norms of the %d records span too many orders of magnitude"
              .formatted(count));
    }
    double[] c = new double[features.length];
    double[] dHat = new double[features.length];
    double dSum = 0;
    for (int k = 0; k < columns.length; k++) {
      dSum += x[columns.length + k];
    }
    for (int k = 0; k < columns.length; k++) {
      c[columns[k]] = x[k] * normScale / meanFeatures[columns[k]];
      dHat[columns[k]] = x[columns.length + k] / dSum / meanFeatures[columns[k]];
    }
    if (outcome.h < PERFECT_FIT * meanSquare) {
      dHat = fallback(previous, meanFeatures, present);
    }
    double unit = normScale * normScale;
    return new Solution(
        new UncertaintySet(c, dHat, outcome.h * unit),
        outcome.lowerBound * unit,
        outcome.iterations);
  }

  /** h(c,d̂) at the best point of the scaled problem, the bound below it, and the Newton steps. */
  private record Outcome(double h, double lowerBound, int iterations) {}

  /**
   * The interior-point method on the scaled problem.
   *
   * @param x [2 features] receives the best point
   * @param smallEnough a value of h(c,d̂) at which there is nothing left to gain
   */
  private Outcome minimise(double[] x, double smallEnough) {
    int size = 2 * features;
    double[] point = new double[size];
    for (int k = 0; k < features; k++) {
      // All features predict the same share, and the mean prediction is right.
      point[k] = meanV / (features * meanS[k]);
      point[features + k] = 1.0 / features;
    }
    // The best multiple of this d, by the proof above: t = sqrt(h).
    double t = Math.sqrt(Math.max(objective(point), smallEnough));
    for (int k = 0; k < features; k++) {
      point[features + k] *= t;
    }

    double[] z = new double[size];
    double[] step = new double[size];
    double[] zStep = new double[size];
    double[] right = new double[size];
    double[] trial = new double[size];
    double[][] factor = new double[size][size];
    double mu = 0;
    double best = Double.POSITIVE_INFINITY;
    double bound = 0;
    boolean settled = false;
    int iteration = 0;
    for (; ; iteration++) {
      differentiate(point);
      double dSum = sumOfD(point);
      if (h * dSum < best) {
        best = h * dSum;
        System.arraycopy(point, 0, x, 0, size);
      }
      double root = lowerBound() / 2;
      bound = Math.max(bound, root * root);
      if (best - bound <= TOLERANCE * best || best < smallEnough || iteration == MAX_ITERATIONS) {
        break;
      }

      if (iteration == 0) {
        mu = 0.1 * (h + dSum) / size;
        for (int k = 0; k < size; k++) {
          z[k] = mu / point[k];
        }
      }
      if (!factorise(point, z, factor)) {
        break; // overflow: the values span hundreds of orders of magnitude
      }
      if (settled || centred(point, z, mu)) {
        if (size * mu <= 1e-3 * TOLERANCE * (h + dSum)) {
          break; // optimal, but r/q is too rounded to prove it
        }
        mu = nextMu(point, z, factor, right, step, zStep);
      }

      double slope = 0; // of the merit function along the step; over mu, Newton's decrement
      for (int k = 0; k < size; k++) {
        right[k] = mu / point[k] - gradient[k];
      }
      substitute(factor, right, step);
      for (int k = 0; k < size; k++) {
        zStep[k] = mu / point[k] - z[k] - z[k] / point[k] * step[k];
        slope -= right[k] * step[k];
      }
      double primal = Math.min(1, TO_BOUNDARY * longest(point, step));
      double dual = Math.min(1, TO_BOUNDARY * longest(z, zStep));
      double merit = h + dSum - mu * sumOfLogs(point);
      // Near the optimum the decrease drowns in rounding: do not ask for more than can be seen.
      double rounding = 1e-14 * (h + dSum + Math.abs(mu * sumOfLogs(point)));
      boolean accepted = false;
      for (int halving = 0; halving < MAX_HALVINGS && !accepted; halving++) {
        for (int k = 0; k < size; k++) {
          trial[k] = point[k] + primal * step[k];
        }
        double reachedMerit = objective(trial) + sumOfD(trial) - mu * sumOfLogs(trial);
        accepted = reachedMerit <= merit + 1e-4 * primal * slope + rounding;
        if (!accepted) {
          primal *= 0.5;
        }
      }
      if (!accepted) {
        break; // rounding has taken over
      }
      settled = primal == 1 && -slope <= Math.max(1e-8 * mu, rounding);
      System.arraycopy(trial, 0, point, 0, size);
      for (int k = 0; k < size; k++) {
        z[k] += dual * zStep[k];
        // Shortened steps leave x and z out of step; far from x z = mu, Z/X would mislead Newton.
        z[k] = Math.clamp(z[k], 1e-4 * mu / point[k], 1e4 * mu / point[k]);
      }
    }
    return new Outcome(best, Math.min(bound, best), iteration);
  }

  /**
   * Whether the point solves the barrier problem of this mu well enough to move on. Moving on from
   * elsewhere gets stuck where a record's r and q go to 0 together: there r²/q has no gradient, and
   * only the central path leads to an α = r/q that proves optimality.
   */
  private boolean centred(double[] x, double[] z, double mu) {
    for (int k = 0; k < x.length; k++) {
      if (Math.abs(x[k] * (gradient[k] - z[k])) > CENTRED * mu
          || Math.abs(x[k] * z[k] - mu) > CENTRED * mu) {
        return false;
      }
    }
    return true;
  }

  /** How far the pure Newton step (mu = 0) gets tells how much of mu can be dropped at once. */
  private double nextMu(
      double[] x, double[] z, double[][] factor, double[] right, double[] step, double[] zStep) {
    int size = x.length;
    for (int k = 0; k < size; k++) {
      right[k] = -gradient[k];
    }
    substitute(factor, right, step);
    double complementarity = 0;
    for (int k = 0; k < size; k++) {
      zStep[k] = -z[k] - z[k] / x[k] * step[k];
      complementarity += x[k] * z[k] / size;
    }
    double primal = Math.min(1, longest(x, step));
    double dual = Math.min(1, longest(z, zStep));
    double reached = 0;
    for (int k = 0; k < size; k++) {
      reached += (x[k] + primal * step[k]) * (z[k] + dual * zStep[k]) / size;
    }
    double share = reached / complementarity;
    return complementarity * Math.clamp(share * share * share, 1e-3, 0.5);
  }

  /** h(c,d) alone: what a line search needs. */
  private double objective(double[] x) {
    double sum = 0;
    for (int from = 0; from < records; from += BLOCK) {
      int length = residuals(x, from);
      for (int i = 0; i < length; i++) {
        sum += w[from + i] * r[i] * r[i] / q[i];
      }
    }
    return sum;
  }

  /** Fills the block's r = ⟨c,s̃⟩ − ṽ and q = ⟨d,s̃⟩; returns its length. */
  private int residuals(double[] x, int from) {
    int length = Math.min(BLOCK, records - from);
    for (int i = 0; i < length; i++) {
      r[i] = -v[from + i];
      q[i] = 0;
    }
    for (int k = 0; k < features; k++) {
      double[] column = s[k];
      double ck = x[k];
      double dk = x[features + k];
      for (int i = 0; i < length; i++) {
        r[i] += ck * column[from + i];
        q[i] += dk * column[from + i];
      }
    }
    return length;
  }

  /** Fills h, the gradient and the Hessian of φ, and the sum the certificate needs. */
  private void differentiate(double[] x) {
    h = 0;
    alphaNorm = 0;
    Arrays.fill(gradient, 0);
    for (int from = 0; from < records; from += BLOCK) {
      int length = residuals(x, from);
      for (int i = 0; i < length; i++) {
        double alpha = r[i] / q[i];
        double weight = w[from + i];
        wAlpha[i] = weight * alpha;
        wAlpha2[i] = weight * alpha * alpha;
        b0[from + i] = weight / q[i];
        b1[from + i] = weight * alpha / q[i];
        b2[from + i] = wAlpha2[i] / q[i];
      }
      for (int i = 0; i < length; i++) {
        h += wAlpha2[i] * q[i];
        alphaNorm += wAlpha[i] * v[from + i];
      }
      for (int k = 0; k < features; k++) {
        addGradient(k, from, length);
      }
    }
    for (int k = 0; k < features; k++) {
      for (int l = 0; l <= k; l++) {
        setHessian(k, l);
      }
    }
    for (int k = 0; k < features; k++) {
      gradient[features + k] += 1; // s̄ of the scaled problem
    }
  }

  private void addGradient(int k, int from, int length) {
    double[] column = s[k];
    double sum1 = 0;
    double sum2 = 0;
    for (int i = 0; i < length; i++) {
      double feature = column[from + i];
      sum1 += wAlpha[i] * feature;
      sum2 += wAlpha2[i] * feature;
    }
    gradient[k] += 2 * sum1;
    gradient[features + k] -= sum2;
  }

  /** Sets entries of the lower triangle; (k, features + l) is in it through symmetry. */
  private void setHessian(int k, int l) {
    Arrays.fill(cc, 0);
    Arrays.fill(cd, 0);
    Arrays.fill(dd, 0);
    for (int from = 0; from < records; from += BLOCK) {
      int length = Math.min(BLOCK, records - from);
      addProducts(s[k], s[l], b0, b1, b2, from, length, cc, cd, dd);
    }
    hessian[k][l] = 2 * sum(cc);
    hessian[features + k][features + l] = 2 * sum(dd);
    double mixed = -2 * sum(cd);
    hessian[features + k][l] = mixed;
    hessian[features + l][k] = mixed;
  }

  private static void addProducts(
      double[] columnK,
      double[] columnL,
      double[] b0,
      double[] b1,
      double[] b2,
      int from,
      int length,
      double[] cc,
      double[] cd,
      double[] dd) {
    for (int i = 0; i < length; i++) {
      double product = columnK[from + i] * columnL[from + i];
      cc[i] += b0[from + i] * product;
      cd[i] += b1[from + i] * product;
      dd[i] += b2[from + i] * product;
    }
  }

  private static double sum(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum;
  }

  /**
   * The certificate of the class comment at the point last differentiated.
   *
   * @return a number that φ nowhere falls below
   */
  private double lowerBound() {
    double shift = 0;
    for (int k = 0; k < features; k++) {
      shift = Math.max(shift, -gradient[k] / 2 / meanS[k]);
    }
    double scale = Double.POSITIVE_INFINITY;
    for (int k = 0; k < features; k++) {
      double alpha2 = 1 - gradient[features + k];
      // (1/N) Σ ŵ (α + shift)² s̃_k, which must not exceed s̄_k = 1 after scaling.
      double shifted = alpha2 + shift * gradient[k] + shift * shift * meanS[k];
      scale = Math.min(scale, 1 / Math.sqrt(shifted));
    }
    double bound = -2 * scale * (alphaNorm + shift * meanV);
    return bound > 0 && bound <= Double.MAX_VALUE ? bound : 0;
  }

  /**
   * Cholesky factor of H + Z/X, scaled to a unit diagonal and regularised as far as needed.
   *
   * @return false if the matrix is not finite
   */
  private boolean factorise(double[] x, double[] z, double[][] factor) {
    int size = x.length;
    for (int k = 0; k < size; k++) {
      diagonal[k] = Math.sqrt(hessian[k][k] + z[k] / x[k]);
    }
    for (double regularisation = 1e-13; regularisation < 1; regularisation *= 100) {
      boolean positive = true;
      for (int k = 0; k < size && positive; k++) {
        for (int l = 0; l <= k; l++) {
          double sum = k == l ? 1 + regularisation : hessian[k][l] / diagonal[k] / diagonal[l];
          for (int i = 0; i < l; i++) {
            sum -= factor[k][i] * factor[l][i];
          }
          if (k == l) {
            // Collinear features leave a pivot that is rounding error, of either sign.
            positive = sum > 0.1 * regularisation;
            factor[k][k] = Math.sqrt(sum);
          } else {
            factor[k][l] = sum / factor[l][l];
          }
        }
      }
      if (positive) {
        return true;
      }
    }
    return false;
  }

  /** Solves the factorised system. */
  private void substitute(double[][] factor, double[] right, double[] solution) {
    int size = right.length;
    for (int k = 0; k < size; k++) {
      double sum = right[k] / diagonal[k];
      for (int i = 0; i < k; i++) {
        sum -= factor[k][i] * solution[i];
      }
      solution[k] = sum / factor[k][k];
    }
    for (int k = size - 1; k >= 0; k--) {
      double sum = solution[k];
      for (int i = k + 1; i < size; i++) {
        sum -= factor[i][k] * solution[i];
      }
      solution[k] = sum / factor[k][k];
    }
    for (int k = 0; k < size; k++) {
      solution[k] /= diagonal[k];
    }
  }

  /** The largest t for which x + t step is not negative. */
  private static double longest(double[] x, double[] step) {
    double t = Double.POSITIVE_INFINITY;
    for (int k = 0; k < x.length; k++) {
      if (step[k] < 0) {
        t = Math.min(t, -x[k] / step[k]);
      }
    }
    return t;
  }

  private static double sumOfLogs(double[] x) {
    double sum = 0;
    for (double value : x) {
      sum += Math.log(value);
    }
    return sum;
  }

  private double sumOfD(double[] x) {
    double sum = 0;
    for (int k = 0; k < features; k++) {
      sum += x[features + k];
    }
    return sum;
  }

  /** The previous d̂, scaled to today's mean, or else a uniform one. */
  private static double[] fallback(
      UncertaintySet previous, double[] meanFeatures, boolean[] present) {
    double[] dHat = new double[meanFeatures.length];
    for (int attempt = previous == null ? 1 : 0; attempt < 2; attempt++) {
      double[] shape = attempt == 0 ? previous.dHat() : null;
      double sum = 0;
      for (int k = 0; k < dHat.length; k++) {
        dHat[k] = !present[k] ? 0 : attempt == 0 ? shape[k] : 1;
        sum += dHat[k] * meanFeatures[k];
      }
      if (sum > 0) {
        for (int k = 0; k < dHat.length; k++) {
          dHat[k] /= sum;
        }
        return dHat;
      }
    }
    return dHat;
  }

  /** The records that have influence; refuses those that no c can predict. */
  private static int[] keptRecords(
      double[][] features, double[] norms, double[] weights, int count, boolean[] present) {
    int[] kept = new int[count];
    int length = 0;
    for (int j = 0; j < count; j++) {
      if (weights[j] == 0) {
        continue;
      }
      boolean seen = false;
      for (int k = 0; k < features.length && !seen; k++) {
        seen = present[k] && features[k][j] > 0;
      }
      if (seen) {
        kept[length++] = j;
      } else if (norms[j] > 0) {
        throw new IllegalArgumentException(
            "record %d has norm %s, but all its used features are 0: add a constant feature"
                .formatted(j, norms[j]));
      }
    }
    return Arrays.copyOf(kept, length);
  }

  /** The features that are present and not zero in all kept records. */
  private static int[] columns(double[][] features, int[] kept, boolean[] present) {
    int[] columns = new int[features.length];
    int length = 0;
    for (int k = 0; k < features.length; k++) {
      boolean any = false;
      for (int i = 0; i < kept.length && present[k] && !any; i++) {
        any = features[k][kept[i]] > 0;
      }
      if (any) {
        columns[length++] = k;
      }
    }
    return Arrays.copyOf(columns, length);
  }

  private static void checkShapes(
      double[][] features,
      double[] norms,
      double[] weights,
      int count,
      double[] meanFeatures,
      boolean[] used,
      UncertaintySet previous) {
    if (features.length != meanFeatures.length || features.length != used.length) {
      throw new IllegalArgumentException(
          "there are %d features, but %d means and %d used flags"
              .formatted(features.length, meanFeatures.length, used.length));
    }
    if (previous != null && previous.features() != features.length) {
      throw new IllegalArgumentException(
          "there are %d features, but the previous set has %d"
              .formatted(features.length, previous.features()));
    }
    if (count < 1 || count > norms.length || count > weights.length) {
      throw new IllegalArgumentException(
          "count must be at least 1, but is %d; there are %d norms and %d weights"
              .formatted(count, norms.length, weights.length));
    }
    for (int k = 0; k < features.length; k++) {
      if (used[k] && count > features[k].length) {
        throw new IllegalArgumentException(
            "count is %d, but feature %d has %d records".formatted(count, k, features[k].length));
      }
    }
  }

  private static void checkValues(String name, double[] values, int count) {
    for (int j = 0; j < count; j++) {
      if (!(values[j] >= 0 && values[j] <= Double.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "%s[%d] must be finite and not negative, but is %s".formatted(name, j, values[j]));
      }
    }
  }
}
