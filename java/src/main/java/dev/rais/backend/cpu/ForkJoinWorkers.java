package dev.rais.backend.cpu;

import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinPool.ForkJoinWorkerThreadFactory;

/** A crew of Java's own. */
final class ForkJoinWorkers extends Workers {
  private final ForkJoinPool pool;

  ForkJoinWorkers(int threads) {
    this(threads, ForkJoinPool.defaultForkJoinWorkerThreadFactory);
  }

  /**
   * The same of other threads.
   *
   * @param factory makes them, when they are needed first
   */
  ForkJoinWorkers(int threads, ForkJoinWorkerThreadFactory factory) {
    super(threads);
    pool = threads == 1 ? null : new ForkJoinPool(threads - 1, factory, null, false);
  }

  @Override
  protected void runAll(Piece[] pieces) {
    try {
      for (int i = 1; i < pieces.length; i++) {
        pool.execute(pieces[i]);
      }
    } catch (OutOfMemoryError e) {
      // The system gives no more threads. Pieces are queued by now, or will not be: either way the
      // caller does those that no thread begins with, and waits for the others.
    }
    for (Piece piece : pieces) {
      if (!piece.tryCompute()) {
        piece.join();
      }
    }
  }

  @Override
  public void close() {
    if (pool != null) {
      // What is still queued was computed by a caller.
      pool.shutdownNow();
      pool.close();
    }
  }
}
