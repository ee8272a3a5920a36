package dev.rais.backend.cuda.jcuda;

import static dev.rais.backend.cuda.jcuda.JCudaPointers.devicePointer;
import static dev.rais.backend.cuda.jcuda.JCudaPointers.pointer;
import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetCount;
import static jcuda.driver.JCudaDriver.cuDeviceGetName;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRelease;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;
import static jcuda.driver.JCudaDriver.cuDriverGetVersion;
import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;
import static jcuda.driver.JCudaDriver.cuGetErrorName;
import static jcuda.driver.JCudaDriver.cuGetErrorString;
import static jcuda.driver.JCudaDriver.cuGraphDestroy;
import static jcuda.driver.JCudaDriver.cuGraphExecDestroy;
import static jcuda.driver.JCudaDriver.cuGraphInstantiate;
import static jcuda.driver.JCudaDriver.cuGraphLaunch;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemAllocAsync;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemFreeAsync;
import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemGetInfo;
import static jcuda.driver.JCudaDriver.cuMemHostAlloc;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemsetD32Async;
import static jcuda.driver.JCudaDriver.cuMemsetD8Async;
import static jcuda.driver.JCudaDriver.cuStreamBeginCapture;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamEndCapture;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;

import dev.rais.backend.cuda.CudaDriver;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.DriverLibrary;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;

/**
 * {@code libcuda.so.1} through JCuda.
 *
 * <p>JCuda lacks the calls that tell a memory pool to keep its memory, and one that does not would
 * give it back whenever a stream is synchronised: so no device {@linkplain #hasPools has pools}
 * here, and memory is allocated without.
 */
@SuppressWarnings("restricted") // native access is what this class is for
public final class JCudaDriver implements CudaDriver {
  private static final int NAME_BYTES = 256;

