package dev.rais.backend.cuda;

import dev.rais.backend.Backend;
import dev.rais.backend.BackendConformance;
import org.junit.jupiter.api.Nested;

/** The CUDA backend under the conformance suite, on a GPU, by way of JCuda. */
class JCudaConformanceTest extends BackendConformance {
  @Override
  protected Backend create() {
    return CudaConformanceTest.open(null, "jcuda");
  }

  @Override
  protected boolean sumsMomentsInFloat() {
    return true;
  }

  /** The same with activations of 8 bits. */
  @Nested
  class Bf16 extends BackendConformance {
    @Override
    protected Backend create() {
      return CudaConformanceTest.open("bf16", "jcuda");
    }

    @Override
    protected boolean sumsMomentsInFloat() {
      return true;
    }
  }
}
