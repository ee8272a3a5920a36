package dev.rais.sampling;

import dev.rais.random.Philox;
import dev.rais.random.Streams;

/**
 * Independent draws from a {@link Distribution} (docs/algorithm.md §7), keyed by (minibatch, slot).
 */
final class IndependentDraws {
  private final Philox philox;
  private double[] positions = new double[0];

  IndependentDraws(long seed) {
    philox = new Philox(seed, Streams.WEIGHTED_DRAW);
  }

  /** Draws every slot of a minibatch from p. */
  void fill(Minibatch batch, Distribution distribution) {
    SumTree tree = distribution.tree();
    double total = tree.total();
    int m = batch.size();
    if (positions.length < m) {
      positions = new double[m];
    }
    for (int j = 0; j < m; j++) {
      positions[j] = philox.uniform(batch.iteration(), j) * total;
    }
    tree.find(positions, batch.indices(), m);
    for (int j = 0; j < m; j++) {
      int index = batch.indices()[j];
      batch.set(j, index, distribution.np(index), distribution.relativeWeight(index));
    }
  }
}
