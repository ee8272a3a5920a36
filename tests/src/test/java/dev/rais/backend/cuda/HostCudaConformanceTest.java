package dev.rais.backend.cuda;

import dev.rais.backend.Backend;
import dev.rais.backend.BackendConformance;
import dev.rais.backend.Precision;
import org.junit.jupiter.api.Nested;

/**
 * The CUDA backend under the conformance suite, on the CPU: buffers, arguments, shapes and the use
 * of kernels are what a GPU would get ({@link HostCuda}).
 */
class HostCudaConformanceTest {
  /** Whatever does not wait where it must, or writes what is still to be read, fails here. */
  @Nested
  class Late extends BackendConformance {
    @Override
    protected Backend create() {
      return HostCuda.late().backend();
    }

    @Override
    protected boolean sumsMomentsInFloat() {
      return true;
    }
  }

  /** Activations of 8 bits; what stays float is as good as before. */
  @Nested
  class Bf16 extends BackendConformance {
    @Override
    protected Backend create() {
      return HostCuda.newBackend(Precision.BF16);
    }

    @Override
    protected boolean sumsMomentsInFloat() {
      return true;
    }
  }

  @Nested
  class WithoutMemoryPools extends BackendConformance {
    @Override
    protected Backend create() {
      return HostCuda.withoutPools().backend();
    }

    @Override
    protected int oneIn() {
      return 8;
    }

    @Override
    protected boolean sumsMomentsInFloat() {
      return true;
    }
  }
}
