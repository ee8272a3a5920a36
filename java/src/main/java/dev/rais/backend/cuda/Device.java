package dev.rais.backend.cuda;

import dev.rais.backend.DType;
import dev.rais.backend.Precision;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/**
 * A device in use, and what all operations of the backend share there: one stream, so that work is
 * done in the order of the calls; memory; the libraries' handles; scratch memory.
 */
final class Device implements AutoCloseable {
  /** What cuBLAS's manual recommends, from Hopper on and before. */
  private static final long BLAS_WORKSPACE = 32L << 20;

  private static final long OLDER_BLAS_WORKSPACE = 4L << 20;
  private static final int HOPPER = 90;

  private static final int OUT_OF_MEMORY = 2;

  // Places in a block of single values, which kernels read and write.
  private static final int RATE = 0;
  private static final int ITERATION = 8;
  private static final int RESULT = 16;
  private static final int SCALARS = 256;

  /** What is loaded: the driver, our kernels, cuBLAS and cuDNN. */
  record Libraries(CudaDriver driver, Kernels kernels, Blas blas, Dnn dnn) {}

  final Kernels kernels;
  final CudaOptions options;
  final AlgorithmCache algorithms;
  private final CudaDriver driver;
  private final Blas blas;
  private final Dnn dnn;
  private final CudaContext context;
  private final boolean pooled;
  private final String description;

  private final Taken taken = new Taken();

  private final Set<AutoCloseable> resources = new LinkedHashSet<>();
  private final CudaStream stream;
  private final long blasHandle;
  private final long dnnHandle;
  private final Staging staging;
  private final long scalars;
  private final long sumWorkspace;
  private long scratch;
  private long scratchBytes;
  private int scratchMoves;
  private MemorySegment counter;
  private Thread user;
  private boolean closed;

  Device(Libraries libraries, CudaOptions options, AlgorithmCache algorithms) {
    driver = libraries.driver();
    kernels = libraries.kernels();
    blas = libraries.blas();
    dnn = libraries.dnn();
    this.options = options;
    this.algorithms = algorithms;
    context = CudaContext.open(driver, options.device());
    user = Thread.currentThread();
    try {
      taken.push(context::close);
      pooled = driver.hasPools(options.device());
      if (pooled) {
        driver.keepPool(options.device());
      }
      stream = context.newStream();
      taken.push(stream::close);
      staging = new Staging(this, stream.handle());
      taken.push(staging::close);
      taken.push(this::settle); // copies may still read staging's memory
      dnnHandle = dnn.create();
      taken.push(() -> dnn.destroy(dnnHandle));
      dnn.setStream(dnnHandle, stream.handle());
      blasHandle = blas.create();
      taken.push(() -> blas.destroy(blasHandle));
      blas.setStream(blasHandle, stream.handle());
      long workspaceBytes =
          driver.computeCapability(options.device()) >= HOPPER
              ? BLAS_WORKSPACE
              : OLDER_BLAS_WORKSPACE;
      // Not cleared: cuBLAS and kernels write before they read, sums apart.
      blas.setWorkspace(blasHandle, kept(workspaceBytes), workspaceBytes);
      scalars = kept(SCALARS);
      long sumBytes = kernels.training().squaredNormWorkspaceBytes(1);
      sumWorkspace = kept(sumBytes);
      driver.fill(sumWorkspace, (byte) 0, sumBytes, stream.handle());
      taken.push(this::freeScratch);
      description =
          "%s, %s, %s, %s"
              .formatted(
                  context.description(),
                  dnn.description(),
                  blas.description(),
                  options.precision().id());
    } catch (Throwable e) {
      taken.giveBack(e);
      throw e;
    }
  }

  private long kept(long numBytes) {
    long pointer = allocate(numBytes);
    taken.push(() -> free(pointer));
    return pointer;
  }

  /** The device and the libraries, with versions, one line for people. */
  String description() {
    return description;
  }

  /** What the speed of a convolution depends on: the device's name and cuDNN's version. */
  String name() {
    return driver.deviceName(options.device()) + ", " + dnn.description();
  }

  /** The driver, ready to be called by this thread. */
  CudaDriver driver() {
    use();
    return driver;
  }

