package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * The closed form of the robust distribution is the minimax one (docs/algorithm.md section 2): no
 * other distribution has a smaller worst case over the uncertainty set.
 */
class RobustDistributionTest extends RandomTest {
  /** An uncertainty set over n examples: centres μ_i = ⟨c,s_i⟩, squared half-axes q_i = ⟨d,s_i⟩. */
  private static final class Example {
    final int n;
    final double[] mu;
    final double[] q;
    final double[] v;
    final double[] p;

    Example(Random random) {
      n = 3 + random.nextInt(6);
      int features = 1 + random.nextInt(4);
      double[] c = new double[features];
      double[] dHat = new double[features];
      double[] mean = new double[features];
      double[][] s = new double[n][features];
      for (int k = 0; k < features; k++) {
        c[k] = random.nextInt(4) == 0 ? 0 : random.nextDouble();
        dHat[k] = random.nextInt(4) == 0 ? 0 : random.nextDouble();
        for (int i = 0; i < n; i++) {
          s[i][k] = k > 0 && random.nextInt(4) == 0 ? 0 : Math.exp(random.nextGaussian());
          mean[k] += s[i][k] / n;
        }
      }
      dHat[0] += 0.01; // every example is uncertain
      UncertaintySet set = new UncertaintySet(c, dHat, Math.exp(2 * random.nextGaussian()));
      double errorScale = set.errorScale(mean);
      mu = new double[n];
      q = new double[n];
      v = new double[n];
      p = new double[n];
      double total = 0;
      for (int i = 0; i < n; i++) {
        mu[i] = set.predict(s[i]);
        for (int k = 0; k < features; k++) {
          q[i] += set.hStar() * dHat[k] * s[i][k]; // d = h* d̂
        }
        v[i] = set.robustValue(s[i], errorScale);
        total += v[i];
      }
      for (int i = 0; i < n; i++) {
        p[i] = v[i] / total;
      }
    }

    /** E‖g‖² of one draw from p where the gradient norms are {@code norms}. */
    double secondMoment(double[] norms, double[] p) {
      double sum = 0;
      for (int i = 0; i < n; i++) {
        sum += norms[i] * norms[i] / p[i];
      }
      return sum / n / n;
    }

    /** Left side of the constraint that defines the set. */
    double constraint(double[] norms) {
      double sum = 0;
      for (int i = 0; i < n; i++) {
        sum += (norms[i] - mu[i]) * (norms[i] - mu[i]) / q[i];
      }
      return sum / n;
    }

    /**
     * The worst norms in the set for p. Stationarity reads v_i = λ μ_i / (λ − q_i/p_i), and the
     * maximum is where λ is at least every q_i/p_i; the constraint then falls with λ, so bisection
     * finds it. All v_i come out non-negative, so that bound is never active.
     */
    double[] worst(double[] p) {
      int top = 0;
      for (int i = 0; i < n; i++) {
        top = q[i] / p[i] > q[top] / p[top] ? i : top;
      }
      double low = q[top] / p[top];
      double high = 2 * low;
      while (constraint(norms(p, high)) > 1) {
        high = low + 2 * (high - low);
      }
      double excess = high - low;
      double below = 0;
      for (int step = 0; step < 200; step++) {
        double middle = (below + excess) / 2;
        if (constraint(norms(p, low + middle)) > 1) {
          below = middle;
        } else {
          excess = middle;
        }
      }
      double[] norms = norms(p, low + excess);
      double slack = 1 - constraint(norms);
      if (slack > 1e-9) {
        // The hard case, μ = 0 at the top: what remains of the constraint goes there.
        norms[top] += Math.sqrt(n * q[top] * slack);
      }
      return norms;
    }

    private double[] norms(double[] p, double lambda) {
      double[] norms = new double[n];
      for (int i = 0; i < n; i++) {
        double gap = lambda - q[i] / p[i];
        norms[i] = mu[i] == 0 ? 0 : lambda * mu[i] / gap;
      }
      return norms;
    }
  }

  @Test
  void theRobustValuesAreTheWorstNormsForTheirOwnDistribution() {
    Random random = random("theRobustValuesAreTheWorstNorms");
    for (int trial = 0; trial < 2000; trial++) {
      Example example = new Example(random);
      assertEquals(1, example.constraint(example.v), 1e-9, "v lies on the boundary of U");
      double value = example.secondMoment(example.v, example.p);
      double worst = example.secondMoment(example.worst(example.p), example.p);
      assertEquals(1, worst / value, 1e-7);
      // Stationary: d/dv_i of the objective = λ d/dv_i of the constraint, one λ > 0 for all i.
      double lambda = -1;
      for (int i = 0; i < example.n; i++) {
        double lhs = example.v[i] / example.p[i];
        double rhs = (example.v[i] - example.mu[i]) / example.q[i];
        lambda = lambda < 0 ? lhs / rhs : lambda;
        assertTrue(lambda > 0);
        assertEquals(1, lhs / rhs / lambda, 1e-9);
      }
    }
  }

  @Test
  void noOtherDistributionHasASmallerWorstCase() {
    Random random = random("noOtherDistributionHasASmallerWorstCase");
    for (int trial = 0; trial < 300; trial++) {
      Example example = new Example(random);
      double robust = example.secondMoment(example.worst(example.p), example.p);
      for (int rival = 0; rival < 100; rival++) {
        double[] p = new double[example.n];
        double total = 0;
        double spread = Math.pow(10, -3 * random.nextDouble());
        for (int i = 0; i < example.n; i++) {
          p[i] =
              rival % 2 == 0
                  ? example.p[i] * Math.exp(spread * random.nextGaussian()) // near by
                  : -Math.log(1 - random.nextDouble()); // Dirichlet(1, ..., 1)
          total += p[i];
        }
        for (int i = 0; i < example.n; i++) {
          p[i] /= total;
        }
        double worst = example.secondMoment(example.worst(p), p);
        assertTrue(
            worst >= robust * (1 - 1e-7), () -> "beaten: " + worst + " instead of " + robust);
      }
    }
  }

  /** The worst case above is not taken on trust: random norms of the set stay below it. */
  @Test
  void theWorstCaseIsOne() {
    Random random = random("theWorstCaseIsOne");
    for (int trial = 0; trial < 300; trial++) {
      Example example = new Example(random);
      double[] worst = example.worst(example.p);
      assertEquals(1, example.constraint(worst), 1e-6);
      double value = example.secondMoment(worst, example.p);
      for (int point = 0; point < 200; point++) {
        double[] direction = new double[example.n];
        double length = 0;
        for (int i = 0; i < example.n; i++) {
          direction[i] = random.nextGaussian();
          length += direction[i] * direction[i] / example.n;
        }
        double[] norms = new double[example.n];
        for (int i = 0; i < example.n; i++) {
          double offset = direction[i] * Math.sqrt(example.q[i] / length);
          norms[i] = Math.max(0, example.mu[i] + offset);
        }
        assertTrue(example.constraint(norms) <= 1 + 1e-9);
        assertTrue(example.secondMoment(norms, example.p) <= value * (1 + 1e-7));
      }
    }
  }
}
