package dev.rais.sampling;

import dev.rais.random.FeistelPermutation;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.util.Arrays;
import java.util.BitSet;

/**
 * InfoBatch (Z. Qin et al., "InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data
 * Pruning", ICLR 2024).
 *
 * <p>Epochs are shuffled. At the start of each, every example whose loss last seen is below the
 * mean of all losses last seen is left out with probability r; those below the mean that stay have
 * weight 1/(1 − r), all others 1. So the sum of weighted gradients over an epoch has the full sum
 * as its expectation. Once t̂ has come to δ T, epochs are whole: that takes away what variance is
 * left where the rate is small. Examples never seen are not left out.
 *
 * <p>A step counts for n / n_kept of its epoch, so that an epoch counts for an epoch however many
 * of its examples stay; the rate is not scaled.
 */
public final class InfoBatchSampler extends AbstractSampler {
  /** r. */
  public static final double DEFAULT_PRUNE_RATIO = 0.5;

  /** δ. */
  public static final double DEFAULT_ANNEAL = 0.875;

  private final long seed;
  private final long scheduleLength;
  private final double pruneRatio;
  private final double anneal;
  private final Philox philox;

  /** [n] the loss last seen; NaN before the first. */
  private final float[] losses;

  /** Of the present epoch: who is left out, and who stays with a larger weight. */
  private BitSet pruned = new BitSet();

  private BitSet rescaled = new BitSet();
  private FeistelPermutation order;
  private long epoch = -1;
  private long position;
  private int kept;

  /** t̂ when all minibatches drawn are observed; it does not depend on how late they are. */
  private double scheduled;

  private long prunedEpochs;
  private long prunedIterations;

  /**
   * A sampler over n examples.
   *
   * @param n number of examples
   * @param seed the run's seed
   * @param scheduleLength T: t̂ at which the run ends
   * @param pruneRatio r, 0 to below 1
   * @param anneal δ, share of the schedule after which nothing is left out, 0 to 1
   */
  public InfoBatchSampler(int n, long seed, long scheduleLength, double pruneRatio, double anneal) {
    super("infobatch", new Population(n, null), 0);
    if (scheduleLength < 1) {
      throw new IllegalArgumentException(
          "the schedule's length must be at least 1, but is " + scheduleLength);
    }
    if (!(pruneRatio >= 0 && pruneRatio < 1)) {
      throw new IllegalArgumentException(
          "the prune ratio must be from 0 to below 1, but is " + pruneRatio);
    }
    if (!(anneal >= 0 && anneal <= 1)) {
      throw new IllegalArgumentException(
          "the share of the schedule before annealing must be from 0 to 1, but is " + anneal);
    }
    this.seed = seed;
    this.scheduleLength = scheduleLength;
    this.pruneRatio = pruneRatio;
    this.anneal = anneal;
    philox = new Philox(seed, Streams.PRUNING);
    losses = new float[n];
    Arrays.fill(losses, Float.NaN);
  }

  /** n_kept: examples in the present epoch; n before the first. */
  public synchronized int kept() {
    return epoch < 0 ? population.size() : kept;
  }

  @Override
  void fill(Minibatch batch, ForwardPass forward) {
    int n = population.size();
    int m = batch.size();
    double worth = 0; // an exact m where nothing is left out
    for (int j = 0; j < m; j++) {
      int index = next();
      batch.set(j, index, rescaled.get(index) ? 1 - pruneRatio : 1, 1);
      worth += (double) n / kept;
    }
    batch.note = worth / m;
    scheduled += batch.note;
    prunedIterations += kept < n ? 1 : 0;
  }

  private int next() {
    while (true) {
      if (order == null || position == order.size()) {
        prune();
        startEpoch(epoch + 1);
      }
      int index = (int) order.at(position++);
      if (!pruned.get(index)) {
        return index;
      }
    }
  }

  private void startEpoch(long number) {
    epoch = number;
    order = new FeistelPermutation(population.size(), seed, epoch, Streams.SHUFFLE);
    position = 0;
    kept = population.size() - pruned.cardinality();
  }

  /** Decides the next epoch. */
  private void prune() {
    pruned = new BitSet();
    rescaled = new BitSet();
    if (pruneRatio == 0 || scheduled >= anneal * scheduleLength) {
      return;
    }
    double sum = 0;
    int seen = 0;
    for (float loss : losses) {
      if (!Float.isNaN(loss)) {
        sum += loss;
        seen++;
      }
    }
    // As a float: rounding errors of the sum cannot put all of several equal losses below it.
    float mean = (float) (sum / seen);
    for (int i = 0; i < losses.length; i++) {
      if (losses[i] < mean) {
        if (philox.uniform(epoch + 1, i) < pruneRatio) {
          pruned.set(i);
        } else {
          rescaled.set(i);
        }
      }
    }
    prunedEpochs += pruned.isEmpty() ? 0 : 1;
  }

  @Override
  void learn(Minibatch batch, Observation observation) {
    for (int j = 0; j < batch.size(); j++) {
      losses[batch.indices()[j]] = observation.scores()[j];
    }
    advance(1, batch.note);
  }

  /** What is left of the epoch. */
  @Override
  public synchronized int[] upcoming(int count) {
    int[] coming = new int[Math.max(0, Math.min(count, kept))];
    int found = 0;
    for (long at = position; order != null && at < order.size() && found < coming.length; at++) {
      int index = (int) order.at(at);
      if (!pruned.get(index)) {
        coming[found++] = index;
      }
    }
    return Arrays.copyOf(coming, found);
  }

  @Override
  public ScoreKind score() {
    return ScoreKind.LOSS;
  }

  @Override
  public synchronized SamplerStatistics statistics() {
    return new SamplerStatistics(0, 0, 0, prunedEpochs, prunedIterations);
  }

  @Override
  boolean dataMayChange() {
    return false;
  }

  @Override
  void save(SamplerState state) {
    state.put("infobatch.losses", losses);
    state.put("infobatch.pruned", pruned.toLongArray());
    state.put("infobatch.rescaled", rescaled.toLongArray());
    state.put("infobatch", epoch, position, prunedEpochs, prunedIterations);
    state.put("infobatch.scheduled", scheduled);
  }

  @Override
  void load(SamplerState state) {
    int n = losses.length;
    System.arraycopy(state.rawFloats("infobatch.losses", n), 0, losses, 0, n);
    pruned = BitSet.valueOf(state.longs("infobatch.pruned", -1));
    rescaled = BitSet.valueOf(state.longs("infobatch.rescaled", -1));
    long[] counts = state.longs("infobatch", 4);
    if (pruned.length() > n || pruned.cardinality() == n || counts[1] < 0 || counts[1] > n) {
      throw new IllegalArgumentException("the epoch of a state does not add up");
    }
    order = null;
    epoch = -1;
    position = 0;
    if (counts[0] >= 0) {
      startEpoch(counts[0]);
      position = counts[1];
    }
    prunedEpochs = counts[2];
    prunedIterations = counts[3];
    scheduled = state.doubles("infobatch.scheduled", 1)[0];
  }
}
