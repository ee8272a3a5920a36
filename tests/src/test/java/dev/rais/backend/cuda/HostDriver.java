package dev.rais.backend.cuda;

import dev.rais.reference.Bfloat16;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A CUDA driver whose device is the host: memory is the host's, full of rubbish when allocated, and
 * every access is checked against what is allocated when it happens. Kernels reach the device's
 * memory and pinned host memory, and nothing else.
 */
final class HostDriver implements CudaDriver {
  /** Why a context, a stream or an event is refused. */
  static final String NO_OBJECT = "no memory for another object";

  private static final int ALIGNMENT = 256;
  private static final byte RUBBISH = (byte) 0xA5;

  private record Block(Arena arena, MemorySegment memory) {}

  private final HostQueue queue;
  private final boolean pooled;
  private final long totalBytes;
  private final TreeMap<Long, Block> blocks = new TreeMap<>();
  private final Set<Long> objects = ConcurrentHashMap.newKeySet();
  private final TreeMap<Long, Block> hostMemory = new TreeMap<>();
  private long usedBytes;
  private long refused = Long.MAX_VALUE;
  private long requests;
  private long context;

  /**
   * A driver.
   *
   * @param pooled whether the device has memory pools
   * @param totalBytes the device's memory
   */
  HostDriver(HostQueue queue, boolean pooled, long totalBytes) {
    this.queue = queue;
    this.pooled = pooled;
    this.totalBytes = totalBytes;
  }

  /** Allocated memory from a pointer on; fails if that much is not there. */
  MemorySegment memory(long pointer, long numBytes) {
    Map.Entry<Long, Block> entry;
    synchronized (blocks) {
      entry = blocks.floorEntry(pointer);
    }
    if (entry == null
        || pointer + numBytes > entry.getKey() + entry.getValue().memory().byteSize()) {
      throw new AssertionError(
          "%d bytes at %x are not allocated; that is what %s has"
              .formatted(numBytes, pointer, entry));
    }
    return entry.getValue().memory().asSlice(pointer - entry.getKey(), numBytes);
  }

  /** Fails if a kernel that runs now could not use an address that it was given. */
  void requireReachable(long address) {
    synchronized (blocks) {
      if (!contains(blocks, address) && !contains(hostMemory, address)) {
        throw new AssertionError(
            "%x is neither the device's memory nor pinned host memory".formatted(address));
      }
    }
  }

  private static boolean contains(TreeMap<Long, Block> all, long address) {
    Map.Entry<Long, Block> entry = all.floorEntry(address);
    return entry != null && address < entry.getKey() + entry.getValue().memory().byteSize();
  }

  /** Bytes of pinned host memory. */
  long pinnedBytes() {
    synchronized (blocks) {
      return hostMemory.values().stream().mapToLong(block -> block.memory().byteSize()).sum();
    }
  }

  /** Bytes of the device's memory. */
  long usedBytes() {
    queue.drain();
    return usedBytes;
  }

