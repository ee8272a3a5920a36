package dev.rais.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * What all oneDNN operations of one backend share: engine, stream, attributes, thread count, and
 * one scratchpad, one staging area for reordered operands and one for tiles, each as large as the
 * neediest of them wants it, since only one runs at a time.
 */
final class DnnRuntime implements AutoCloseable {
  private final Dnn dnn;
  private final int threads;
  private final MemorySegment engine;
  private final MemorySegment stream;
  private final MemorySegment attributes;
  private final SharedMemory scratchpad = new SharedMemory();
  private final SharedMemory staging = new SharedMemory();
  private final SharedMemory tiles = new SharedMemory();
  private final List<DnnPrimitive> live = new ArrayList<>();
  private volatile Thread user;
  private boolean closed;

  /** Memory that is needed only while an operation runs. */
  private static final class SharedMemory {
    private Arena arena;
    private MemorySegment segment = MemorySegment.NULL;

    /**
     * Should more not be had, what there is stays: operations that were made before rely on it, and
     * hand its address to native code.
     */
    void reserve(long numBytes) {
      if (numBytes <= segment.byteSize()) {
        return;
      }
      Arena more = Arena.ofShared();
      MemorySegment larger;
      try {
        larger = LargePages.allocate(more, numBytes);
      } catch (Throwable e) {
        more.close();
        throw e;
      }
      close();
      arena = more;
      segment = larger;
    }

    void close() {
      segment = MemorySegment.NULL;
      if (arena != null) {
        arena.close();
        arena = null;
      }
    }
  }

  /**
   * @throws DnnException if oneDNN cannot make an engine, a stream or attributes
   */
  DnnRuntime(Dnn dnn, int threads) {
    this.dnn = dnn;
    this.threads = threads;
    dnn.setThreads(threads);
    try {
      engine = dnn.createCpuEngine();
      stream = dnn.createStream(engine);
      attributes = dnn.createAttributes();
    } catch (Throwable e) {
      close();
      throw e;
    }
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
    return scratchpad.segment;
  }

  /** Memory for operands in the layouts that a primitive wants. */
  MemorySegment staging() {
    return staging.segment;
  }

  /** Memory for the tiles of {@link WinogradConvolution}. */
  MemorySegment tiles() {
    return tiles.segment;
  }

  /** Grows the scratchpad to at least this size. */
  void reserveScratchpad(long numBytes) {
    scratchpad.reserve(numBytes);
  }

  /** Grows the staging area to at least this size. */
  void reserveStaging(long numBytes) {
    staging.reserve(numBytes);
  }

  /** Grows the memory for tiles to at least this size. */
  void reserveTiles(long numBytes) {
    tiles.reserve(numBytes);
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

  /**
   * Whether the calling thread is the one that uses oneDNN; it becomes that where there is none.
   */
  boolean isMine() {
    Thread current = user;
    if (current == null || !current.isAlive()) {
      enter();
    }
    return Thread.currentThread() == user;
  }

  /** Has a primitive closed with the runtime, at the latest. */
  void register(DnnPrimitive primitive) {
    live.add(primitive);
  }

  void unregister(DnnPrimitive primitive) {
    live.remove(primitive);
  }

  /** The primitives that are not closed. */
  Set<DnnPrimitive> live() {
    return Set.copyOf(live);
  }

  /** Closes all primitives but these. */
  void closeAllBut(Set<DnnPrimitive> kept) {
    for (int i = live.size() - 1; i >= 0; i = Math.min(i, live.size()) - 1) {
      if (!kept.contains(live.get(i))) {
        live.get(i).close(); // and those that it has made for itself
      }
    }
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    closeAllBut(Set.of());
    destroy("dnnl_primitive_attr_destroy", attributes);
    destroy("dnnl_stream_destroy", stream);
    destroy("dnnl_engine_destroy", engine);
    scratchpad.close();
    staging.close();
    tiles.close();
  }

  /** Where the constructor failed, not everything is there. */
  private void destroy(String function, MemorySegment handle) {
    if (handle != null) {
      dnn.destroy(function, handle);
    }
  }
}
