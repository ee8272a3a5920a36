package dev.rais.sampling;

import dev.rais.random.Philox;
import dev.rais.random.Streams;

/**
 * Presampling (A. Katharopoulos and F. Fleuret, "Not All Samples Are Created Equal: Deep Learning
 * with Importance Sampling", ICML 2018, algorithm 1).
 *
 * <p>For each minibatch of m, B candidates are taken uniformly (here the next B of shuffled epochs)
 * and scored by a forward pass: Ĝ_i = ‖softmax − y‖, to which the gradient norm is bounded. With
 * g_i = Ĝ_i / Σ Ĝ over the candidates, m of them are drawn with replacement, p_i = g_i, and
 * weighted by 1/(B g_i), which is unbiased.
 *
 * <p>This is done while it is worth its forward passes. What it does to the variance is measured by
 *
 * <pre>
 *   τ ← a τ + (1 − a) (1 − ‖g − u‖² / Σ g_i²)^(−1/2) = a τ + (1 − a) sqrt(B Σ g_i²)
 *   τ starts at 0, a = 0.9, u = 1/B;   presampling is on while τ &gt; τ_th = (B + 3m)/(3m)
 * </pre>
 *
 * τ is how many times larger a uniform minibatch would have to be, in square root; the bound counts
 * a backward pass as two forward passes. While it is off, minibatches are uniform with weights of
 * 1, and τ follows from their own scores, which cost nothing.
 */
public final class PresampleSampler extends AbstractSampler {
  /** B/m in the paper's experiments. */
  public static final double DEFAULT_PRESAMPLE = 3;

  private static final double MOMENTUM = 0.9;

  private final double presample;
  private final UniformDraws uniform;
  private final Philox philox;
  private double tau;
  private long presampled;

  /**
   * A sampler over n examples.
   *
   * @param n number of examples
   * @param seed the run's seed
   * @param presample B/m, at least 1; B is rounded
   */
  public PresampleSampler(int n, long seed, double presample) {
    super("presample", new Population(n, null), 0);
    if (!(presample >= 1 && presample <= 1e6)) {
      throw new IllegalArgumentException(
          "the candidates per example drawn must be from 1 to 1000000, but are " + presample);
    }
    this.presample = presample;
    uniform = new UniformDraws(population, seed);
    philox = new Philox(seed, Streams.PRESAMPLE_DRAW);
  }

  /** τ: the measured reduction of the gradient's standard deviation. */
  public synchronized double tau() {
    return tau;
  }

  private int candidates(int m) {
    return Math.toIntExact(Math.round(presample * m));
  }

  private boolean isOn(int m) {
    return tau > (candidates(m) + 3.0 * m) / (3.0 * m);
  }

  @Override
  void fill(Minibatch batch, ForwardPass forward) {
    int m = batch.size();
    if (!isOn(m)) {
      uniform.fill(batch, DrawMode.ROUNDS);
      return;
    }
    int[] candidates = uniform.upcoming(candidates(m));
    float[] scores = scores(forward, candidates);
    uniform.take(candidates.length);
    batch.note = 1;
    presampled++;
    measure(scores);
    resample(batch, candidates, scores);
  }

  private void resample(Minibatch batch, int[] candidates, float[] scores) {
    int b = candidates.length;
    double[] cumulated = new double[b];
    double sum = 0;
    for (int i = 0; i < b; i++) {
      sum += scores[i];
      cumulated[i] = sum;
    }
    for (int j = 0; j < batch.size(); j++) {
      double u = philox.uniform(batch.iteration(), j);
      int i = sum > 0 ? find(cumulated, u * sum) : (int) (u * b);
      double np = sum > 0 ? b * (scores[i] / sum) : 1;
      batch.set(j, candidates[i], np, population.relativeWeight(candidates[i]));
    }
  }

  /** The first place whose cumulated score is above {@code target}, so one with a score above 0. */
  private static int find(double[] cumulated, double target) {
    int low = 0;
    int high = cumulated.length - 1;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (cumulated[middle] > target) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    // u · sum may round up to the sum itself; what follows the last positive score is then found.
    while (low > 0 && cumulated[low] == cumulated[low - 1]) {
      low--;
    }
    return low;
  }

  private void measure(float[] scores) {
    double sum = 0;
    double squares = 0;
    for (float score : scores) {
      sum += score;
      squares += (double) score * score;
    }
    double now = sum > 0 ? Math.sqrt(scores.length * squares) / sum : 1;
    tau = MOMENTUM * tau + (1 - MOMENTUM) * now;
  }

  @Override
  void learn(Minibatch batch, Observation observation) {
    if (batch.note == 0) {
      measure(observation.scores());
    }
    advance(1, 1);
  }

  @Override
  public ScoreKind score() {
    return ScoreKind.GRADIENT_NORM;
  }

  @Override
  public synchronized SamplerStatistics statistics() {
    return new SamplerStatistics(0, 0, 0, 0, presampled);
  }

  @Override
  void save(SamplerState state) {
    uniform.save(state);
    state.put("presample", presampled);
    state.put("presample.tau", tau);
  }

  @Override
  void load(SamplerState state) {
    uniform.load(state);
    presampled = state.longs("presample", 1)[0];
    tau = state.doubles("presample.tau", 1)[0];
  }
}
