package dev.rais.sampling;

import dev.rais.random.Philox;
import dev.rais.random.Streams;

/**
 * Independent draws from a {@link Distribution} (docs/algorithm.md §7), keyed by (minibatch, slot).
 */
final class IndependentDraws {
  private final Philox philox;

  IndependentDraws(long seed) {
    philox = new Philox(seed, Streams.WEIGHTED_DRAW);
  }

  /** Draws every slot of a minibatch from p. */
  void fill(Minibatch batch, Distribution distribution) {
    SumTree tree = distribution.tree();
    double total = tree.total();
    for (int j = 0; j < batch.size(); j++) {
      int index = (int) tree.find(philox.uniform(batch.iteration(), j) * total);
      batch.set(j, index, distribution.np(index), distribution.relativeWeight(index));
    }
  }
}