  /** The one stream. */
  CudaStream queue() {
    use();
    return stream;
  }

  /** Waits until what is under way has ended, be it because the device was lost. */
  void settle() {
    use();
    try {
      stream.synchronize();
    } catch (CudaException e) {
      if (!e.isLost()) {
        throw e;
      }
    }
  }

  /** Waits for an event, on a thread that does nothing else here. */
  void awaitElsewhere(long event) {
    context.use();
    driver.await(event);
  }

  /** Makes the device the calling thread's; refuses if this is closed. */
  private long use() {
    if (closed) {
      throw new IllegalStateException("the backend is closed");
    }
    if (user != Thread.currentThread()) {
      context.use();
      user = Thread.currentThread();
    }
    return stream.handle();
  }

  /** The stream as kernels take it. */
  MemorySegment stream() {
    return MemorySegment.ofAddress(use());
  }

  /** Keeps what must be closed before the device is. */
  void register(AutoCloseable resource) {
    use();
    resources.add(resource);
  }

  void unregister(AutoCloseable resource) {
    resources.remove(resource);
  }

  /** {@link dev.rais.backend.Backend#savepoint}. */
  Consumer<Throwable> savepoint() {
    Set<AutoCloseable> before = Set.copyOf(resources);
    return failure -> closeAllBut(before, failure);
  }

  /** Allocates memory, which is not cleared. */
  long allocate(long numBytes) {
    long s = use();
    try {
      return pooled ? driver.allocateOn(numBytes, s) : driver.allocate(numBytes);
    } catch (CudaException e) {
      if (e.code() != OUT_OF_MEMORY) {
        throw e;
      }
      CudaDriver.MemoryInfo memory = driver.memory();
      throw new CudaException(
          OUT_OF_MEMORY,
          "the GPU's memory is used up: %s were asked for, and %s of %s are free"
              .formatted(text(numBytes), text(availableMemory()), text(memory.total())));
    }
  }

  /** Allocates host memory that the device can reach; {@link #freeHost} frees it. */
  MemorySegment allocateHost(long numBytes) {
    use();
    try {
      return driver.allocateHost(numBytes);
    } catch (CudaException e) {
      if (e.code() != OUT_OF_MEMORY) {
        throw e;
      }
      throw new CudaException(
          OUT_OF_MEMORY,
          "the host memory that the GPU can reach is used up: %s were asked for; raise the limit"
                  .formatted(text(numBytes))
              + " of locked memory (ulimit -l) or the container's of memory");
    }
  }

  /** Frees such memory once nothing that is under way can read it. */
  void freeHost(MemorySegment memory) {
    settle();
    driver.freeHost(memory);
  }

  /** Makes events, and notes how to give each back. */
  void createEvents(long[] events, Taken taken) {
    use();
    for (int i = 0; i < events.length; i++) {
      long event = driver.createEvent();
      taken.push(() -> driver.destroyEvent(event));
      events[i] = event;
    }
  }

  private static String text(long numBytes) {
    return numBytes < 1 << 20
        ? numBytes + " bytes"
        : String.format(java.util.Locale.ROOT, "%.1f MiB", numBytes / (double) (1 << 20));
  }

  /** Frees memory once the work put on the stream until now is done. */
  void free(long pointer) {
    long s = use();
    if (pooled) {
      driver.freeOn(pointer, s);
    } else {
      driver.free(pointer);
    }
  }

  /** Bytes that can be allocated. */
  long availableMemory() {
    use();
    return driver.memory().free() + (pooled ? driver.unusedInPool(options.device()) : 0);
  }

  void zero(long pointer, long numBytes) {
    driver.fill(pointer, (byte) 0, numBytes, use());
  }

  void copy(long to, long from, long numBytes) {
    driver.copy(to, from, numBytes, use());
  }

  void upload(MemorySegment source, long pointer) {
    use();
    staging.upload(source, pointer);
  }

  /** Waits for the device. */
  void download(long pointer, MemorySegment target) {
    use();
    staging.download(pointer, target);
  }

