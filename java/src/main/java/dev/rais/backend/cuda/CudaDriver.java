package dev.rais.backend.cuda;

import java.lang.foreign.MemorySegment;

/**
 * What we use of the CUDA driver: one method per call, handles and device pointers as longs, so
 * that bindings stay thin and interchangeable. Each call throws {@link CudaException} if it fails.
 *
 * <p>Calls that take no handle work in the context that is current for the calling thread. Copies
 * and fills are put on the stream and return; host memory must then stay as it is until the stream
 * has been synchronised.
 *
 * <p>The driver's interface is the same on CUDA 12 and 13, unlike the runtime's.
 */
public interface CudaDriver {
  /** The newest CUDA that the driver supports, as 1000 major + 10 minor. */
  int version();

  /** Devices that this process can see. */
  int deviceCount();

  /** A device's name. */
  String deviceName(int device);

  /** A device's compute capability, as 10 major + minor: 90 is Hopper. */
  int computeCapability(int device);

  /** Whether a device has memory pools, as {@link #allocateOn} needs. */
  boolean hasPools(int device);

  /** Keeps a device's pool from giving memory back whenever a stream is synchronised. */
  void keepPool(int device);

  /** Bytes that a device's pool holds and nothing uses. */
  long unusedInPool(int device);

  /** Keeps a device's primary context, which the CUDA runtime uses too, and returns it. */
  long retainContext(int device);

  /** Gives up what {@link #retainContext} has kept. */
  void releaseContext(int device);

  /** Makes a context the calling thread's. */
  void useContext(long context);

  /** Allocates device memory, aligned to 256 bytes at least. */
  long allocate(long numBytes);

  /** Frees device memory. */
  void free(long pointer);

  /** Allocates device memory out of the pool, in the stream's order. */
  long allocateOn(long numBytes, long stream);

  /** Frees device memory of the pool, in the stream's order: work put there before may use it. */
  void freeOn(long pointer, long stream);

  /** What memory the current context's device has. */
  MemoryInfo memory();

  /**
   * Memory of a device.
   *
   * @param free bytes that nothing has allocated, this process or another
   * @param total bytes in all
   */
  record MemoryInfo(long free, long total) {}

  /** Allocates host memory that the device reads and writes at full speed. */
  MemorySegment allocateHost(long numBytes);

  /** Frees what {@link #allocateHost} has allocated. */
  void freeHost(MemorySegment memory);

  /** Copies native host memory to the device. */
  void copyToDevice(long pointer, MemorySegment host, long numBytes, long stream);

  /** Copies device memory to native host memory. */
  void copyToHost(MemorySegment host, long pointer, long numBytes, long stream);

  /** Copies device memory. */
  void copy(long to, long from, long numBytes, long stream);

  /** Fills device memory with a 32-bit value; the pointer is a multiple of 4. */
  void fillInts(long pointer, int value, long count, long stream);

  /** Fills device memory. */
  void fill(long pointer, byte value, long numBytes, long stream);

  /** A stream that does not wait for the default one. */
  long createStream();

  /** Destroys a stream. */
  void destroyStream(long stream);

  /** Waits until everything on the stream is done. */
  void synchronize(long stream);

  /** An event, which marks a place on a stream. */
  long createEvent();

  /** Puts an event on a stream. */
  void record(long event, long stream);

  /** Waits until everything before the event is done; returns at once if it was never recorded. */
  void await(long event);

  /** Destroys an event. */
  void destroyEvent(long event);

  /** From now on, what is put on the stream by this thread is recorded instead of done. */
  void beginCapture(long stream);

  /** Ends recording; returns the graph. */
  long endCapture(long stream);

  /** Destroys a graph. */
  void destroyGraph(long graph);

  /** Makes a graph fit to be launched. */
  long instantiate(long graph);

  /** Puts an instantiated graph on a stream. */
  void launch(long executable, long stream);

  /** Destroys an instantiated graph. */
  void destroyExecutable(long executable);
}
