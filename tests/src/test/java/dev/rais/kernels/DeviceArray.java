package dev.rais.kernels;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** Memory for kernels that a test writes and reads now and then, all at once. */
final class DeviceArray implements AutoCloseable {
  private final Machine.Memory memory;
  private final byte[] bytes;

  /** Zeros. */
  DeviceArray(Machine machine, long numBytes) {
    memory = machine.allocate(Math.max(16, numBytes));
    bytes = new byte[Math.toIntExact(Math.max(16, numBytes))];
    memory.write(bytes);
  }

  MemorySegment at(long offset) {
    return memory.at(offset);
  }

  MemorySegment at() {
    return at(0);
  }

  /** Overwrites a part of it. */
  void write(long offset, MemorySegment values) {
    memory.read(bytes);
    MemorySegment.copy(values, 0, MemorySegment.ofArray(bytes), offset, values.byteSize());
    memory.write(bytes);
  }

  byte[] bytes(int count) {
    memory.read(bytes);
    return Arrays.copyOf(bytes, count);
  }

  private MemorySegment part(long offset, int count, int elementBytes) {
    memory.read(bytes);
    return MemorySegment.ofArray(bytes).asSlice(offset, (long) count * elementBytes);
  }

  int[] ints(long offset, int count) {
    return part(offset, count, 4).toArray(ValueLayout.JAVA_INT_UNALIGNED);
  }

  long[] longs(long offset, int count) {
    return part(offset, count, 8).toArray(ValueLayout.JAVA_LONG_UNALIGNED);
  }

  float[] floats(long offset, int count) {
    return part(offset, count, 4).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
  }

  double[] doubles(long offset, int count) {
    return part(offset, count, 8).toArray(ValueLayout.JAVA_DOUBLE_UNALIGNED);
  }

  @Override
  public void close() {
    memory.close();
  }
}
