package dev.rais.backend.cuda.panama;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.rais.backend.cuda.CudaDriver;
import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.DriverLibrary;
import dev.rais.backend.cuda.panama.Bound.Symbol;
import dev.rais.natives.Functions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code libcuda.so.1}, bound by hand. */
@SuppressWarnings("restricted") // native access is what this class is for
public final class PanamaDriver implements CudaDriver {
  /**
   * In cuda.h's order, by the names that its macros give the functions. A CUdeviceptr is a 64-bit
   * integer, and an unsigned char is passed as an int.
   */
  static final List<Symbol> FUNCTIONS =
      List.of(
          new Symbol("cuGetErrorString", "i(ip)"),
          new Symbol("cuGetErrorName", "i(ip)"),
          new Symbol("cuInit", "i(i)"),
          new Symbol("cuDriverGetVersion", "i(p)"),
          new Symbol("cuDeviceGet", "i(pi)"),
          new Symbol("cuDeviceGetCount", "i(p)"),
          new Symbol("cuDeviceGetName", "i(pii)"),
          new Symbol("cuDeviceGetAttribute", "i(pii)"),
          new Symbol("cuDeviceGetDefaultMemPool", "i(pi)"),
          new Symbol("cuDevicePrimaryCtxRetain", "i(pi)"),
          new Symbol("cuDevicePrimaryCtxRelease_v2", "i(i)"),
          new Symbol("cuCtxSetCurrent", "i(p)"),
          new Symbol("cuMemGetInfo_v2", "i(pp)"),
          new Symbol("cuMemAlloc_v2", "i(pl)"),
          new Symbol("cuMemFree_v2", "i(l)"),
          new Symbol("cuMemFreeHost", "i(p)"),
          new Symbol("cuMemHostAlloc", "i(pli)"),
          new Symbol("cuMemcpyHtoDAsync_v2", "i(lplp)"),
          new Symbol("cuMemcpyDtoHAsync_v2", "i(pllp)"),
          new Symbol("cuMemcpyDtoDAsync_v2", "i(lllp)"),
          new Symbol("cuMemsetD8Async", "i(lilp)"),
          new Symbol("cuMemsetD32Async", "i(lilp)"),
          new Symbol("cuMemFreeAsync", "i(lp)"),
          new Symbol("cuMemAllocAsync", "i(plp)"),
          new Symbol("cuMemPoolSetAttribute", "i(pip)"),
          new Symbol("cuMemPoolGetAttribute", "i(pip)"),
          new Symbol("cuStreamCreate", "i(pi)"),
          new Symbol("cuStreamBeginCapture_v2", "i(pi)"),
          new Symbol("cuStreamEndCapture", "i(pp)"),
          new Symbol("cuStreamSynchronize", "i(p)"),
          new Symbol("cuStreamDestroy_v2", "i(p)"),
          new Symbol("cuEventCreate", "i(pi)"),
          new Symbol("cuEventRecord", "i(pp)"),
          new Symbol("cuEventSynchronize", "i(p)"),
          new Symbol("cuEventDestroy_v2", "i(p)"),
          new Symbol("cuGraphInstantiateWithFlags", "i(ppl)"),
          new Symbol("cuGraphLaunch", "i(pp)"),
          new Symbol("cuGraphExecDestroy", "i(p)"),
          new Symbol("cuGraphDestroy", "i(p)"));

  private static final int CAPABILITY_MAJOR = 75;
  private static final int CAPABILITY_MINOR = 76;
  private static final int POOLS_SUPPORTED = 115;
  private static final int POOL_RELEASE_THRESHOLD = 4;
  private static final int POOL_RESERVED = 5;
  private static final int POOL_USED = 7;
  private static final int STREAM_NON_BLOCKING = 1;
  private static final int EVENT_DISABLE_TIMING = 2;

  /** Other threads may call what this one's capture forbids, such as allocations. */
  private static final int CAPTURE_MODE_THREAD_LOCAL = 1;

  private static final int NAME_BYTES = 256;

