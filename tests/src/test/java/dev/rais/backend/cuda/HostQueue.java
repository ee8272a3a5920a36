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

  /** Which record of each event was the last, and up to which records work is done. */
  private final Map<Long, Long> recorded = new HashMap<>();

  private long records;
  private long reached;
  private final List<String> calls = new ArrayList<>();
  private List<Runnable> capture;
  private Thread capturing;
  private boolean lost;
  private final Thread owner = Thread.currentThread();
  private long last = 100;

  HostQueue(boolean late) {
    this.late = late;
  }

  /** A new number for an object. */
  synchronized long newHandle() {
    return ++last;
  }

  /** Notes a call. */
  synchronized void note(String call) {
    calls.add(call);
  }

  /** The calls since the last time, in order. */
  synchronized List<String> takeCalls() {
    List<String> taken = List.copyOf(calls);
    calls.clear();
    return taken;
  }

  /** Notes a call and puts work on the stream. */
  synchronized void submit(String call, Runnable work) {
    note(call);
    put(work);
  }

  /** From now on every call fails, as after a kernel's failure. */
  synchronized void lose() {
    lost = true;
    waiting.clear();
  }

  private void requireDevice(String call) {
    if (lost) {
      throw new CudaException(719, call + ": unspecified launch failure");
    }
  }

  private void put(Runnable work) {
    if (capture != null) {
      if (Thread.currentThread() != capturing) {
        throw new AssertionError("another thread puts work on a stream that is capturing");
      }
      capture.add(work);
    } else if (late) {
      waiting.add(work);
    } else {
      work.run();
    }
  }

  /** Notes a call that waits for the device, and does what is waiting. */
  synchronized void synchronize(String call) {
    requireNoCapture(call);
    requireDevice(call);
    note(call);
    drain();
  }

  private void requireNoCapture(String call) {
    if (capture != null && Thread.currentThread() == capturing) {
      throw new CudaException(900, call + ": not permitted when a stream is capturing");
    }
  }

  /** Does what is waiting. */
  synchronized void drain() {
    while (!waiting.isEmpty()) {
      waiting.poll().run();
    }
  }

  /** Notes the record of an event, and marks the place. */
  synchronized void record(long event) {
    requireNoCapture("record event");
    note("record event");
    long number = ++records;
    recorded.put(event, number);
    put(() -> reached = number);
  }

  /** Notes a wait for an event, by how many records it lies back, and does what is before it. */
  synchronized void await(long event) {
    requireNoCapture("await event");
    requireDevice("cuEventSynchronize");
    long number = recorded.getOrDefault(event, 0L);
    String where = Thread.currentThread() == owner ? "" : ", elsewhere";
    note("await event " + (records - number) + " back" + where);
    while (reached < number) {
      waiting.poll().run();
    }
  }

  synchronized void beginCapture() {
    note("begin capture");
    capture = new ArrayList<>();
    capturing = Thread.currentThread();
  }

  synchronized long endCapture() {
    note("end capture");
    long graph = newHandle();
    graphs.put(graph, capture);
    capture = null;
    return graph;
  }

  synchronized void launch(long graph) {
    requireDevice("cuGraphLaunch");
    List<Runnable> work = graphs.get(graph);
    submit("launch graph of " + work.size(), () -> work.forEach(Runnable::run));
  }

  /** A graph that is launched no more. */
  synchronized void destroy(long graph) {
    if (graphs.remove(graph) == null) {
      throw new AssertionError(graph + " is no graph");
    }
  }
}
