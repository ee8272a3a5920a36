package dev.rais.backend.cuda.jcuda;

import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import dev.rais.backend.cuda.CudaBackends;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;

/** Memory of a GPU as JCuda and as RAIS have it, without a copy, whatever binding RAIS uses. */
public final class JCudaBuffers {
  private JCudaBuffers() {}

  /**
   * Memory that JCuda has allocated, as a buffer; {@link CudaBackends#wrap} has the conditions.
   *
   * @param pointer a Pointer that cudaMalloc filled, or a CUdeviceptr
   * @throws IllegalArgumentException also if it is null or points to Java's memory
   */
  public static Buffer wrap(Backend backend, Pointer pointer, DType type, long count) {
    return CudaBackends.wrap(backend, JCudaPointers.address(pointer), type, count);
  }

  /** Where a buffer lies, for JCuda's calls; valid while the buffer is open. */
  public static CUdeviceptr pointer(Buffer buffer) {
    return JCudaPointers.devicePointer(CudaBackends.address(buffer));
  }
}
