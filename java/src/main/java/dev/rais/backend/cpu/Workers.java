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
    Piece[] others = new Piece[pieces - 1];
    for (int i = 1; i < pieces; i++) {
      others[i - 1] = new Piece(body, bound(count, pieces, i), bound(count, pieces, i + 1));
      pool.execute(others[i - 1]);
    }
    Piece own = new Piece(body, 0, bound(count, pieces, 1));
    own.compute();
    // Wait for all before reporting a failure: its caller may close the buffers that they use.
    for (Piece other : others) {
      other.join();
    }
    own.check();
    for (Piece other : others) {
      other.check();
    }
  }

  /**
   * One thread's piece. It keeps its exception to itself: the pool would rethrow another of the
   * same class without the message.
   */
  private static final class Piece extends RecursiveAction {
    private static final long serialVersionUID = 1L;

    private final transient Body body;
    private final int from;
    private final int to;
    private transient Throwable failure;

    Piece(Body body, int from, int to) {
      this.body = body;
      this.from = from;
      this.to = to;
    }

    @Override
    protected void compute() {
      try {
        body.run(from, to);
      } catch (RuntimeException | Error e) {
        failure = e;
      }
    }

    void check() {
      if (failure instanceof RuntimeException e) {
        throw e;
      }
      if (failure instanceof Error e) {
        throw e;
      }
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
