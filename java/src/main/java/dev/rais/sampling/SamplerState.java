package dev.rais.sampling;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UTFDataFormatException;
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
 * UTF type, long bytes, the bytes; at the end an int, the CRC-32C of all before it.
 */
public final class SamplerState {
  private static final byte[] MAGIC = {'R', 'A', 'I', 'S', 'S', 'T', 'A', 'T'};
  private static final int VERSION = 1;

  /** More than the largest state has: six of each minibatch that is not observed, and some more. */
  private static final int MAX_ARRAYS = 8 * AbstractSampler.MAX_OUTSTANDING;

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

  /**
   * An array of a state.
   *
   * @param type of its values
   * @param values little-endian
   */
  public record Array(ElementType type, MemorySegment values) {}

  private final Map<String, Array> arrays = new LinkedHashMap<>();

  SamplerState(String sampler) {
    this.sampler = sampler;
  }

  /**
   * Puts a state together from what {@link #sampler} and {@link #arrays} gave, after it was stored
   * in a file of another format.
   */
  public SamplerState(String sampler, Map<String, Array> arrays) {
    this.sampler = sampler;
    this.arrays.putAll(arrays);
  }

  /** Which kind of sampler this is the state of. */
  public String sampler() {
    return sampler;
  }

  /** Names of the arrays, in the order in which they were written. */
  public Set<String> names() {
    return arrays().keySet();
  }

  /** The arrays by name, in the order in which they were written; not to be modified. */
  public Map<String, Array> arrays() {
    return java.util.Collections.unmodifiableMap(arrays);
  }

  /** Size of all arrays, in bytes. */
  public long byteSize() {
    return arrays.values().stream().mapToLong(array -> array.values().byteSize()).sum();
  }

  private MemorySegment allocate(String name, ElementType type, long count) {
    MemorySegment segment = Arena.ofAuto().allocate(count * type.numBytes(), 8);
    if (arrays.put(name, new Array(type, segment)) != null) {
      throw new IllegalStateException("two arrays of a state have the name " + name);
    }
    return segment;
  }

  void put(String name, MemorySegment bytes) {
    allocate(name, ElementType.U8, bytes.byteSize()).copyFrom(bytes);
  }

  void put(String name, long... values) {
    MemorySegment to = allocate(name, ElementType.I64, values.length);
    MemorySegment.copy(values, 0, to, LONG, 0, values.length);
  }

  void put(String name, double... values) {
    MemorySegment to = allocate(name, ElementType.F64, values.length);
    MemorySegment.copy(values, 0, to, DOUBLE, 0, values.length);
  }

  void put(String name, float[] values) {
    MemorySegment to = allocate(name, ElementType.F32, values.length);
    MemorySegment.copy(values, 0, to, FLOAT, 0, values.length);
  }

  void put(String name, int[] values) {
    MemorySegment to = allocate(name, ElementType.I32, values.length);
    MemorySegment.copy(values, 0, to, INT, 0, values.length);
  }

  boolean has(String name) {
    return arrays.containsKey(name);
  }

  MemorySegment bytes(String name) {
    return bytes(name, ElementType.U8);
  }

  private MemorySegment bytes(String name, ElementType type) {
    Array array = arrays.get(name);
    if (array == null) {
      throw new IllegalArgumentException("the state of a " + sampler + " lacks " + name);
    }
    long bytes = array.values().byteSize();
    boolean fits = type == ElementType.U8 || bytes / type.numBytes() <= Integer.MAX_VALUE - 8;
    if (array.type() != type || bytes % type.numBytes() != 0 || !fits) {
      throw new IllegalArgumentException(
          "%s of a state has %d bytes of %s, expected %s"
              .formatted(name, bytes, array.type(), type));
    }
    return array.values().asReadOnly();
  }

  /** Values of an array that must have this length; any if negative. */
  long[] longs(String name, int length) {
    return (long[]) check(name, bytes(name, ElementType.I64).toArray(LONG), length);
  }

  /** Like {@link #longs}; all must be finite. */
  double[] doubles(String name, int length) {
    double[] values = rawDoubles(name, length);
    for (double value : values) {
      requireFinite(name, value);
    }
    return values;
  }

  /** Like {@link #longs}; all must be finite. */
  float[] floats(String name, int length) {
    float[] values = rawFloats(name, length);
    for (float value : values) {
      requireFinite(name, value);
    }
    return values;
  }

  /** Like {@link #doubles}, where NaN or infinity stands for a value that is not there yet. */
  double[] rawDoubles(String name, int length) {
    return (double[]) check(name, bytes(name, ElementType.F64).toArray(DOUBLE), length);
  }

  /** Like {@link #floats}, where NaN or infinity stands for a value that is not there yet. */
  float[] rawFloats(String name, int length) {
    return (float[]) check(name, bytes(name, ElementType.F32).toArray(FLOAT), length);
  }

  private static void requireFinite(String name, double value) {
    if (!Double.isFinite(value)) {
      throw new IllegalArgumentException(
          "%s of a state has the value %s, expected finite numbers".formatted(name, value));
    }
  }

  /** A number read from a state that must lie between 0 and {@code most}. */
  static int count(String what, long value, long most) {
    if (value < 0 || value > Math.min(most, Integer.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "a state says %s is %d, expected 0 to %d".formatted(what, value, most));
    }
    return (int) value;
  }

  int[] ints(String name, int length) {
    return (int[]) check(name, bytes(name, ElementType.I32).toArray(INT), length);
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
    for (Map.Entry<String, Array> entry : arrays.entrySet()) {
      out.writeUTF(entry.getKey());
      out.writeUTF(entry.getValue().type().name());
      MemorySegment values = entry.getValue().values();
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
    try {
      return readWhole(stream);
    } catch (EOFException e) {
      throw new IOException("the sampler state is cut off: it ends before its checksum", e);
    } catch (UTFDataFormatException e) {
      throw new IOException("the sampler state is damaged: a name in it is no text", e);
    }
  }

  private static SamplerState readWhole(InputStream stream) throws IOException {
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
      ElementType type = type(in.readUTF());
      long length = in.readLong();
      if (type == null || length < 0 || state.arrays.containsKey(name)) {
        throw new IOException("the array " + name + " of a sampler state is damaged");
      }
      state.arrays.put(name, new Array(type, readArray(in, name, length)));
    }
    int crc = (int) checked.getChecksum().getValue();
    if (in.readInt() != crc) {
      throw new IOException("the sampler state is damaged: its checksum differs");
    }
    return state;
  }

  private static ElementType type(String name) {
    for (ElementType type : ElementType.values()) {
      if (type.name().equals(name)) {
        return type;
      }
    }
    return null;
  }

  /** Grows with what arrives, so that a damaged length cannot claim memory that no data backs. */
  private static MemorySegment readArray(InputStream in, String name, long length)
      throws IOException {
    long capacity = Math.min(length, CHUNK);
    MemorySegment values = Arena.ofAuto().allocate(capacity, 8);
    byte[] chunk = new byte[CHUNK];
    for (long at = 0; at < length; ) {
      int got = in.readNBytes(chunk, 0, (int) Math.min(CHUNK, length - at));
      if (got == 0) {
        throw new EOFException("within " + name);
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
