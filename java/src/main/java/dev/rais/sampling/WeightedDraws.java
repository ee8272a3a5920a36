package dev.rais.sampling;

import dev.rais.random.FeistelPermutation;
import dev.rais.random.Philox;
import dev.rais.random.Streams;

/**
 * Indices and weights from the values of a {@link SumTree}, by independent draws or in rounds
 * (docs/algorithm.md §7).
 */
final class WeightedDraws {
  /** Rounds of more draws would make p too old on huge data sets. */
  static final int MAX_ROUND = 1 << 20;

  private final SumTree tree;
  private final int n;
  private final long seed;
  private final Philox draws;
  private final Philox offsets;
  private long round = -1;
  private long roundSize;
  private long slot;
  private double offset;
  private FeistelPermutation order;
  private double[] positions = new double[0];
  private int[] slots = new int[0];
  private int[] found = new int[0];

  WeightedDraws(SumTree tree, long seed) {
    this.tree = tree;
    this.n = Math.toIntExact(tree.size());
    this.seed = seed;
    this.draws = new Philox(seed, Streams.WEIGHTED_DRAW);
    this.offsets = new Philox(seed, Streams.ROUND_OFFSET);
  }

  /** Draws left in the current round; 0 before the first. */
  long remaining() {
    return roundSize - slot;
  }

  /**
   * Starts a round of {@code size} draws from the tree as it stands; the tree must not change until
   * the round is used up.
   */
  void startRound(int size) {
    round++;
    roundSize = size;
    slot = 0;
    offset = offsets.uniform(round, 0);
    order = new FeistelPermutation(size, seed, round, Streams.ROUND_ORDER);
  }

  /** Ends the current round early; what is left of it is in random order, so nothing is biased. */
  void endRound() {
    slot = roundSize;
  }

  /**
   * Draws from the round: slot k takes stratum π(k) of the K equal strata of the cumulated values,
   * at the round's one offset, so that every example gets floor or ceil of K p_i copies.
   */
  void fillFromRound(Minibatch batch) {
    double total = tree.total();
    int m = batch.size();
    reserve(m);
    for (int j = 0; j < m; j++) {
      positions[j] = (order.at(slot++) + offset) / roundSize * total;
    }
    tree.find(positions, batch.indices(), m);
    weigh(batch, total, 0);
  }

  /**
   * Draws each index independently from p_i = (1 − λ) v_i / Σv + λ/n.
   *
   * @param smoothing λ in [0, 1]
   */
  void fillIndependently(Minibatch batch, double smoothing) {
    double total = tree.total();
    if (!(total > 0)) {
      smoothing = 1; // all norms are 0: nothing to prefer
      total = 1;
    }
    int m = batch.size();
    reserve(m);
    // The tree draws many at once faster than one by one: first those it is to draw.
    int fromTree = 0;
    for (int j = 0; j < m; j++) {
      double u = draws.uniform(batch.iteration(), j);
      if (u < smoothing) {
        batch.indices()[j] = (int) Math.min(n - 1, (long) (u / smoothing * n));
      } else {
        positions[fromTree] = (u - smoothing) / (1 - smoothing) * total;
        slots[fromTree++] = j;
      }
    }
    tree.find(positions, found, fromTree);
    for (int k = 0; k < fromTree; k++) {
      batch.indices()[slots[k]] = found[k];
    }
    weigh(batch, total, smoothing);
  }

  private void reserve(int m) {
    if (positions.length < m) {
      positions = new double[m];
      slots = new int[m];
      found = new int[m];
    }
  }

  private void weigh(Minibatch batch, double total, double smoothing) {
    for (int j = 0; j < batch.size(); j++) {
      double np = smoothing + (1 - smoothing) * n * tree.get(batch.indices()[j]) / total;
      batch.weights()[j] = (float) (1 / np);
    }
  }
}
