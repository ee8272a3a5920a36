package dev.rais.backend.cuda;

import dev.rais.Requirements;
import dev.rais.backend.Backend;
import dev.rais.backend.BackendConformance;
import org.junit.jupiter.api.Nested;

/** The CUDA backend under the conformance suite, on a GPU. */
class CudaConformanceTest extends BackendConformance {
  /** Opens a backend on this machine's GPU, or ends the test where there is none. */
  static Backend open(String precision, String binding) {
    try {
      return CudaBackends.open(precision, binding);
    } catch (CudaUnavailableException | KernelsUnavailableException e) {
      Requirements.need("cuda", false, CudaBackends.oneLine(e));
      throw e; // never: the line above ends the test
    }
  }

  @Override
  protected Backend create() {
    return open(null, null);
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
      return open("bf16", null);
    }

    @Override
    protected boolean sumsMomentsInFloat() {
      return true;
    }
  }
}