  private static final class Context extends CUcontext implements Handles.Handle {
    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private static final class Stream extends CUstream implements Handles.Handle {
    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private static final class Event extends CUevent implements Handles.Handle {
    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private static final class Graph extends CUgraph implements Handles.Handle {
    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private static final class Executable extends CUgraphExec implements Handles.Handle {
    @Override
    public long handle() {
      return getNativePointer();
    }
  }

  private final Handles<Context> contexts = new Handles<>("context");
  private final Handles<Stream> streams = new Handles<>("stream");
  private final Handles<Event> events = new Handles<>("event");
  private final Handles<Graph> graphs = new Handles<>("graph");
  private final Handles<Executable> executables = new Handles<>("graph that can be launched");

  private final Statuses statuses =
      new Statuses(CUresult::stringFor, CUresult.CUDA_ERROR_UNKNOWN, JCudaDriver::text);

  private JCudaDriver() {}

  /**
   * Loads and initialises the driver.
   *
   * @throws CudaUnavailableException with the reason, one sentence
   */
  public static JCudaDriver open() {
    JCudaLibrary.DRIVER.requireClasses();
    DriverLibrary.load(); // says in its own words what is missing, and JCuda's natives then find it
    int[] result = new int[1];
    JCudaLibrary.DRIVER.load(() -> result[0] = cuInit(0));
    if (result[0] != 0) {
      throw new CudaUnavailableException(
          "the CUDA driver is installed, but does not start: " + text(result[0]));
    }
    return new JCudaDriver();
  }

  /** JCuda's object of a stream that was made here. */
  CUstream stream(long handle) {
    return streams.get(handle);
  }

  @Override
  public int version() {
    int[] out = new int[1];
    statuses.check("cuDriverGetVersion", () -> cuDriverGetVersion(out));
    return out[0];
  }

  @Override
  public int deviceCount() {
    int[] out = new int[1];
    statuses.check("cuDeviceGetCount", () -> cuDeviceGetCount(out));
    return out[0];
  }

  @Override
  public String deviceName(int device) {
    byte[] out = new byte[NAME_BYTES];
    CUdevice handle = handle(device);
    statuses.check("cuDeviceGetName", () -> cuDeviceGetName(out, NAME_BYTES, handle));
    int length = 0;
    while (length < out.length && out[length] != 0) {
      length++;
    }
    return new String(out, 0, length, StandardCharsets.UTF_8);
  }

  @Override
  public int computeCapability(int device) {
    return 10 * attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        + attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  }

  private int attribute(int device, int attribute) {
    int[] out = new int[1];
    CUdevice handle = handle(device);
    statuses.check("cuDeviceGetAttribute", () -> cuDeviceGetAttribute(out, attribute, handle));
    return out[0];
  }

  /** The CUdevice of a number. */
  private CUdevice handle(int device) {
    CUdevice out = new CUdevice();
    statuses.check("cuDeviceGet", () -> cuDeviceGet(out, device));
    return out;
  }

  /** False: see above. */
  @Override
  public boolean hasPools(int device) {
    return false;
  }

  @Override
  public void keepPool(int device) {
    throw new UnsupportedOperationException("JCuda has no cuMemPoolSetAttribute");
  }

  @Override
  public long unusedInPool(int device) {
    throw new UnsupportedOperationException("JCuda has no cuMemPoolGetAttribute");
  }

  @Override
  public long retainContext(int device) {
    Context out = new Context();
    CUdevice handle = handle(device);
    statuses.check("cuDevicePrimaryCtxRetain", () -> cuDevicePrimaryCtxRetain(out, handle));
    return contexts.keep(out);
  }

  @Override
  public void releaseContext(int device) {
    CUdevice handle = handle(device);
    statuses.check("cuDevicePrimaryCtxRelease_v2", () -> cuDevicePrimaryCtxRelease(handle));
  }

  @Override
  public void useContext(long context) {
    Context object = contexts.get(context);
    statuses.check("cuCtxSetCurrent", () -> cuCtxSetCurrent(object));
  }

  @Override
  public long allocate(long numBytes) {
    CUdeviceptr out = new CUdeviceptr();
    statuses.check("cuMemAlloc_v2 of " + numBytes + " bytes", () -> cuMemAlloc(out, numBytes));
    return JCudaPointers.address(out);
  }

  @Override
  public void free(long pointer) {
    statuses.check("cuMemFree_v2", () -> cuMemFree(devicePointer(pointer)));
  }

  @Override
  public long allocateOn(long numBytes, long stream) {
    CUdeviceptr out = new CUdeviceptr();
    Stream on = streams.get(stream);
    statuses.check(
        "cuMemAllocAsync of " + numBytes + " bytes", () -> cuMemAllocAsync(out, numBytes, on));
    return JCudaPointers.address(out);
  }

  @Override
  public void freeOn(long pointer, long stream) {
    Stream on = streams.get(stream);
    statuses.check("cuMemFreeAsync", () -> cuMemFreeAsync(devicePointer(pointer), on));
  }

  @Override
  public MemoryInfo memory() {
    long[] free = new long[1];
    long[] total = new long[1];
    statuses.check("cuMemGetInfo_v2", () -> cuMemGetInfo(free, total));
    return new MemoryInfo(free[0], total[0]);
  }

  @Override
  public MemorySegment allocateHost(long numBytes) {
    Pointer out = new Pointer();
    statuses.check(
        "cuMemHostAlloc of " + numBytes + " bytes", () -> cuMemHostAlloc(out, numBytes, 0));
    return MemorySegment.ofAddress(JCudaPointers.address(out)).reinterpret(numBytes);
  }

  @Override
  public void freeHost(MemorySegment memory) {
    statuses.check("cuMemFreeHost", () -> cuMemFreeHost(pointer(memory.address())));
  }

  @Override
  public void copyToDevice(long pointer, MemorySegment host, long numBytes, long stream) {
    Stream on = streams.get(stream);
    statuses.check(
        "cuMemcpyHtoDAsync_v2",
        () -> cuMemcpyHtoDAsync(devicePointer(pointer), pointer(host.address()), numBytes, on));
  }

  @Override
  public void copyToHost(MemorySegment host, long pointer, long numBytes, long stream) {
    Stream on = streams.get(stream);
    statuses.check(
        "cuMemcpyDtoHAsync_v2",
        () -> cuMemcpyDtoHAsync(pointer(host.address()), devicePointer(pointer), numBytes, on));
  }

  @Override
  public void copy(long to, long from, long numBytes, long stream) {
    Stream on = streams.get(stream);
    statuses.check(
        "cuMemcpyDtoDAsync_v2",
        () -> cuMemcpyDtoDAsync(devicePointer(to), devicePointer(from), numBytes, on));
  }

  @Override
  public void fillInts(long pointer, int value, long count, long stream) {
    Stream on = streams.get(stream);
    statuses.check(
        "cuMemsetD32Async", () -> cuMemsetD32Async(devicePointer(pointer), value, count, on));
  }

  @Override
  public void fill(long pointer, byte value, long numBytes, long stream) {
    Stream on = streams.get(stream);
    statuses.check(
        "cuMemsetD8Async", () -> cuMemsetD8Async(devicePointer(pointer), value, numBytes, on));
  }

  @Override
  public long createStream() {
    Stream out = new Stream();
    statuses.check(
        "cuStreamCreate", () -> cuStreamCreate(out, CUstream_flags.CU_STREAM_NON_BLOCKING));
    return streams.keep(out);
  }

  @Override
  public void destroyStream(long stream) {
    Stream object = streams.remove(stream);
    statuses.check("cuStreamDestroy_v2", () -> cuStreamDestroy(object));
  }

  @Override
  public void synchronize(long stream) {
    Stream object = streams.get(stream);
    statuses.check("cuStreamSynchronize", () -> cuStreamSynchronize(object));
  }

  @Override
  public long createEvent() {
    Event out = new Event();
    statuses.check(
        "cuEventCreate", () -> cuEventCreate(out, CUevent_flags.CU_EVENT_DISABLE_TIMING));
    return events.keep(out);
  }

  @Override
  public void record(long event, long stream) {
    Event object = events.get(event);
    Stream on = streams.get(stream);
    statuses.check("cuEventRecord", () -> cuEventRecord(object, on));
  }

  @Override
  public void await(long event) {
    Event object = events.get(event);
    statuses.check("cuEventSynchronize", () -> cuEventSynchronize(object));
  }

  @Override
  public void destroyEvent(long event) {
    Event object = events.remove(event);
    statuses.check("cuEventDestroy_v2", () -> cuEventDestroy(object));
  }

  @Override
  public void beginCapture(long stream) {
    Stream object = streams.get(stream);
    statuses.check(
        "cuStreamBeginCapture_v2",
        () ->
            cuStreamBeginCapture(object, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  }

  @Override
  public long endCapture(long stream) {
    Stream object = streams.get(stream);
    Graph out = new Graph();
    statuses.check("cuStreamEndCapture", () -> cuStreamEndCapture(object, out));
    return graphs.keep(out);
  }

  @Override
  public void destroyGraph(long graph) {
    Graph object = graphs.remove(graph);
    statuses.check("cuGraphDestroy", () -> cuGraphDestroy(object));
  }

  @Override
  public long instantiate(long graph) {
    Graph object = graphs.get(graph);
    Executable out = new Executable();
    statuses.check("cuGraphInstantiateWithFlags", () -> cuGraphInstantiate(out, object, 0));
    return executables.keep(out);
  }

  @Override
  public void launch(long executable, long stream) {
    Executable object = executables.get(executable);
    Stream on = streams.get(stream);
    statuses.check("cuGraphLaunch", () -> cuGraphLaunch(object, on));
  }

  @Override
  public void destroyExecutable(long executable) {
    Executable object = executables.remove(executable);
    statuses.check("cuGraphExecDestroy", () -> cuGraphExecDestroy(object));
  }

  private static String text(int result) {
    String[] name = new String[1];
    String[] details = new String[1];
    if (cuGetErrorName(result, name) != 0) {
      return "CUDA error " + result;
    }
    return cuGetErrorString(result, details) != 0 ? name[0] : name[0] + ", " + details[0];
  }
}
