package dev.rais.backend.cpu;

import java.util.concurrent.ForkJoinPool;

/** A crew of Java's own. */
final class ForkJoinWorkers extends Workers {
  private final ForkJoinPool pool;

  ForkJoinWorkers(int threads) {
    super(threads);
    pool = threads == 1 ? null : new ForkJoinPool(threads - 1);
  }

  @Override
  protected void runAll(Piece[] pieces) {
    for (int i = 1; i < pieces.length; i++) {
      pool.execute(pieces[i]);
    }
    pieces[0].compute();
    for (int i = 1; i < pieces.length; i++) {
      pieces[i].join();
    }
  }

  @Override
  public void close() {
    if (pool != null) {
      pool.close();
    }
  }
}
