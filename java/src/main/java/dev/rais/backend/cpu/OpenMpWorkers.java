package dev.rais.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The threads of oneDNN's OpenMP, for our loops too: one crew, which waits for its next piece
 * spinning a little while, whether that is oneDNN's or ours. Waking a thread that sleeps takes 100
 * µs on a virtual machine, as long as some operations.
 *
 * <p>OpenMP has a crew for every thread that calls it. Ours is that of oneDNN's user alone: on
 * others, such as one that prepares the next minibatch meanwhile, pieces run one after the other.
 */
final class OpenMpWorkers extends Workers {
  private final DnnRuntime runtime;
  private final OpenMp openMp;
  private final Arena life = Arena.ofShared();
  private final MemorySegment function;
  private final AtomicBoolean busy = new AtomicBoolean();
  private volatile Piece[] work;
  private volatile Throwable failure;

  OpenMpWorkers(DnnRuntime runtime, OpenMp openMp) {
    super(runtime.threads());
    this.runtime = runtime;
    this.openMp = openMp;
    try {
      function = openMp.function(this::runShare, life);
    } catch (Throwable e) {
      life.close();
      throw e;
    }
  }

  @Override
  protected void runAll(Piece[] pieces) {
    if (!runtime.isMine() || !busy.compareAndSet(false, true)) {
      for (Piece piece : pieces) {
        piece.compute();
      }
      return;
    }
    try {
      work = pieces;
      openMp.parallel(function, threads());
      if (failure instanceof Error e) {
        throw e;
      }
      if (failure instanceof RuntimeException e) {
        throw e;
      }
    } finally {
      work = null;
      failure = null;
      busy.set(false);
    }
  }

  /** What one of the team's threads does; the team may be smaller than was asked for. */
  private void runShare() {
    try {
      Piece[] pieces = work;
      int team = openMp.numThreads();
      for (int i = openMp.threadNum(); i < pieces.length; i += team) {
        pieces[i].compute();
      }
    } catch (Throwable e) {
      failure = e; // native code cannot take one: the process would end
    }
  }

  @Override
  public void close() {
    life.close();
  }
}