  /**
   * Memory for one operation, aligned to 256: the next one uses it too, which is why there is one
   * stream.
   */
  long scratch(long numBytes) {
    if (numBytes > scratchBytes) {
      freeScratch();
      scratchMoves++;
      scratch = allocate(numBytes);
      scratchBytes = numBytes;
    }
    return scratch;
  }

  /** How often scratch memory has moved: what was recorded before uses the old place. */
  int scratchMoves() {
    return scratchMoves;
  }

  /** By how much it may still grow. */
  long scratchToCome() {
    return Math.max(0, options.workspaceBytes() - scratchBytes);
  }

  private void freeScratch() {
    if (scratchBytes > 0) {
      scratchBytes = 0;
      free(scratch);
    }
  }

  /** Workspace of sums, which leave it as they find it. */
  MemorySegment sumWorkspace() {
    return MemorySegment.ofAddress(sumWorkspace);
  }

  /**
   * A learning rate where kernels find it: put there by the stream, so that nothing is waited for.
   */
  MemorySegment rate(float rate) {
    driver.fillInts(scalars + RATE, Float.floatToRawIntBits(rate), 1, use());
    return MemorySegment.ofAddress(scalars + RATE);
  }

  /**
   * Does work whose operations take the number of the iteration from the device, whatever number
   * they are given.
   */
  void countingBy(MemorySegment iteration, Runnable work) {
    counter = iteration;
    try {
      work.run();
    } finally {
      counter = null;
    }
  }

  /** The number of an iteration where kernels find it. */
  MemorySegment iteration(long iteration) {
    if (counter != null) {
      return counter;
    }
    long s = use();
    driver.fillInts(scalars + ITERATION, (int) iteration, 1, s);
    driver.fillInts(scalars + ITERATION + Integer.BYTES, (int) (iteration >>> 32), 1, s);
    return MemorySegment.ofAddress(scalars + ITERATION);
  }

  /** Where a kernel leaves a double for {@link #result}. */
  MemorySegment resultPlace() {
    return MemorySegment.ofAddress(scalars + RESULT);
  }

  /** What a kernel left there; waits for the device. */
  double result() {
    double[] value = new double[1];
    download(scalars + RESULT, MemorySegment.ofArray(value));
    return value[0];
  }

  /** cuDNN, ready to be called by this thread. */
  Dnn dnn() {
    use();
    return dnn;
  }

  long dnnHandle() {
    return dnnHandle;
  }

  /** What products of activations and weights consist of. */
  Blas.Product product() {
    return switch (options.precision()) {
      case FP32 -> Blas.Product.FLOAT32;
      case TF32 -> Blas.Product.TF32;
      case BF16 -> Blas.Product.BFLOAT16;
    };
  }

  /** The same of gradients of weights, which are floats. */
  Blas.Product productToFloats() {
    return options.precision() == Precision.BF16 ? Blas.Product.BFLOAT16_TO_FLOAT32 : product();
  }

  /** {@link Blas#gemm}. */
  void gemm(
      Blas.Product product,
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      long a,
      int lda,
      long b,
      int ldb,
      long c,
      int ldc) {
    use();
    blas.gemm(blasHandle, transposeA, transposeB, m, n, k, a, lda, b, ldb, c, ldc, product);
  }

  /** Type of activations, of their gradients and of what they are multiplied by. */
  DType activations() {
    return options.precision().activations();
  }

  /** The same as cuDNN is told. */
  Scalar scalar() {
    return activations() == DType.BFLOAT16 ? Scalar.BFLOAT16 : Scalar.FLOAT32;
  }

  /** The same as kernels know it. */
  int activationsCode() {
    return activations() == DType.BFLOAT16 ? Kernels.BFLOAT16 : Kernels.FLOAT32;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    use();
    RuntimeException failure = new IllegalStateException("closing a device");
    closeAllBut(Set.of(), failure);
    taken.giveBack(failure);
    closed = true;
    // A device that was lost fails here once more; what matters was thrown then.
  }

  private void closeAllBut(Set<AutoCloseable> kept, Throwable failure) {
    for (AutoCloseable resource : List.copyOf(resources).reversed()) {
      try {
        if (!kept.contains(resource)) {
          resource.close();
        }
      } catch (Exception e) {
        failure.addSuppressed(e);
      }
    }
  }
}
