package dev.rais.backend.cuda;

import dev.rais.Requirements;
import dev.rais.backend.Backend;
import dev.rais.backend.Placement;
import dev.rais.backend.Precision;
import dev.rais.kernels.NativeBuild;

/**
 * The CUDA backend without CUDA: its own code, and our kernels' own sources, on the CPU, above a
 * driver, cuBLAS and cuDNN in Java. What this cannot show is how the real libraries behave.
 */
public final class HostCuda {
  private static final long MEMORY = 4L << 30;

  final HostQueue queue;
  final HostDriver driver;
  final HostBlas blas;
  final HostDnn dnn;
  private final Kernels kernels;

  private HostCuda(boolean late, boolean pooled, long numBytes) {
    queue = new HostQueue(late);
    driver = new HostDriver(queue, pooled, numBytes);
    blas = new HostBlas(queue, driver);
    dnn = new HostDnn(queue, driver);
    try {
      String missing = NativeBuild.missing("host");
      Requirements.need("host-kernels", missing.isEmpty(), missing);
      kernels = HostKernels.load(NativeBuild.hostLibrary(), queue, driver);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A device that does its work at once. */
  static HostCuda prompt() {
    return new HostCuda(false, true, MEMORY);
  }

  /** A device that does nothing before it has to. */
  static HostCuda late() {
    return new HostCuda(true, true, MEMORY);
  }

  /** A device that does its work at once, and has no memory pools. */
  static HostCuda withoutPools() {
    return new HostCuda(false, false, MEMORY);
  }

  /** A device with less memory. */
  static HostCuda ofMemory(long numBytes) {
    return new HostCuda(false, true, numBytes);
  }

  /** A backend of its own on a device that does nothing before it has to, for other packages. */
  public static Backend newBackend() {
    return late().backend();
  }

  /** The same in a precision. */
  public static Backend newBackend(Precision precision) {
    return late().backend(precision);
  }

  /** The same with images where they are wanted. */
  public static Backend newBackend(Precision precision, Placement images) {
    return late()
        .backend(
            CudaOptions.DEFAULT.withPrecision(precision.id()).withImages(images),
            AlgorithmCache.inMemory());
  }

  CudaBackend backend(Precision precision) {
    return backend(CudaOptions.DEFAULT.withPrecision(precision.id()), AlgorithmCache.inMemory());
  }

  CudaBackend backend() {
    return backend(CudaOptions.DEFAULT, AlgorithmCache.inMemory());
  }

  CudaBackend backend(CudaOptions options, AlgorithmCache algorithms) {
    return new CudaBackend(new Device.Libraries(driver, kernels, blas, dnn), options, algorithms);
  }
}
