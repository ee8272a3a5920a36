package dev.rais.backend.cuda;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A device's work on the host: what was put on a stream, done in that order. It is done at once, or
 * only when the host waits for it, as a GPU may: then whoever reads a result too early, or writes
 * over memory that a copy still reads, gets wrong numbers. Can be recorded as a graph.
 */
final class HostQueue {
  private final boolean late;
  private final Deque<Runnable> waiting = new ArrayDeque<>();
  private final Map<Long, List<Runnable>> graphs = new HashMap<>();
  private final List<String> calls = new ArrayList<>();
  private List<Runnable> capture;
  private long last = 100;

  HostQueue(boolean late) {
    this.late = late;
  }

  /** A new number for an object. */
  long newHandle() {
    return ++last;
  }

  /** Notes a call. */
  void note(String call) {
    calls.add(call);
  }

  /** The calls since the last time, in order. */
  List<String> takeCalls() {
    List<String> taken = List.copyOf(calls);
    calls.clear();
    return taken;
  }

  /** Notes a call and puts work on the stream. */
  void submit(String call, Runnable work) {
    note(call);
    if (capture != null) {
      capture.add(work);
    } else if (late) {
      waiting.add(work);
    } else {
      work.run();
    }
  }

  /** Notes a call that waits for the device, and does what is waiting. */
  void synchronize(String call) {
    if (capture != null) {
      throw new CudaException(900, call + ": not permitted when a stream is capturing");
    }
    note(call);
    drain();
  }

  /** Does what is waiting. */
  void drain() {
    while (!waiting.isEmpty()) {
      waiting.poll().run();
    }
  }

  void beginCapture() {
    note("begin capture");
    capture = new ArrayList<>();
  }

  long endCapture() {
    note("end capture");
    long graph = newHandle();
    graphs.put(graph, capture);
    capture = null;
    return graph;
  }

  void launch(long graph) {
    List<Runnable> work = graphs.get(graph);
    submit("launch graph of " + work.size(), () -> work.forEach(Runnable::run));
  }
}
