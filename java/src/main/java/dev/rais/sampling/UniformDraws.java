package dev.rais.sampling;

import dev.rais.random.FeistelPermutation;
import dev.rais.random.Philox;
import dev.rais.random.Streams;

/** Uniform indices of the active examples: shuffled epochs, or independent draws. */
final class UniformDraws {
  /** Where the bits of a minibatch's number end and those of a repeated attempt begin. */
  private static final int ATTEMPT_SHIFT = 48;

  /** More would repeat the first ones. */
  private static final long MOST_ATTEMPTS = 1L << Long.SIZE - ATTEMPT_SHIFT;

  private final Population population;
  private final long seed;
  private final Philox philox;
  private FeistelPermutation order;
  private long epoch = -1;
  private long position;

  UniformDraws(Population population, long seed) {
    this.population = population;
    this.seed = seed;
    this.philox = new Philox(seed, Streams.UNIFORM_DRAW);
  }

  /** Draws every slot of a minibatch, with the weights u_j/ū of uniform sampling. */
  void fill(Minibatch batch, DrawMode mode) {
    for (int j = 0; j < batch.size(); j++) {
      int index = mode == DrawMode.IID ? independent(batch.iteration(), j) : nextOfEpoch();
      batch.set(j, index, 1, population.relativeWeight(index));
    }
  }

  /** The next {@code count} examples of the shuffled epochs. */
  int[] take(int count) {
    int[] indices = new int[count];
    for (int j = 0; j < count; j++) {
      indices[j] = nextOfEpoch();
    }
    return indices;
  }

  private int independent(long iteration, int slot) {
    for (long attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      int index = philox.below(population.size(), iteration + (attempt << ATTEMPT_SHIFT), slot);
      if (population.isActive(index)) {
        return index;
      }
    }
    // Hardly any are active. Their number is drawn from bits that no attempt has used.
    long bits = philox.highBits(iteration, slot);
    return population.activeOf((int) Math.unsignedMultiplyHigh(bits, population.active()));
  }

  private int nextOfEpoch() {
    while (true) {
      if (order == null || position == order.size()) {
        startEpoch(epoch + 1, population.size());
      }
      int index = (int) order.at(position++);
      if (population.isActive(index)) {
        return index;
      }
    }
  }

  private void startEpoch(long number, long size) {
    epoch = number;
    order = new FeistelPermutation(size, seed, epoch, Streams.SHUFFLE);
    position = 0;
  }

  /** Epochs begun before the present one; -1 before the first draw. */
  long epoch() {
    return epoch;
  }

  /** Examples to come in shuffled epochs, if no example is added or retired. */
  int[] upcoming(int count) {
    UniformDraws copy = new UniformDraws(population, seed);
    copy.order = order;
    copy.epoch = epoch;
    copy.position = position;
    return copy.take(Math.max(0, count));
  }

  void save(SamplerState state) {
    state.put("shuffle", epoch, position, order == null ? 0 : order.size());
  }

  void load(SamplerState state) {
    long[] values = state.longs("shuffle", 3);
    epoch = values[0];
    order = null;
    position = 0;
    if (values[2] > 0) {
      if (values[1] < 0 || values[1] > values[2] || values[2] > population.size()) {
        throw new IllegalArgumentException(
            "a state stands at " + values[1] + " of an epoch of " + values[2]);
      }
      startEpoch(values[0], values[2]);
      position = values[1];
    }
  }
}
