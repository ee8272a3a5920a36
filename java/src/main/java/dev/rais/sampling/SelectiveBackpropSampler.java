package dev.rais.sampling;

import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.util.Arrays;

/**
 * Selective backprop (A. H. Jiang et al., "Accelerating Deep Learning by Focusing on the Biggest
 * Losers", 2019, algorithm 1).
 *
 * <p>Candidates come in shuffled epochs and are sent forward m at a time. Each is selected with
 * probability
 *
 * <pre>
 *   P(selected) = CDF_R(loss)^β
 * </pre>
 *
 * CDF_R the share of the last R losses, those just seen included, that are not larger. On average
 * 1/(β + 1) of the candidates are selected: half with β = 1, a third with β = 2. As soon as m are,
 * they are a minibatch; those selected beyond m begin the next one and are not sent forward for
 * that again.
 *
 * <p>All weights are 1: examples with large losses count for more, on purpose, so the gradient is
 * biased. The schedule counts passes over the data, so t̂ grows by a minibatch's candidates divided
 * by m.
 */
public final class SelectiveBackpropSampler extends AbstractSampler {
  /** β: a third of the candidates are selected. */
  public static final double DEFAULT_BETA = 2;

  /** R. */
  public static final int DEFAULT_HISTORY = 1024;

  private final double beta;
  private final UniformDraws uniform;
  private final Philox philox;

  /** Ring of the last R losses. */
  private final float[] history;

  /** Losses ever put into the ring, which is the number of candidates sent forward. */
  private long candidates;

  /** Candidates that minibatches have been charged with. */
  private long charged;

  /** Selected and not yet handed out, oldest first. */
  private int[] queue = new int[16];

  private int queued;

  /** A sampler with the default history. */
  public SelectiveBackpropSampler(int n, long seed, double beta) {
    this(n, seed, beta, DEFAULT_HISTORY);
  }

  /**
   * A sampler over n examples.
   *
   * @param n number of examples
   * @param seed the run's seed
   * @param beta β, at least 0; 0 selects everything
   * @param history R, at least 1
   */
  public SelectiveBackpropSampler(int n, long seed, double beta, int history) {
    super("selective-backprop", new Population(n, null), 0);
    if (!(beta >= 0 && beta <= 1e3)) {
      throw new IllegalArgumentException("β must be from 0 to 1000, but is " + beta);
    }
    if (history < 1) {
      throw new IllegalArgumentException(
          "the history of losses must have at least 1, not " + history);
    }
    this.beta = beta;
    this.history = new float[history];
    uniform = new UniformDraws(population, seed);
    philox = new Philox(seed, Streams.CANDIDATE_SELECTION);
  }

  /** Candidates sent forward so far. */
  public synchronized long candidates() {
    return candidates;
  }

  @Override
  void fill(Minibatch batch, ForwardPass forward) {
    int m = batch.size();
    while (queued < m) {
      consider(m, forward);
    }
    for (int j = 0; j < m; j++) {
      batch.set(j, queue[j], 1, 1);
    }
    System.arraycopy(queue, m, queue, 0, queued - m);
    queued -= m;
    batch.note = (double) (candidates - charged) / m;
    charged = candidates;
  }

  /** Sends candidates forward and queues those selected. */
  private void consider(int count, ForwardPass forward) {
    int[] next = uniform.upcoming(count);
    float[] losses = scores(forward, next);
    uniform.take(count);
    long first = candidates;
    for (float loss : losses) {
      history[(int) (candidates++ % history.length)] = loss;
    }
    float[] sorted = Arrays.copyOf(history, (int) Math.min(candidates, history.length));
    Arrays.sort(sorted);
    for (int i = 0; i < count; i++) {
      double cdf = (double) notLarger(sorted, losses[i]) / sorted.length;
      if (philox.uniform(first + i, 0) < StrictMath.pow(cdf, beta)) {
        enqueue(next[i]);
      }
    }
  }

  /** How many of sorted values are at most {@code value}. */
  private static int notLarger(float[] sorted, float value) {
    int low = 0;
    int high = sorted.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (sorted[middle] <= value) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private void enqueue(int index) {
    if (queued == queue.length) {
      queue = Arrays.copyOf(queue, 2 * queued);
    }
    queue[queued++] = index;
  }

  @Override
  void learn(Minibatch batch, Observation observation) {
    advance(1, batch.note);
  }

  /** Those selected already. */
  @Override
  public synchronized int[] upcoming(int count) {
    return Arrays.copyOf(queue, Math.clamp(count, 0, queued));
  }

  @Override
  public ScoreKind score() {
    return ScoreKind.LOSS;
  }

  @Override
  public synchronized SamplerStatistics statistics() {
    return new SamplerStatistics(0, 0, 0, 0, drawn());
  }

  @Override
  boolean dataMayChange() {
    return false;
  }

  @Override
  void save(SamplerState state) {
    uniform.save(state);
    state.put("selective.history", history);
    state.put("selective.queue", Arrays.copyOf(queue, queued));
    state.put("selective", candidates, charged);
  }

  @Override
  void load(SamplerState state) {
    uniform.load(state);
    System.arraycopy(
        state.floats("selective.history", history.length), 0, history, 0, history.length);
    queue = state.ints("selective.queue", -1);
    queued = queue.length;
    queue = Arrays.copyOf(queue, Math.max(16, queued));
    for (int j = 0; j < queued; j++) {
      if (queue[j] < 0 || queue[j] >= population.size()) {
        throw new IllegalArgumentException(
            "a state has selected example " + queue[j] + " of " + population.size());
      }
    }
    long[] counts = state.longs("selective", 2);
    candidates = counts[0];
    charged = counts[1];
  }
}
