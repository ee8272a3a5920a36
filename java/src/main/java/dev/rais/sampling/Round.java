package dev.rais.sampling;

import dev.rais.random.FeistelPermutation;
import dev.rais.random.Philox;
import dev.rais.random.Streams;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * A round (docs/algorithm.md §7): a systematic sample of a distribution in random order. Slot k
 * takes stratum π(k) of the K equal strata of the cumulated values, at the round's one offset, so
 * that every example gets floor or ceil of K p_i slots.
 */
final class Round {
  /** Rounds of more draws would make p too old on huge data sets. */
  static final int MAX_SIZE = 1 << 20;

  private static final int SLOTS_PER_TASK = 1024;

  private final Distribution distribution;
  private final long number;
  private final int[] slots;
  private int next;

  private Round(Distribution distribution, long number, int[] slots) {
    this.distribution = distribution;
    this.number = number;
    this.slots = slots;
  }

  /** No slots: what comes before the first round, which has number 0. */
  static Round none(Distribution distribution) {
    return new Round(distribution, -1, new int[0]);
  }

  /**
   * Makes a round, in parallel; the result does not depend on the number of threads.
   *
   * @param size K
   */
  static Round generate(Distribution distribution, long seed, long number, int size) {
    SumTree tree = distribution.tree();
    double total = tree.total();
    double offset = new Philox(seed, Streams.ROUND_OFFSET).uniform(number, 0);
    FeistelPermutation order = new FeistelPermutation(size, seed, number, Streams.ROUND_ORDER);
    int[] slots = new int[size];
    int tasks = Math.ceilDiv(size, SLOTS_PER_TASK);
    IntStream.range(0, tasks)
        .parallel()
        .forEach(
            task -> {
              int begin = task * SLOTS_PER_TASK;
              int count = Math.min(size - begin, SLOTS_PER_TASK);
              double[] positions = new double[count];
              for (int k = 0; k < count; k++) {
                positions[k] = (order.at(begin + k) + offset) / size * total;
              }
              int[] found = new int[count];
              tree.find(positions, found, count);
              System.arraycopy(found, 0, slots, begin, count);
            });
    return new Round(distribution, number, slots);
  }

  /** K for minibatches of m: a multiple of m near a share of n, at most {@link #MAX_SIZE}. */
  static int size(double fraction, int n, int m) {
    long wanted = Math.min(Math.round(fraction * n), MAX_SIZE);
    return (int) Math.max(1, wanted / m) * m;
  }

  Distribution distribution() {
    return distribution;
  }

  long number() {
    return number;
  }

  int size() {
    return slots.length;
  }

  /** Slots not used yet, those of retired examples included. */
  int remaining() {
    return slots.length - next;
  }

  /** The next example, or -1 at the end; those retired since the round was made are left out. */
  int take() {
    while (next < slots.length) {
      int index = slots[next++];
      if (distribution.tree().get(index) > 0) {
        return index;
      }
    }
    return -1;
  }

  /** Passes over slots, as draws that went elsewhere. */
  void skip(int count) {
    next = Math.min(slots.length, next + count);
  }

  /** Passes over what is left; it is in random order, so nothing is biased. */
  void end() {
    next = slots.length;
  }

  /** Up to {@code count} of the examples to come. */
  int[] upcoming(int count) {
    return Arrays.stream(slots, next, slots.length)
        .filter(i -> distribution.tree().get(i) > 0)
        .limit(Math.max(0, count))
        .toArray();
  }

  void save(SamplerState state, String prefix) {
    state.put(prefix + "round", number, next);
    state.put(prefix + "slots", slots);
  }

  static Round load(SamplerState state, String prefix, Distribution distribution) {
    long[] position = state.longs(prefix + "round", 2);
    int[] slots = state.ints(prefix + "slots", -1);
    for (int index : slots) {
      if (index < 0 || index >= distribution.size()) {
        throw new IllegalArgumentException(
            "a round of a state has example " + index + " of " + distribution.size());
      }
    }
    Round round = new Round(distribution, position[0], slots);
    if (position[1] < 0 || position[1] > slots.length) {
      throw new IllegalArgumentException(
          "a round of a state stands at " + position[1] + " of " + slots.length);
    }
    round.next = (int) position[1];
    return round;
  }
}
