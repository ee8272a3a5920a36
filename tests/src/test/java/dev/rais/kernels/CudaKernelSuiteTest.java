package dev.rais.kernels;

import dev.rais.Requirements;
import dev.rais.backend.cuda.CudaContext;
import dev.rais.backend.cuda.CudaException;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.KernelLibrary;
import dev.rais.backend.cuda.Kernels;
import dev.rais.backend.cuda.KernelsUnavailableException;
import dev.rais.backend.cuda.panama.PanamaDriver;

/**
 * The suite on a GPU, each launch also captured into a CUDA graph. Where there is one:
 *
 * <pre>
 *   native-build/build cuda
 *   mvn -pl java,tests -am test -Dtest=CudaKernelSuiteTest -Drais.test.require=cuda \
 *     -Dsurefire.failIfNoSpecifiedTests=false
 * </pre>
 */
class CudaKernelSuiteTest extends KernelSuite {
  @Override
  Machine create() {
    CudaContext context = null;
    try {
      context = CudaContext.open(PanamaDriver.open(), 0);
      Kernels kernels = KernelLibrary.load();
      return new CudaMachine(context, kernels);
    } catch (CudaUnavailableException | CudaException | KernelsUnavailableException e) {
      if (context != null) {
        context.close();
      }
      Requirements.need("cuda", false, e.getMessage());
      throw e;
    }
  }
}
