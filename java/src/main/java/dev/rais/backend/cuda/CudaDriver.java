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

  /** Copies native host memory to the device. */
  void copyToDevice(long pointer, MemorySegment host, long numBytes, long stream);

  /** Copies device memory to native host memory. */
  void copyToHost(MemorySegment host, long pointer, long numBytes, long stream);

  /** Fills device memory. */
  void fill(long pointer, byte value, long numBytes, long stream);

  /** A stream that does not wait for the default one. */
  long createStream();

  /** Destroys a stream. */
  void destroyStream(long stream);

  /** Waits until everything on the stream is done. */
  void synchronize(long stream);

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
