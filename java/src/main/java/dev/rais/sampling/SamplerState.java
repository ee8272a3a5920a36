package dev.rais.sampling;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;

/**
 * A copy of a sampler's state: named arrays, little-endian, off the Java heap, so that the state of
 * 10^8 examples fits too. Freed when no longer referenced.
 *
 * <p>As a file ({@link #write}): the eight bytes {@code RAISSTAT}, then big-endian as {@link
 * DataOutputStream} writes: int version 1, UTF sampler, int number of arrays, for each UTF name,
 * long bytes, the bytes; at the end an int, the CRC-32C of all before it.
 */
public final class SamplerState {
  private static final byte[] MAGIC = {'R', 'A', 'I', 'S', 'S', 'T', 'A', 'T'};
  private static final int VERSION = 1;
  private static final int MAX_ARRAYS = 1000;
  private static final int CHUNK = 1 << 16;

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final String sampler;
  private final Map<String, MemorySegment> arrays = new LinkedHashMap<>();

  SamplerState(String sampler) {
    this.sampler = sampler;
  }

  /** Which kind of sampler this is the state of. */
  public String sampler() {
    return sampler;
  }

  /** Names of the arrays, in the order in which they were written. */
  public Set<String> names() {
    return java.util.Collections.unmodifiableSet(arrays.keySet());
  }

  /** Size of all arrays, in bytes. */
  public long byteSize() {
    return arrays.values().stream().mapToLong(MemorySegment::byteSize).sum();
  }

  private MemorySegment allocate(String name, long bytes) {
    MemorySegment segment = Arena.ofAuto().allocate(bytes, 8);
    if (arrays.put(name, segment) != null) {
      throw new IllegalStateException("two arrays of a state have the name " + name);
    }
    return segment;
  }

  void put(String name, MemorySegment bytes) {
    allocate(name, bytes.byteSize()).copyFrom(bytes);
  }

  void put(String name, long... values) {
    MemorySegment.copy(values, 0, allocate(name, values.length * 8L), LONG, 0, values.length);
  }

  void put(String name, double... values) {
    MemorySegment.copy(values, 0, allocate(name, values.length * 8L), DOUBLE, 0, values.length);
  }

  void put(String name, float[] values) {
    MemorySegment.copy(values, 0, allocate(name, values.length * 4L), FLOAT, 0, values.length);
  }

  void put(String name, int[] values) {
    MemorySegment.copy(values, 0, allocate(name, values.length * 4L), INT, 0, values.length);
  }

  boolean has(String name) {
    return arrays.containsKey(name);
  }

  MemorySegment bytes(String name) {
    MemorySegment segment = arrays.get(name);
    if (segment == null) {
      throw new IllegalArgumentException("the state of a " + sampler + " lacks " + name);
    }
    return segment.asReadOnly();
  }

  private MemorySegment bytes(String name, long unit) {
    MemorySegment segment = bytes(name);
    if (segment.byteSize() % unit != 0 || segment.byteSize() / unit > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "%s of a state has %d bytes".formatted(name, segment.byteSize()));
    }
    return segment;
  }

  /** Values of an array that must have this length; any if negative. */
  long[] longs(String name, int length) {
    return (long[]) check(name, bytes(name, 8).toArray(LONG), length);
  }

  double[] doubles(String name, int length) {
    return (double[]) check(name, bytes(name, 8).toArray(DOUBLE), length);
  }

  float[] floats(String name, int length) {
    return (float[]) check(name, bytes(name, 4).toArray(FLOAT), length);
  }

  int[] ints(String name, int length) {
    return (int[]) check(name, bytes(name, 4).toArray(INT), length);
  }

  private static Object check(String name, Object array, int length) {
    int found = java.lang.reflect.Array.getLength(array);
    if (length >= 0 && found != length) {
      throw new IllegalArgumentException(
          "%s of a state has %d values instead of %d".formatted(name, found, length));
    }
    return array;
  }

  /** Writes the state; the stream stays open. */
  public void write(OutputStream stream) throws IOException {
    CheckedOutputStream checked = new CheckedOutputStream(stream, new CRC32C());
    DataOutputStream out = new DataOutputStream(checked);
    out.write(MAGIC);
    out.writeInt(VERSION);
    out.writeUTF(sampler);
    out.writeInt(arrays.size());
    byte[] chunk = new byte[CHUNK];
    for (Map.Entry<String, MemorySegment> entry : arrays.entrySet()) {
      out.writeUTF(entry.getKey());
      MemorySegment values = entry.getValue();
      out.writeLong(values.byteSize());
      for (long at = 0; at < values.byteSize(); at += CHUNK) {
        int count = (int) Math.min(CHUNK, values.byteSize() - at);
        MemorySegment.copy(values, ValueLayout.JAVA_BYTE, at, chunk, 0, count);
        out.write(chunk, 0, count);
      }
    }
    int crc = (int) checked.getChecksum().getValue();
    out.writeInt(crc);
    out.flush();
  }

  /**
   * Reads what {@link #write} wrote, and nothing beyond it.
   *
   * @throws IOException if the stream ends early, or holds something else or damaged bytes
   */
  public static SamplerState read(InputStream stream) throws IOException {
    CheckedInputStream checked = new CheckedInputStream(stream, new CRC32C());
    DataInputStream in = new DataInputStream(checked);
    byte[] magic = in.readNBytes(MAGIC.length);
    if (!java.util.Arrays.equals(magic, MAGIC)) {
      throw new IOException("not the state of a sampler");
    }
    int version = in.readInt();
    if (version != VERSION) {
      throw new IOException("the sampler state has version " + version + ", not " + VERSION);
    }
    SamplerState state = new SamplerState(in.readUTF());
    int count = in.readInt();
    if (count < 0 || count > MAX_ARRAYS) {
      throw new IOException("a sampler state with " + count + " arrays is damaged");
    }
    for (int a = 0; a < count; a++) {
      String name = in.readUTF();
      long length = in.readLong();
      if (length < 0 || state.arrays.containsKey(name)) {
        throw new IOException("the array " + name + " of a sampler state is damaged");
      }
      state.arrays.put(name, readArray(in, name, length));
    }
    int crc = (int) checked.getChecksum().getValue();
    if (in.readInt() != crc) {
      throw new IOException("the sampler state is damaged: its checksum differs");
    }
    return state;
  }

  /** Grows with what arrives, so that a damaged length cannot claim memory that no data backs. */
  private static MemorySegment readArray(InputStream in, String name, long length)
      throws IOException {
    long capacity = Math.min(length, 1 << 24);
    MemorySegment values = Arena.ofAuto().allocate(capacity, 8);
    byte[] chunk = new byte[CHUNK];
    for (long at = 0; at < length; ) {
      int got = in.readNBytes(chunk, 0, (int) Math.min(CHUNK, length - at));
      if (got == 0) {
        throw new java.io.EOFException("the sampler state ends within " + name);
      }
      if (at + got > values.byteSize()) {
        MemorySegment larger = Arena.ofAuto().allocate(Math.min(length, 2 * values.byteSize()), 8);
        larger.copyFrom(values);
        values = larger;
      }
      MemorySegment.copy(chunk, 0, values, ValueLayout.JAVA_BYTE, at, got);
      at += got;
    }
    return values;
  }
}