  /** Numbers from a pointer on. */
  float[] numbers(Scalar type, long pointer, long count) {
    if (pointer % type.numBytes() != 0) {
      throw new AssertionError(pointer + " is no address of a " + type);
    }
    MemorySegment memory = memory(pointer, count * type.numBytes());
    if (type == Scalar.FLOAT32) {
      return memory.toArray(ValueLayout.JAVA_FLOAT);
    }
    float[] numbers = new float[Math.toIntExact(count)];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = Bfloat16.toFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, i));
    }
    return numbers;
  }

  /** Writes sums from a pointer on: to float, and from there to the type. */
  void write(Scalar type, long pointer, double[] sums) {
    MemorySegment memory = memory(pointer, (long) sums.length * type.numBytes());
    for (int i = 0; i < sums.length; i++) {
      if (type == Scalar.FLOAT32) {
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) sums[i]);
      } else {
        memory.setAtIndex(ValueLayout.JAVA_SHORT, i, Bfloat16.of((float) sums[i]));
      }
    }
  }

  /** Makes what a call may use and need not keep unusable for others. */
  void spoil(long pointer, long numBytes) {
    if (numBytes > 0) {
      memory(pointer, numBytes).fill(RUBBISH);
    }
  }

  /** From now on the request of this number, from 0 on, for memory or an object is refused. */
  void refuse(long request) {
    refused = request;
    requests = 0;
  }

  /** Whether the request has come. */
  boolean hasRefused() {
    return requests > refused;
  }

  private void request(String refusal) {
    if (requests++ == refused) {
      throw new CudaException(2, refusal);
    }
  }

  /** What was made and not destroyed, memory included. */
  int alive() {
    queue.drain();
    return blocks.size() + objects.size() + hostMemory.size();
  }

  @Override
  public int version() {
    return 13_000;
  }

  @Override
  public int deviceCount() {
    return 1;
  }

  @Override
  public String deviceName(int device) {
    return "the host";
  }

  @Override
  public int computeCapability(int device) {
    return 80;
  }

  @Override
  public boolean hasPools(int device) {
    return pooled;
  }

  @Override
  public void keepPool(int device) {
    requirePools();
  }

  @Override
  public long unusedInPool(int device) {
    requirePools();
    return 0;
  }

  private void requirePools() {
    if (!pooled) {
      throw new CudaException(801, "operation not supported");
    }
  }

  @Override
  public long retainContext(int device) {
    context = made();
    return context;
  }

  @Override
  public void releaseContext(int device) {
    destroyed(context);
  }

  @Override
  public void useContext(long context) {
    require(context);
  }

  @Override
  public long allocate(long numBytes) {
    if (pooled) {
      throw new AssertionError("there is a pool");
    }
    queue.note("allocate " + numBytes);
    return newMemory(numBytes);
  }

  private long newMemory(long numBytes) {
    request("out of memory");
    if (numBytes > totalBytes - usedBytes) {
      throw new CudaException(2, "out of memory");
    }
    usedBytes += numBytes;
    Arena arena = Arena.ofShared();
    MemorySegment memory = arena.allocate(numBytes, ALIGNMENT).fill(RUBBISH);
    synchronized (blocks) {
      blocks.put(memory.address(), new Block(arena, memory));
    }
    return memory.address();
  }

  private void freeMemory(long pointer) {
    Block block;
    synchronized (blocks) {
      block = blocks.remove(pointer);
    }
    if (block == null) {
      throw new AssertionError(Long.toHexString(pointer) + " is not allocated, but freed");
    }
    usedBytes -= block.memory().byteSize();
    block.arena().close();
  }

  @Override
  public void free(long pointer) {
    queue.synchronize("free");
    freeMemory(pointer);
  }

  @Override
  public long allocateOn(long numBytes, long stream) {
    requirePools();
    require(stream);
    queue.note("allocate " + numBytes);
    return newMemory(numBytes);
  }

  @Override
  public void freeOn(long pointer, long stream) {
    requirePools();
    require(stream);
    queue.submit("free", () -> freeMemory(pointer));
  }

  @Override
  public MemoryInfo memory() {
    queue.drain();
    return new MemoryInfo(totalBytes - usedBytes, totalBytes);
  }

  @Override
  public MemorySegment allocateHost(long numBytes) {
    request("out of memory");
    Arena arena = Arena.ofShared();
    MemorySegment memory = arena.allocate(numBytes, ALIGNMENT).fill(RUBBISH);
    synchronized (blocks) {
      hostMemory.put(memory.address(), new Block(arena, memory));
    }
    return memory;
  }

  /** At once: what is still to be done must not need it. */
  @Override
  public void freeHost(MemorySegment memory) {
    synchronized (blocks) {
      Block block = hostMemory.remove(memory.address());
      if (block == null) {
        throw new AssertionError(memory + " is not pinned, but freed");
      }
      block.arena().close();
    }
  }

  @Override
  public void copyToDevice(long pointer, MemorySegment host, long numBytes, long stream) {
    require(stream);
    queue.submit(
        "copy %d to the device".formatted(numBytes),
        () -> memory(pointer, numBytes).copyFrom(host.asSlice(0, numBytes)));
  }

  @Override
  public void copyToHost(MemorySegment host, long pointer, long numBytes, long stream) {
    require(stream);
    queue.submit(
        "copy %d to the host".formatted(numBytes), () -> host.copyFrom(memory(pointer, numBytes)));
  }

  @Override
  public void copy(long to, long from, long numBytes, long stream) {
    require(stream);
    queue.submit("copy " + numBytes, () -> memory(to, numBytes).copyFrom(memory(from, numBytes)));
  }

  @Override
  public void fillInts(long pointer, int value, long count, long stream) {
    require(stream);
    queue.submit(
        "fill " + count + " ints",
        () -> {
          for (long i = 0; i < count; i++) {
            memory(pointer, 4 * count).setAtIndex(ValueLayout.JAVA_INT, i, value);
          }
        });
  }

  @Override
  public void fill(long pointer, byte value, long numBytes, long stream) {
    require(stream);
    queue.submit("fill " + numBytes, () -> memory(pointer, numBytes).fill(value));
  }

  @Override
  public long createStream() {
    return made();
  }

  @Override
  public void destroyStream(long stream) {
    queue.drain();
    destroyed(stream);
  }

  @Override
  public void synchronize(long stream) {
    require(stream);
    queue.synchronize("synchronize");
  }

  @Override
  public long createEvent() {
    return made();
  }

  @Override
  public void record(long event, long stream) {
    require(event);
    require(stream);
    queue.record(event);
  }

  @Override
  public void await(long event) {
    require(event);
    queue.await(event);
  }

  @Override
  public void destroyEvent(long event) {
    destroyed(event);
  }

  @Override
  public void beginCapture(long stream) {
    require(stream);
    queue.beginCapture();
  }

  @Override
  public long endCapture(long stream) {
    require(stream);
    return queue.endCapture();
  }

  @Override
  public void destroyGraph(long graph) {}

  @Override
  public long instantiate(long graph) {
    return graph;
  }

  @Override
  public void launch(long executable, long stream) {
    require(stream);
    queue.launch(executable);
  }

  @Override
  public void destroyExecutable(long executable) {
    queue.destroy(executable);
  }

  private long made() {
    request(NO_OBJECT);
    long handle = queue.newHandle();
    objects.add(handle);
    return handle;
  }

  private void require(long handle) {
    if (!objects.contains(handle)) {
      throw new AssertionError(handle + " was not made here, or was destroyed");
    }
  }

  private void destroyed(long handle) {
    require(handle);
    objects.remove(handle);
  }
}
