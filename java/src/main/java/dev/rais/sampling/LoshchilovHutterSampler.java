package dev.rais.sampling;

import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.util.Arrays;

/**
 * Online batch selection by rank (I. Loshchilov and F. Hutter, "Online Batch Selection for Faster
 * Training of Neural Networks", ICLR workshop 2016).
 *
 * <p>Examples are ranked by the loss last seen of each, the largest first. The one of rank i in
 * 1..n is drawn with
 *
 * <pre>
 *   p_i = exp(−log(s_e) / n)^i / Σ_j exp(−log(s_e) / n)^j
 * </pre>
 *
 * with replacement, so that the selection pressure s_e is the ratio of the first rank's probability
 * to the last's. It is annealed exponentially over the run, s_e = s_0 (s_end/s_0)^(t̂/T), here at
 * every new ranking. The first epoch is a shuffled one. The losses of the r_ratio · n examples that
 * rank first are computed anew r_freq times an epoch, by forward passes.
 *
 * <p>All weights are 1: examples with large losses count for more, on purpose, so the gradient is
 * biased. The paper leaves open how often to rank; here it is ten times an epoch and after losses
 * were computed anew.
 */
public final class LoshchilovHutterSampler extends AbstractSampler {
  /** s_0. */
  public static final double DEFAULT_PRESSURE = 100;

  /** s_end: uniform. */
  public static final double DEFAULT_FINAL_PRESSURE = 1;

  /** r_freq. */
  public static final double DEFAULT_FREQUENCY = 0.5;

  /** r_ratio. */
  public static final double DEFAULT_RATIO = 1;

  private static final int RANKINGS_PER_EPOCH = 10;

  private final long scheduleLength;
  private final double pressure;
  private final double finalPressure;
  private final double frequency;
  private final double ratio;
  private final UniformDraws uniform;
  private final Philox philox;

  /** [n] the loss last seen; infinite before the first, so that it is tried soon. */
  private final float[] losses;

  /** [n] examples, the largest loss first, as of the last ranking; empty before the first. */
  private int[] ranking = {};

  /** s_e of the last ranking. */
  private double currentPressure;

  private long examples;
  private long rankedAt;
  private long computedAt;
  private long rankings;
  private long rankedIterations;

  /** A sampler with the default annealing and computation of losses. */
  public LoshchilovHutterSampler(int n, long seed, long scheduleLength, double pressure) {
    this(
        n,
        seed,
        scheduleLength,
        pressure,
        Math.min(pressure, DEFAULT_FINAL_PRESSURE),
        DEFAULT_FREQUENCY,
        DEFAULT_RATIO);
  }

  /**
   * A sampler over n examples.
   *
   * @param n number of examples
   * @param seed the run's seed
   * @param scheduleLength T: t̂ at which s_e is s_end
   * @param pressure s_0, at least 1
   * @param finalPressure s_end, at least 1
   * @param frequency r_freq, how often an epoch losses are computed anew, at least 0
   * @param ratio r_ratio, of which share of the examples, 0 to 1
   */
  public LoshchilovHutterSampler(
      int n,
      long seed,
      long scheduleLength,
      double pressure,
      double finalPressure,
      double frequency,
      double ratio) {
    super("loshchilov", new Population(n, null), 0);
    check(scheduleLength >= 1, "the schedule's length must be at least 1", scheduleLength);
    check(
        pressure >= 1 && pressure <= Double.MAX_VALUE,
        "the selection pressure must be at least 1",
        pressure);
    check(
        finalPressure >= 1 && finalPressure <= Double.MAX_VALUE,
        "the final selection pressure must be at least 1",
        finalPressure);
    check(
        frequency >= 0 && frequency <= Double.MAX_VALUE,
        "the computations of losses per epoch must be at least 0",
        frequency);
    check(ratio >= 0 && ratio <= 1, "the share of losses computed must be from 0 to 1", ratio);
    this.scheduleLength = scheduleLength;
    this.pressure = pressure;
    this.finalPressure = finalPressure;
    this.frequency = frequency;
    this.ratio = ratio;
    currentPressure = pressure;
    uniform = new UniformDraws(population, seed);
    philox = new Philox(seed, Streams.RANK_DRAW);
    losses = new float[n];
    Arrays.fill(losses, Float.POSITIVE_INFINITY);
  }

  private static void check(boolean holds, String rule, Object value) {
    if (!holds) {
      throw new IllegalArgumentException(rule + ", but is " + value);
    }
  }