  private final MethodHandle getErrorString;
  private final MethodHandle getErrorName;
  private final MethodHandle init;
  private final MethodHandle driverGetVersion;
  private final MethodHandle deviceGet;
  private final MethodHandle deviceGetCount;
  private final MethodHandle deviceGetName;
  private final MethodHandle deviceGetAttribute;
  private final MethodHandle deviceGetDefaultMemPool;
  private final MethodHandle devicePrimaryCtxRetain;
  private final MethodHandle devicePrimaryCtxRelease;
  private final MethodHandle ctxSetCurrent;
  private final MethodHandle memGetInfo;
  private final MethodHandle memAlloc;
  private final MethodHandle memFree;
  private final MethodHandle memFreeHost;
  private final MethodHandle memHostAlloc;
  private final MethodHandle memcpyHtoDAsync;
  private final MethodHandle memcpyDtoHAsync;
  private final MethodHandle memcpyDtoDAsync;
  private final MethodHandle memsetD8Async;
  private final MethodHandle memsetD32Async;
  private final MethodHandle memFreeAsync;
  private final MethodHandle memAllocAsync;
  private final MethodHandle memPoolSetAttribute;
  private final MethodHandle memPoolGetAttribute;
  private final MethodHandle streamCreate;
  private final MethodHandle streamBeginCapture;
  private final MethodHandle streamEndCapture;
  private final MethodHandle streamSynchronize;
  private final MethodHandle streamDestroy;
  private final MethodHandle eventCreate;
  private final MethodHandle eventRecord;
  private final MethodHandle eventSynchronize;
  private final MethodHandle eventDestroy;
  private final MethodHandle graphInstantiateWithFlags;
  private final MethodHandle graphLaunch;
  private final MethodHandle graphExecDestroy;
  private final MethodHandle graphDestroy;

  private PanamaDriver(SymbolLookup symbols) {
    var bound =
        new Bound(
            symbols,
            FUNCTIONS,
            name -> "the CUDA driver has no " + name + "; update it: CUDA 12 or newer is needed");
    getErrorString = bound.handle("cuGetErrorString");
    getErrorName = bound.handle("cuGetErrorName");
    init = bound.handle("cuInit");
    driverGetVersion = bound.handle("cuDriverGetVersion");
    deviceGet = bound.handle("cuDeviceGet");
    deviceGetCount = bound.handle("cuDeviceGetCount");
    deviceGetName = bound.handle("cuDeviceGetName");
    deviceGetAttribute = bound.handle("cuDeviceGetAttribute");
    deviceGetDefaultMemPool = bound.handle("cuDeviceGetDefaultMemPool");
    devicePrimaryCtxRetain = bound.handle("cuDevicePrimaryCtxRetain");
    devicePrimaryCtxRelease = bound.handle("cuDevicePrimaryCtxRelease_v2");
    ctxSetCurrent = bound.handle("cuCtxSetCurrent");
    memGetInfo = bound.handle("cuMemGetInfo_v2");
    memAlloc = bound.handle("cuMemAlloc_v2");
    memFree = bound.handle("cuMemFree_v2");
    memFreeHost = bound.handle("cuMemFreeHost");
    memHostAlloc = bound.handle("cuMemHostAlloc");
    memcpyHtoDAsync = bound.handle("cuMemcpyHtoDAsync_v2");
    memcpyDtoHAsync = bound.handle("cuMemcpyDtoHAsync_v2");
    memcpyDtoDAsync = bound.handle("cuMemcpyDtoDAsync_v2");
    memsetD8Async = bound.handle("cuMemsetD8Async");
    memsetD32Async = bound.handle("cuMemsetD32Async");
    memFreeAsync = bound.handle("cuMemFreeAsync");
    memAllocAsync = bound.handle("cuMemAllocAsync");
    memPoolSetAttribute = bound.handle("cuMemPoolSetAttribute");
    memPoolGetAttribute = bound.handle("cuMemPoolGetAttribute");
    streamCreate = bound.handle("cuStreamCreate");
    streamBeginCapture = bound.handle("cuStreamBeginCapture_v2");
    streamEndCapture = bound.handle("cuStreamEndCapture");
    streamSynchronize = bound.handle("cuStreamSynchronize");
    streamDestroy = bound.handle("cuStreamDestroy_v2");
    eventCreate = bound.handle("cuEventCreate");
    eventRecord = bound.handle("cuEventRecord");
    eventSynchronize = bound.handle("cuEventSynchronize");
    eventDestroy = bound.handle("cuEventDestroy_v2");
    graphInstantiateWithFlags = bound.handle("cuGraphInstantiateWithFlags");
    graphLaunch = bound.handle("cuGraphLaunch");
    graphExecDestroy = bound.handle("cuGraphExecDestroy");
    graphDestroy = bound.handle("cuGraphDestroy");
  }

