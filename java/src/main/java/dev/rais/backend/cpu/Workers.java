package dev.rais.backend.cpu;

import java.util.concurrent.RecursiveAction;
import java.util.concurrent.atomic.AtomicBoolean;

/** A fixed crew of threads for the loops that are ours; the caller is one of them. */
abstract class Workers implements AutoCloseable {
  /** A piece of a loop. */
  interface Body {
    void run(int from, int to);
  }

  private final int threads;
  private final ThreadLocal<Scratch> scratch = ThreadLocal.withInitial(Scratch::new);

  Workers(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1, not " + threads);
    }
    this.threads = threads;
  }

  final int threads() {
    return threads;
  }

  /** The calling thread's arrays. */
  final Scratch scratch() {
    return scratch.get();
  }

  /**
   * Runs {@code body} over [0, count) in as many contiguous pieces as there are threads, but none
   * shorter than {@code minimum}: below that, waking a thread costs more than it brings. The pieces
   * depend only on the arguments and the number of threads.
   */
  final void run(int count, int minimum, Body body) {
    int pieces = Math.min(threads, count / Math.max(1, minimum));
    if (pieces <= 1) {
      if (count > 0) {
        body.run(0, count);
      }
      return;
    }
    Piece[] all = new Piece[pieces];
    for (int i = 0; i < pieces; i++) {
      all[i] = new Piece(body, bound(count, pieces, i), bound(count, pieces, i + 1));
    }
    runAll(all);
    // Only now that none is running: a failure's receiver may close the buffers that they use.
    for (Piece piece : all) {
      piece.check();
    }
  }

  private static int bound(int count, int pieces, int i) {
    return (int) ((long) count * i / pieces);
  }

  /** Computes all pieces, on whatever threads, and returns when none is running. */
  protected abstract void runAll(Piece[] pieces);

  /**
   * One thread's piece. It keeps its exception to itself: a pool would rethrow another of the same
   * class without the message, and native code cannot take one.
   */
  protected static final class Piece extends RecursiveAction {
    private static final long serialVersionUID = 1L;

    private final transient Body body;
    private final int from;
    private final int to;
    private final transient AtomicBoolean taken = new AtomicBoolean();
    private transient Throwable failure;

    private Piece(Body body, int from, int to) {
      this.body = body;
      this.from = from;
      this.to = to;
    }

    @Override
    protected void compute() {
      boolean ignored = tryCompute();
    }

    /** Computes the piece; false, and nothing is done, if another thread has begun with it. */
    final boolean tryCompute() {
      if (!taken.compareAndSet(false, true)) {
        return false;
      }
      try {
        body.run(from, to);
      } catch (RuntimeException | Error e) {
        failure = e;
      }
      return true;
    }

    private void check() {
      if (failure instanceof RuntimeException e) {
        throw e;
      }
      if (failure instanceof Error e) {
        throw e;
      }
    }
  }

  @Override
  public abstract void close();
}
