package dev.rais.backend;

/**
 * A typed, fixed-size block of a backend's memory.
 *
 * <p>The allocator's caller owns it and closes it; closing twice is harmless, and any use after
 * closing throws {@link IllegalStateException}. A {@linkplain #slice slice} shares its parent's
 * memory and lives as long as the parent: closing a slice does nothing.
 */
public abstract class Buffer implements AutoCloseable {
  private final DType type;
  private final long count;

  /**
   * Creates the description of a block.
   *
   * @param type element type
   * @param count number of elements, at least 0
   */
  protected Buffer(DType type, long count) {
    this.type = type;
    this.count = count;
  }

  /** Element type. */
  public final DType type() {
    return type;
  }

  /** Number of elements. */
  public final long count() {
    return count;
  }

  /** Size in bytes. */
  public final long numBytes() {
    return count * type.numBytes();
  }

  /**
   * A view of {@code count} elements from {@code offset} on.
   *
   * @throws IndexOutOfBoundsException if the range does not lie inside this buffer
   */
  public final Buffer slice(long offset, long count) {
    java.util.Objects.checkFromIndexSize(offset, count, this.count);
    return doSlice(offset, count);
  }

  /**
   * Copies {@code source[from .. from + count())} into this buffer; element type FLOAT32, or
   * BFLOAT16, which they are rounded to.
   */
  public final void upload(float[] source, int from) {
    requireFloats();
    java.util.Objects.checkFromIndexSize(from, count, source.length);
    doUpload(source, from);
  }

  /** Copies the whole array into this buffer, which must have its length; likewise. */
  public final void upload(float[] source) {
    requireLength(source.length);
    upload(source, 0);
  }

  /** Copies the whole array into this buffer, which must have its length; type INT32. */
  public final void upload(int[] source) {
    requireType(DType.INT32);
    requireLength(source.length);
    doUpload(source);
  }

  /** Copies {@code source[from .. from + count())} into this buffer; type UINT8. */
  public final void upload(byte[] source, int from) {
    requireType(DType.UINT8);
    java.util.Objects.checkFromIndexSize(from, count, source.length);
    doUpload(source, from);
  }

  /** Copies this buffer to {@code target[from .. from + count())}; FLOAT32 or BFLOAT16. */
  public final void download(float[] target, int from) {
    requireFloats();
    java.util.Objects.checkFromIndexSize(from, count, target.length);
    doDownload(target, from);
  }

  /** The elements as a new array; FLOAT32 or BFLOAT16, at most 2^31 - 1 of them. */
  public final float[] toFloats() {
    float[] result = new float[Math.toIntExact(count)];
    download(result, 0);
    return result;
  }

  /** Copies this buffer to {@code target}, which must have its length; type UINT8. */
  public final void download(byte[] target) {
    requireType(DType.UINT8);
    requireLength(target.length);
    doDownload(target);
  }

  /** Copies all of {@code source}, which must have this buffer's type and count, into it. */
  public final void copyFrom(Buffer source) {
    if (source.type != type || source.count != count) {
      throw new IllegalArgumentException("cannot copy " + source + " into " + this);
    }
    doCopyFrom(source);
  }

  /** Sets every element to zero. */
  public abstract void fillZero();

  /** View without range checks: they are done. */
  protected abstract Buffer doSlice(long offset, long count);

  /** Copies from the host, rounding where the type is BFLOAT16; range and type are checked. */
  protected abstract void doUpload(float[] source, int from);

  /** Copies from the host; length and type are checked. */
  protected abstract void doUpload(int[] source);

  /** Copies from the host; range and type are checked. */
  protected abstract void doUpload(byte[] source, int from);

  /** Copies to the host; range and type are checked. */
  protected abstract void doDownload(float[] target, int from);

  /** Copies to the host; length and type are checked. */
  protected abstract void doDownload(byte[] target);

  /** Copies within the backend; type and count are checked. */
  protected abstract void doCopyFrom(Buffer source);

  @Override
  public abstract void close();

  @Override
  public String toString() {
    return type + "[" + count + "]";
  }

  private void requireFloats() {
    if (type != DType.BFLOAT16) {
      requireType(DType.FLOAT32);
    }
  }

  private void requireType(DType expected) {
    if (type != expected) {
      throw new IllegalArgumentException("a buffer of " + type + " was used as " + expected);
    }
  }

  private void requireLength(int length) {
    if (length != count) {
      throw new IllegalArgumentException(
          "array of " + length + " elements against a buffer of " + count);
    }
  }
}
