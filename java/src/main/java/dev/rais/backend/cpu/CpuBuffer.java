package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/** A buffer in native host memory, aligned to a cache line so that vector loads do not straddle. */
final class CpuBuffer extends Buffer {
  private final MemorySegment segment;

  /** Alive until the owner is closed. */
  private final MemorySegment.Scope scope;

  /** The arena to close with this buffer; null in a slice. */
  private final Arena arena;

  private CpuBuffer(
      DType type, long count, MemorySegment segment, MemorySegment.Scope scope, Arena arena) {
    super(type, count);
    this.segment = segment;
    this.scope = scope;
    this.arena = arena;
  }

  static CpuBuffer allocate(DType type, long count) {
    // Shared, not confined: the c,d job and the input pipeline read buffers from other threads.
    Arena arena = Arena.ofShared();
    try {
      long numBytes = Math.multiplyExact(count, (long) type.numBytes());
      MemorySegment memory = LargePages.allocate(arena, numBytes);
      return new CpuBuffer(type, count, memory, arena.scope(), arena);
    } catch (RuntimeException | OutOfMemoryError e) {
      arena.close();
      throw e;
    }
  }

  /** An array as it lies on the heap: for bytes that only Java reads. */
  static CpuBuffer wrap(byte[] bytes) {
    Arena life = Arena.ofShared();
    try {
      MemorySegment memory = MemorySegment.ofArray(bytes).asReadOnly();
      return new CpuBuffer(DType.UINT8, bytes.length, memory, life.scope(), life);
    } catch (RuntimeException | OutOfMemoryError e) {
      life.close();
      throw e;
    }
  }

  /** The memory; throws {@link IllegalStateException} after the owner was closed. */
  MemorySegment segment() {
    if (!isOpen()) {
      throw new IllegalStateException("buffer " + this + " was used after it was closed");
    }
    return segment;
  }

  boolean isOpen() {
    return scope.isAlive();
  }

  static MemorySegment segment(Buffer buffer) {
    return ((CpuBuffer) buffer).segment();
  }

  static MemorySegment segmentOrNull(Buffer buffer) {
    return buffer == null ? null : segment(buffer);
  }

  /**
   * Values [from, from + count) as a FloatBuffer, for loops that C2 is to vectorise: a
   * MemorySegment reads a float as an int and converts it, which C2 does one by one.
   */
  static FloatBuffer floats(MemorySegment values, long from, long count) {
    return bytes(values, from, count).asFloatBuffer();
  }

  /** The same, as the bits of the floats. */
  static IntBuffer bits(MemorySegment values, long from, long count) {
    return bytes(values, from, count).asIntBuffer();
  }

  private static ByteBuffer bytes(MemorySegment values, long from, long count) {
    return values
        .asSlice(from * Float.BYTES, count * Float.BYTES)
        .asByteBuffer()
        .order(ByteOrder.nativeOrder());
  }

  @Override
  public void fillZero() {
    segment().fill((byte) 0);
  }

  @Override
  protected Buffer doSlice(long offset, long count) {
    int size = type().numBytes();
    MemorySegment part = segment().asSlice(offset * size, count * size);
    return new CpuBuffer(type(), count, part, scope, null);
  }

  @Override
  protected void doUpload(float[] source, int from) {
    MemorySegment.copy(source, from, segment(), JAVA_FLOAT, 0, (int) count());
  }

  @Override
  protected void doUpload(int[] source) {
    MemorySegment.copy(source, 0, segment(), ValueLayout.JAVA_INT, 0, (int) count());
  }

  @Override
  protected void doUpload(byte[] source, int from) {
    MemorySegment.copy(source, from, segment(), ValueLayout.JAVA_BYTE, 0, (int) count());
  }

  @Override
  protected void doDownload(float[] target, int from) {
    MemorySegment.copy(segment(), JAVA_FLOAT, 0, target, from, (int) count());
  }

  @Override
  protected void doDownload(byte[] target) {
    MemorySegment.copy(segment(), ValueLayout.JAVA_BYTE, 0, target, 0, (int) count());
  }

  @Override
  protected void doCopyFrom(Buffer source) {
    segment().copyFrom(segment(source));
  }

  @Override
  public void close() {
    if (arena != null && isOpen()) {
      arena.close();
    }
  }
}