  /** s_e, as of the last ranking. */
  public synchronized double selectionPressure() {
    return currentPressure;
  }

  @Override
  void fill(Minibatch batch, ForwardPass forward) {
    int n = population.size();
    int m = batch.size();
    if (examples < n) {
      uniform.fill(batch, DrawMode.ROUNDS);
      examples += m;
      computedAt = examples;
      return;
    }
    boolean computing = frequency * (examples - computedAt) >= n && ratio > 0;
    if (computing) {
      compute(forward);
    }
    if (computing || ranking.length == 0 || RANKINGS_PER_EPOCH * (examples - rankedAt) >= n) {
      rank();
    }
    for (int j = 0; j < m; j++) {
      batch.set(j, ranking[place(philox.uniform(batch.iteration(), j))], 1, 1);
    }
    examples += m;
    rankedIterations++;
  }

  /** Losses of those that rank first, as of the present losses. */
  private void compute(ForwardPass forward) {
    int[] first = Arrays.copyOf(ranked(), (int) Math.ceil(ratio * population.size()));
    float[] scores = scores(forward, first);
    for (int i = 0; i < first.length; i++) {
      losses[first[i]] = scores[i];
    }
    computedAt = examples;
  }

  private void rank() {
    ranking = ranked();
    rankedAt = examples;
    rankings++;
    double progress = Math.min(1, effectiveIterations() / scheduleLength);
    currentPressure = pressure * StrictMath.pow(finalPressure / pressure, progress);
  }

  /** Examples by their losses, the largest first, equal ones by their index. */
  private int[] ranked() {
    long[] keys = new long[losses.length];
    for (int i = 0; i < keys.length; i++) {
      int bits = Float.floatToIntBits(losses[i]);
      int ascending = bits ^ (bits >> 31 & Integer.MAX_VALUE); // orders floats as integers
      keys[i] = (long) ~ascending << Integer.SIZE | i;
    }
    Arrays.sort(keys);
    int[] order = new int[keys.length];
    for (int i = 0; i < order.length; i++) {
      order[i] = (int) keys[i];
    }
    return order;
  }

  /** The place that a uniform deviate in [0, 1) draws: the inverse of Σ p in closed form. */
  private int place(double u) {
    int n = population.size();
    double log = StrictMath.log(currentPressure);
    double place = log > 1e-9 ? -StrictMath.log1p(u * StrictMath.expm1(-log)) / log * n : u * n;
    return (int) Math.min(n - 1L, (long) place);
  }

  @Override
  void learn(Minibatch batch, Observation observation) {
    for (int j = 0; j < batch.size(); j++) {
      losses[batch.indices()[j]] = observation.scores()[j];
    }
    advance(1, 1);
  }

  @Override
  public synchronized int[] upcoming(int count) {
    int left = (int) Math.max(0, population.size() - examples);
    return uniform.upcoming(Math.min(count, left));
  }

  @Override
  public ScoreKind score() {
    return ScoreKind.LOSS;
  }

  @Override
  public synchronized SamplerStatistics statistics() {
    return new SamplerStatistics(0, 0, 0, rankings, rankedIterations);
  }

  @Override
  boolean dataMayChange() {
    return false;
  }

  @Override
  void save(SamplerState state) {
    uniform.save(state);
    state.put("loshchilov.losses", losses);
    state.put("loshchilov.ranking", ranking);
    state.put("loshchilov.pressure", currentPressure);
    state.put("loshchilov", examples, rankedAt, computedAt, rankings, rankedIterations);
  }

  @Override
  void load(SamplerState state) {
    int n = losses.length;
    uniform.load(state);
    System.arraycopy(state.rawFloats("loshchilov.losses", n), 0, losses, 0, n);
    ranking = state.ints("loshchilov.ranking", -1);
    if (ranking.length != 0 && ranking.length != n) {
      throw new IllegalArgumentException(
          "a state ranks %d examples of %d".formatted(ranking.length, n));
    }
    for (int index : ranking) {
      if (index < 0 || index >= n) {
        throw new IllegalArgumentException("a state ranks example " + index + " of " + n);
      }
    }
    currentPressure = state.doubles("loshchilov.pressure", 1)[0];
    long[] counts = state.longs("loshchilov", 5);
    examples = counts[0];
    rankedAt = counts[1];
    computedAt = counts[2];
    rankings = counts[3];
    rankedIterations = counts[4];
  }
}
