package dev.rais.backend.cuda;

import java.util.HashMap;
import java.util.Map;

/**
 * Steps of several kinds as graphs: the first of a kind is run, as kernels' code is then loaded,
 * algorithms are chosen and scratch memory is allocated; the second is recorded; from then on the
 * record is replayed.
 */
final class StepGraphs implements AutoCloseable {
  private static final class Recorded {
    private CudaGraph graph;

    /** Where scratch memory was: elsewhere by now, and the graph is of no use any more. */
    private int scratchMoves;
  }

  private final Device device;
  private final Map<Object, Recorded> kinds = new HashMap<>();

  StepGraphs(Device device) {
    this.device = device;
  }

  /** Puts a step on the stream. */
  void run(Object kind, Runnable work) {
    Recorded recorded = kinds.get(kind);
    if (recorded == null) {
      work.run();
      kinds.put(kind, new Recorded());
      return;
    }
    if (recorded.graph == null || recorded.scratchMoves != device.scratchMoves()) {
      discard(recorded);
      recorded.graph = device.queue().capture(work);
      recorded.scratchMoves = device.scratchMoves();
    }
    recorded.graph.launch(device.queue());
  }

  private void discard(Recorded recorded) {
    if (recorded.graph != null) {
      device.settle(); // it may be under way
      recorded.graph.close();
      recorded.graph = null;
    }
  }

  @Override
  public void close() {
    kinds.values().forEach(this::discard);
    kinds.clear();
  }
}