  /**
   * Loads and initialises the driver.
   *
   * @throws CudaUnavailableException with the reason, one sentence
   */
  public static PanamaDriver open() {
    return open(System.getProperty(DriverLibrary.PROPERTY));
  }

  static PanamaDriver open(String file) {
    PanamaDriver driver = new PanamaDriver(DriverLibrary.load(file));
    driver.initialise();
    return driver;
  }

  private void initialise() {
    int result;
    try {
      result = (int) init.invokeExact(0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
    if (result != 0) {
      throw new CudaUnavailableException(
          "the CUDA driver is installed, but does not start: " + errorText(result));
    }
  }

  @Override
  public int version() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_INT);
      check("cuDriverGetVersion", (int) driverGetVersion.invokeExact(out));
      return out.get(JAVA_INT, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public int deviceCount() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_INT);
      check("cuDeviceGetCount", (int) deviceGetCount.invokeExact(out));
      return out.get(JAVA_INT, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public String deviceName(int device) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(NAME_BYTES);
      check("cuDeviceGetName", (int) deviceGetName.invokeExact(out, NAME_BYTES, handle(device)));
      return out.getString(0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public int computeCapability(int device) {
    return 10 * attribute(device, CAPABILITY_MAJOR) + attribute(device, CAPABILITY_MINOR);
  }

  @Override
  public boolean hasPools(int device) {
    return attribute(device, POOLS_SUPPORTED) != 0;
  }

  @Override
  public void keepPool(int device) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment all = arena.allocateFrom(JAVA_LONG, -1L); // unsigned: the most there is
      check(
          "cuMemPoolSetAttribute",
          (int) memPoolSetAttribute.invokeExact(pool(device), POOL_RELEASE_THRESHOLD, all));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long unusedInPool(int device) {
    return poolAttribute(device, POOL_RESERVED) - poolAttribute(device, POOL_USED);
  }

  private long poolAttribute(int device, int attribute) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_LONG);
      check(
          "cuMemPoolGetAttribute",
          (int) memPoolGetAttribute.invokeExact(pool(device), attribute, out));
      return out.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  private MemorySegment pool(int device) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      check(
          "cuDeviceGetDefaultMemPool",
          (int) deviceGetDefaultMemPool.invokeExact(out, handle(device)));
      return out.get(ADDRESS, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  private int attribute(int device, int attribute) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_INT);
      check(
          "cuDeviceGetAttribute",
          (int) deviceGetAttribute.invokeExact(out, attribute, handle(device)));
      return out.get(JAVA_INT, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  /** The CUdevice of a number. */
  private int handle(int device) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_INT);
      check("cuDeviceGet", (int) deviceGet.invokeExact(out, device));
      return out.get(JAVA_INT, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long retainContext(int device) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      check(
          "cuDevicePrimaryCtxRetain",
          (int) devicePrimaryCtxRetain.invokeExact(out, handle(device)));
      return out.get(ADDRESS, 0).address();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void releaseContext(int device) {
    try {
      check(
          "cuDevicePrimaryCtxRelease_v2",
          (int) devicePrimaryCtxRelease.invokeExact(handle(device)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void useContext(long context) {
    try {
      check("cuCtxSetCurrent", (int) ctxSetCurrent.invokeExact(pointer(context)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long allocate(long numBytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_LONG);
      check("cuMemAlloc_v2 of " + numBytes + " bytes", (int) memAlloc.invokeExact(out, numBytes));
      return out.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void free(long pointer) {
    try {
      check("cuMemFree_v2", (int) memFree.invokeExact(pointer));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long allocateOn(long numBytes, long stream) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_LONG);
      check(
          "cuMemAllocAsync of " + numBytes + " bytes",
          (int) memAllocAsync.invokeExact(out, numBytes, pointer(stream)));
      return out.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void freeOn(long pointer, long stream) {
    try {
      check("cuMemFreeAsync", (int) memFreeAsync.invokeExact(pointer, pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public MemoryInfo memory() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment free = arena.allocate(JAVA_LONG);
      MemorySegment total = arena.allocate(JAVA_LONG);
      check("cuMemGetInfo_v2", (int) memGetInfo.invokeExact(free, total));
      return new MemoryInfo(free.get(JAVA_LONG, 0), total.get(JAVA_LONG, 0));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public MemorySegment allocateHost(long numBytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      check(
          "cuMemHostAlloc of " + numBytes + " bytes",
          (int) memHostAlloc.invokeExact(out, numBytes, 0));
      return out.get(ADDRESS, 0).reinterpret(numBytes);
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void freeHost(MemorySegment memory) {
    try {
      check("cuMemFreeHost", (int) memFreeHost.invokeExact(memory));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void copyToDevice(long pointer, MemorySegment host, long numBytes, long stream) {
    try {
      check(
          "cuMemcpyHtoDAsync_v2",
          (int) memcpyHtoDAsync.invokeExact(pointer, host, numBytes, pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void copyToHost(MemorySegment host, long pointer, long numBytes, long stream) {
    try {
      check(
          "cuMemcpyDtoHAsync_v2",
          (int) memcpyDtoHAsync.invokeExact(host, pointer, numBytes, pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void copy(long to, long from, long numBytes, long stream) {
    try {
      check(
          "cuMemcpyDtoDAsync_v2",
          (int) memcpyDtoDAsync.invokeExact(to, from, numBytes, pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void fillInts(long pointer, int value, long count, long stream) {
    try {
      check(
          "cuMemsetD32Async",
          (int) memsetD32Async.invokeExact(pointer, value, count, pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void fill(long pointer, byte value, long numBytes, long stream) {
    try {
      check(
          "cuMemsetD8Async",
          (int)
              memsetD8Async.invokeExact(
                  pointer, Byte.toUnsignedInt(value), numBytes, pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long createStream() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      check("cuStreamCreate", (int) streamCreate.invokeExact(out, STREAM_NON_BLOCKING));
      return out.get(ADDRESS, 0).address();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long createEvent() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      check("cuEventCreate", (int) eventCreate.invokeExact(out, EVENT_DISABLE_TIMING));
      return out.get(ADDRESS, 0).address();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void record(long event, long stream) {
    try {
      check("cuEventRecord", (int) eventRecord.invokeExact(pointer(event), pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void await(long event) {
    try {
      check("cuEventSynchronize", (int) eventSynchronize.invokeExact(pointer(event)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void destroyEvent(long event) {
    try {
      check("cuEventDestroy_v2", (int) eventDestroy.invokeExact(pointer(event)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void beginCapture(long stream) {
    try {
      check(
          "cuStreamBeginCapture_v2",
          (int) streamBeginCapture.invokeExact(pointer(stream), CAPTURE_MODE_THREAD_LOCAL));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long endCapture(long stream) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      check("cuStreamEndCapture", (int) streamEndCapture.invokeExact(pointer(stream), out));
      return out.get(ADDRESS, 0).address();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void synchronize(long stream) {
    try {
      check("cuStreamSynchronize", (int) streamSynchronize.invokeExact(pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void destroyStream(long stream) {
    try {
      check("cuStreamDestroy_v2", (int) streamDestroy.invokeExact(pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public long instantiate(long graph) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      check(
          "cuGraphInstantiateWithFlags",
          (int) graphInstantiateWithFlags.invokeExact(out, pointer(graph), 0L));
      return out.get(ADDRESS, 0).address();
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void launch(long executable, long stream) {
    try {
      check("cuGraphLaunch", (int) graphLaunch.invokeExact(pointer(executable), pointer(stream)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void destroyExecutable(long executable) {
    try {
      check("cuGraphExecDestroy", (int) graphExecDestroy.invokeExact(pointer(executable)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  @Override
  public void destroyGraph(long graph) {
    try {
      check("cuGraphDestroy", (int) graphDestroy.invokeExact(pointer(graph)));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }

  private static MemorySegment pointer(long handle) {
    return MemorySegment.ofAddress(handle);
  }

  private void check(String call, int result) {
    if (result != 0) {
      throw new CudaException(result, call + ": " + errorText(result));
    }
  }

  private String errorText(int result) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      int unnamed = (int) getErrorName.invokeExact(result, out);
      if (unnamed != 0) {
        return "CUDA error " + result;
      }
      String name = Functions.text(out.get(ADDRESS, 0));
      int untold = (int) getErrorString.invokeExact(result, out);
      return untold != 0 ? name : name + ", " + Functions.text(out.get(ADDRESS, 0));
    } catch (Throwable e) {
      throw Functions.rethrown(e);
    }
  }
}
