package dev.rais.backend.cuda;

import dev.rais.backend.Bfloat16;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** A buffer in a device's memory, or of images in host memory that the device reads. */
final class CudaBuffer extends Buffer {
  /**
   * Allocated memory. Integers, which only the host writes, are kept on the host as well, so that
   * labels and indices can be checked without waiting for the device.
   */
  private static final class Block implements AutoCloseable {
    private final Device device;
    private final long pointer;
    private final int[] integers;

    /** Host memory that is only read; null where memory is the device's. */
    private final MemorySegment host;

    private final Runnable release;
    private boolean open = true;

    private Block(
        Device device, long pointer, int[] integers, MemorySegment host, Runnable release) {
      this.device = device;
      this.pointer = pointer;
      this.integers = integers;
      this.host = host;
      this.release = release;
      device.register(this);
    }

    static Block allocated(Device device, long numBytes, int[] integers) {
      long pointer = device.allocate(numBytes);
      return new Block(device, pointer, integers, null, () -> device.free(pointer));
    }

    static Block foreign(Device device, long pointer) {
      return new Block(device, pointer, null, null, () -> {});
    }

    /** The driver maps such memory for devices at the host's own addresses. */
    static Block onHost(Device device, long numBytes) {
      MemorySegment host = device.allocateHost(numBytes);
      return new Block(device, host.address(), null, host, () -> device.freeHost(host));
    }

    @Override
    public void close() {
      if (open) {
        open = false;
        device.unregister(this);
        release.run();
      }
    }
  }

  private final Block block;

  /** In elements. */
  private final long offset;

  private final boolean owner;

  private CudaBuffer(DType type, long count, Block block, long offset, boolean owner) {
    super(type, count);
    this.block = block;
    this.offset = offset;
    this.owner = owner;
  }

  /** Allocates zeros. */
  static CudaBuffer allocate(Device device, DType type, long count) {
    int[] integers = type == DType.INT32 ? new int[Math.toIntExact(count)] : null;
    long numBytes = Math.multiplyExact(count, (long) type.numBytes());
    Block block = Block.allocated(device, numBytes, integers);
    device.zero(block.pointer, numBytes);
    return new CudaBuffer(type, count, block, 0, true);
  }

  /**
   * Takes somebody else's memory, which closing leaves alone.
   *
   * @throws IllegalArgumentException for integers, of which the host could not know what they are,
   *     or for an address that the type cannot have
   */
  static CudaBuffer wrap(Device device, long pointer, DType type, long count) {
    if (type == DType.INT32) {
      throw new IllegalArgumentException(
          "memory of INT32 cannot be wrapped: labels and indices are checked on the host; upload"
              + " them");
    }
    if (pointer % type.numBytes() != 0) {
      throw new IllegalArgumentException(
          "%x is no address of a %s: it is no multiple of %d"
              .formatted(pointer, type, type.numBytes()));
    }
    return new CudaBuffer(type, count, Block.foreign(device, pointer), 0, true);
  }

  /** A copy of bytes in host memory, from where the device reads them. */
  static CudaBuffer onHost(Device device, byte[] bytes) {
    Block block;
    try {
      block = Block.onHost(device, bytes.length);
    } catch (CudaException e) {
      throw new CudaException(
          e.code(), e.getMessage() + "; images that are not on the GPU lie there");
    }
    block.host.copyFrom(MemorySegment.ofArray(bytes));
    return new CudaBuffer(DType.UINT8, bytes.length, block, 0, true);
  }

  /** Whether a buffer's memory is the host's: {@link Gather} alone reads such. */
  static boolean isOnHost(Buffer buffer) {
    return ((CudaBuffer) buffer).block.host != null;
  }

  /** The device pointer; refuses if the owner was closed. */
  static long pointer(Buffer buffer) {
    return ((CudaBuffer) buffer).pointer();
  }

  /** The device pointer as kernels take it. */
  static MemorySegment at(Buffer buffer) {
    return MemorySegment.ofAddress(pointer(buffer));
  }

  /** The same, null for null. */
  static MemorySegment orNull(Buffer buffer) {
    return buffer == null ? MemorySegment.NULL : at(buffer);
  }

  private long pointer() {
    if (!block.open) {
      throw new IllegalStateException("buffer " + this + " was used after it was closed");
    }
    return block.pointer + offset * type().numBytes();
  }

  /** The place of the first of these integers that is not from 0 to limit − 1, or −1. */
  static int firstOutside(Buffer buffer, long limit) {
    CudaBuffer integers = (CudaBuffer) buffer;
    int from = (int) integers.offset;
    for (int i = 0; i < integers.count(); i++) {
      int value = integers.block.integers[from + i];
      if (value < 0 || value >= limit) {
        return i;
      }
    }
    return -1;
  }

  static int integer(Buffer buffer, int index) {
    CudaBuffer integers = (CudaBuffer) buffer;
    return integers.block.integers[(int) integers.offset + index];
  }

  private void requireWritable() {
    if (block.host != null) {
      throw new IllegalStateException("images in the host's memory are only read: " + this);
    }
  }

  /** What is here of host memory. */
  private MemorySegment onHost() {
    pointer();
    return block.host.asSlice(offset, numBytes());
  }

  @Override
  public void fillZero() {
    requireWritable();
    block.device.zero(pointer(), numBytes());
    if (block.integers != null) {
      Arrays.fill(block.integers, (int) offset, (int) (offset + count()), 0);
    }
  }

  @Override
  protected Buffer doSlice(long offset, long count) {
    pointer();
    return new CudaBuffer(type(), count, block, this.offset + offset, false);
  }

  @Override
  protected void doUpload(float[] source, int from) {
    if (type() == DType.BFLOAT16) {
      short[] rounded = Bfloat16.round(source, from, Math.toIntExact(count()));
      upload(MemorySegment.ofArray(rounded));
    } else {
      upload(MemorySegment.ofArray(source).asSlice((long) from * Float.BYTES, numBytes()));
    }
  }

  @Override
  protected void doUpload(int[] source) {
    upload(MemorySegment.ofArray(source));
    System.arraycopy(source, 0, block.integers, (int) offset, source.length);
  }

  @Override
  protected void doUpload(byte[] source, int from) {
    upload(MemorySegment.ofArray(source).asSlice(from, numBytes()));
  }

  private void upload(MemorySegment source) {
    requireWritable();
    block.device.upload(source, pointer());
  }

  @Override
  protected void doDownload(float[] target, int from) {
    if (type() == DType.BFLOAT16) {
      short[] rounded = new short[Math.toIntExact(count())];
      block.device.download(pointer(), MemorySegment.ofArray(rounded));
      Bfloat16.widen(rounded, target, from);
    } else {
      block.device.download(
          pointer(), MemorySegment.ofArray(target).asSlice((long) from * Float.BYTES, numBytes()));
    }
  }

  @Override
  protected void doDownload(byte[] target) {
    if (block.host == null) {
      block.device.download(pointer(), MemorySegment.ofArray(target));
    } else {
      MemorySegment.ofArray(target).copyFrom(onHost());
    }
  }

  @Override
  protected void doCopyFrom(Buffer source) {
    CudaBuffer other = (CudaBuffer) source;
    if (other.block.host != null) {
      upload(other.onHost());
      return;
    }
    requireWritable();
    block.device.copy(pointer(), other.pointer(), numBytes());
    if (block.integers != null) {
      System.arraycopy(
          other.block.integers,
          (int) other.offset,
          block.integers,
          (int) offset,
          Math.toIntExact(count()));
    }
  }

  @Override
  public void close() {
    if (owner) {
      block.close();
    }
  }
}
