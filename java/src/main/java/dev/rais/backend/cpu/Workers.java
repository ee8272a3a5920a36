package dev.rais.backend.cpu;

import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.RecursiveAction;

/**
 * A fixed crew of threads for the loops that are ours; the caller is one of them.
 *
 * <p>oneDNN has a crew of its own of the same size. The two never work at once, because a backend
 * runs one operation at a time, and an idle crew sleeps instead of spinning.
 */
final class Workers implements AutoCloseable {
  /** A piece of a loop. */
  interface Body {
    void run(int from, int to);
  }

  private final int threads;
  private final ForkJoinPool pool;
  private final ThreadLocal<Scratch> scratch = ThreadLocal.withInitial(Scratch::new);

  Workers(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1, not " + threads);
    }
    this.threads = threads;
    this.pool = threads == 1 ? null : new ForkJoinPool(threads - 1);
  }

  int threads() {
    return threads;
  }

  /** The calling thread's arrays. */
  Scratch scratch() {
    return scratch.get();
  }

  /**
   * Runs {@code body} over [0, count) in as many contiguous pieces as there are threads, but none
   * shorter than {@code minimum}: below that, waking a thread costs more than it brings. The pieces
   * depend only on the arguments and the number of threads.
   */
  void run(int count, int minimum, Body body) {
    int pieces = Math.min(threads, count / Math.max(1, minimum));
    if (pieces <= 1) {
      if (count > 0) {
        body.run(0, count);
      }
      return;
    }
    RecursiveAction[] others = new RecursiveAction[pieces - 1];
    for (int i = 1; i < pieces; i++) {
      int from = bound(count, pieces, i);
      int to = bound(count, pieces, i + 1);
      others[i - 1] =
          new RecursiveAction() {
            private static final long serialVersionUID = 1L;

            @Override
            protected void compute() {
              body.run(from, to);
            }
          };
      pool.execute(others[i - 1]);
    }
    body.run(0, bound(count, pieces, 1));
    for (RecursiveAction other : others) {
      other.join();
    }
  }

  private static int bound(int count, int pieces, int i) {
    return (int) ((long) count * i / pieces);
  }

  @Override
  public void close() {
    if (pool != null) {
      pool.close();
    }
  }
}
