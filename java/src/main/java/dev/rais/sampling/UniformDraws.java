package dev.rais.sampling;

import dev.rais.random.FeistelPermutation;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.util.Arrays;

/** Uniform indices: a running position in shuffled epochs, or independent draws. */
final class UniformDraws {
  private final int n;
  private final long seed;
  private final Philox philox;
  private FeistelPermutation epochOrder;
  private long epoch = -1;
  private long position;

  UniformDraws(int n, long seed) {
    if (n < 1) {
      throw new IllegalArgumentException("a sampler needs at least 1 example, not " + n);
    }
    this.n = n;
    this.seed = seed;
    this.philox = new Philox(seed, Streams.UNIFORM_DRAW);
  }

  int size() {
    return n;
  }

  void checkBatch(int m) {
    if (m < 1 || m > n) {
      throw new IllegalArgumentException(
          "a minibatch must have from 1 to n = %d examples, not %d".formatted(n, m));
    }
  }

  void fill(Minibatch batch, DrawMode mode) {
    Arrays.fill(batch.weights(), 1f);
    int[] indices = batch.indices();
    for (int j = 0; j < indices.length; j++) {
      indices[j] = mode == DrawMode.IID ? philox.below(n, batch.iteration(), j) : nextOfEpoch();
    }
  }

  private int nextOfEpoch() {
    long now = position / n;
    if (now != epoch) {
      epoch = now;
      epochOrder = new FeistelPermutation(n, seed, epoch, Streams.SHUFFLE);
    }
    return (int) epochOrder.at(position++ % n);
  }
}
