package dev.rais.backend.cuda;

import dev.rais.Requirements;
import dev.rais.backend.Backend;
import dev.rais.backend.BackendConformance;

/** The CUDA backend under the conformance suite, on a GPU, by way of JCuda. */
class JCudaConformanceTest extends BackendConformance {
  @Override
  protected Backend create() {
    try {
      return CudaBackends.open(null, "jcuda");
    } catch (CudaUnavailableException | KernelsUnavailableException e) {
      Requirements.need("cuda", false, CudaBackends.oneLine(e));
      throw e; // never: the line above ends the test
    }
  }

  @Override
  protected boolean sumsMomentsInFloat() {
    return true;
  }
}
