package dev.rais.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * What all oneDNN operations of one backend share: engine, stream, attributes, thread count and one
 * scratchpad as large as the neediest of them, since only one runs at a time.
 */
final class DnnRuntime implements AutoCloseable {
  private final Dnn dnn;
  private final int threads;
  private final MemorySegment engine;
  private final MemorySegment stream;
  private final MemorySegment attributes;
  private Arena scratchpadArena;
  private MemorySegment scratchpad = MemorySegment.NULL;
  private final Set<DnnPrimitive> live = Collections.newSetFromMap(new IdentityHashMap<>());
  private Thread user;
  private boolean closed;

  DnnRuntime(Dnn dnn, int threads) {
    this.dnn = dnn;
    this.threads = threads;
    dnn.setThreads(threads);
    engine = dnn.createCpuEngine();
    stream = dnn.createStream(engine);
    attributes = dnn.createAttributes();
  }

  Dnn dnn() {
    return dnn;
  }

  int threads() {
    return threads;
  }

  MemorySegment engine() {
    return engine;
  }

  MemorySegment stream() {
    return stream;
  }

  MemorySegment attributes() {
    return attributes;
  }

  MemorySegment scratchpad() {
    return scratchpad;
  }

  /** Grows the scratchpad to at least this size. */
  void reserveScratchpad(long numBytes) {
    if (numBytes > scratchpad.byteSize()) {
      Arena larger = Arena.ofShared();
      scratchpad = larger.allocate(numBytes, 64);
      if (scratchpadArena != null) {
        scratchpadArena.close();
      }
      scratchpadArena = larger;
    }
  }

  /**
   * To be called before an operation runs or is prepared: OpenMP keeps its thread count for each
   * calling thread, and oneDNN plans for the count it sees.
   */
  void enter() {
    if (Thread.currentThread() != user) {
      dnn.setThreads(threads);
      user = Thread.currentThread();
    }
  }

  /** Has a primitive closed with the runtime, at the latest. */
  void register(DnnPrimitive primitive) {
    live.add(primitive);
  }

  void unregister(DnnPrimitive primitive) {
    live.remove(primitive);
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    List.copyOf(live).forEach(DnnPrimitive::close);
    dnn.call("dnnl_primitive_attr_destroy", attributes);
    dnn.call("dnnl_stream_destroy", stream);
    dnn.call("dnnl_engine_destroy", engine);
    if (scratchpadArena != null) {
      scratchpadArena.close();
    }
  }
}
