package dev.rais.sampling;

/** When the uncertainty set is trained and applied (docs/algorithm.md §3). */
final class RefreshTimes {
  /** Most minibatches between the start of a training and its application. */
  static final int LAG = 16;

  /** A round's preparation starts when this share of it is left, if that is less than the lag. */
  private static final int LAG_SHARE = 16;

  /** Below this share of never-seen examples, their feature is dropped. */
  private static final double UNSEEN_SHARE = 0.05;

  private RefreshTimes() {}

  /**
   * Whether the first training starts. After one shuffled epoch every record is a first visit, and
   * a set trained on those alone collapses on the next round; so it waits for revisits.
   */
  static boolean first(long revisits, int capacity) {
    return revisits >= Math.max(1, capacity / 4);
  }

  /** Whether the next round's preparation starts. */
  static boolean nextRound(int remaining, int size, int m) {
    int lag = Math.clamp(size / m / LAG_SHARE, 1, LAG);
    return remaining <= lag * m;
  }

  /** Whether, with independent draws, the next training starts. */
  static boolean nextSet(long sinceLast, int capacity, int m) {
    return sinceLast >= Math.ceilDiv(capacity, m);
  }

  /** Whether so many examples were never seen that their feature takes part. */
  static boolean usesUnseen(double unseenShare) {
    return unseenShare >= UNSEEN_SHARE;
  }
}
