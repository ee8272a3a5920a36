package dev.rais.sampling;

/**
 * A slow, simple solver of the uncertainty set for tests: the first-order alternating scheme of
 * docs/algorithm.md section 3. Each step lowers h; it shares no code with the solver under test.
 */
final class AlternatingReferenceSolver {
  private static final int MAX_SWEEPS = 100_000;
  private static final int CHECK_EVERY = 1000;

  private AlternatingReferenceSolver() {}

  /**
   * Alternates weighted non-negative least squares in c with the multiplicative step in d̂.
   *
   * @param features [features][records]
   * @return h after the last sweep, an upper bound of h*
   */
  static double solve(double[][] features, double[] norms, double[] weights, double[] mean) {
    int count = norms.length;
    int n = features.length;
    double weightSum = 0;
    for (double weight : weights) {
      weightSum += weight;
    }
    double[] c = new double[n];
    double[] d = new double[n];
    for (int k = 0; k < n; k++) {
      d[k] = 1 / (n * mean[k]);
    }
    double[] q = new double[count];
    double[] r = new double[count];
    double h = 0;
    double checked = Double.POSITIVE_INFINITY;
    for (int sweep = 1; sweep <= MAX_SWEEPS; sweep++) {
      // (a) Normal equations of the weighted least squares, by coordinate descent from the last c.
      double[][] a = new double[n][n];
      double[] b = new double[n];
      for (int j = 0; j < count; j++) {
        q[j] = 0;
        for (int k = 0; k < n; k++) {
          q[j] += d[k] * features[k][j];
        }
        for (int k = 0; k < n; k++) {
          double share = weights[j] / weightSum / q[j] * features[k][j];
          b[k] += share * norms[j];
          for (int l = 0; l < n; l++) {
            a[k][l] += share * features[l][j];
          }
        }
      }
      for (int pass = 0; pass < 30; pass++) {
        for (int k = 0; k < n; k++) {
          double slope = -b[k];
          for (int l = 0; l < n; l++) {
            slope += a[k][l] * c[l];
          }
          c[k] = Math.max(0, c[k] - slope / a[k][k]);
        }
      }
      // (b) d_k <- d_k sqrt(G_k / s̄_k), then back to ⟨d̂,s̄⟩ = 1.
      double[] g = new double[n];
      h = 0;
      for (int j = 0; j < count; j++) {
        r[j] = -norms[j];
        for (int k = 0; k < n; k++) {
          r[j] += c[k] * features[k][j];
        }
        double error = weights[j] / weightSum * r[j] * r[j] / q[j];
        h += error;
        for (int k = 0; k < n; k++) {
          g[k] += error / q[j] * features[k][j];
        }
      }
      double norm = 0;
      for (int k = 0; k < n; k++) {
        d[k] *= Math.sqrt(g[k] / mean[k]);
        norm += d[k] * mean[k];
      }
      for (int k = 0; k < n; k++) {
        d[k] /= norm;
      }
      // Where a d_k goes to 0 it does so ever more slowly: a thousand sweeps must hardly matter.
      if (sweep % CHECK_EVERY == 0) {
        if (checked - h < 1e-8 * h) {
          break;
        }
        checked = h;
      }
    }
    return h;
  }
}
