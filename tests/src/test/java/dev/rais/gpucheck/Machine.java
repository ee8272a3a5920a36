package dev.rais.gpucheck;

import dev.rais.backend.Backends;
import dev.rais.backend.cuda.CudaBackends;

/**
 * What steps run on.
 *
 * @param noGpu why there is no GPU to use; null if there is one
 * @param device the GPU; empty if there is none
 * @param path folders with programs, as PATH has them
 */
record Machine(String noGpu, String device, String path) {
  /** This machine. */
  static Machine here() {
    Backends.Part driver =
        CudaBackends.parts().stream()
            .filter(part -> part.name().equals("driver"))
            .findFirst()
            .orElseThrow();
    String path = System.getenv().getOrDefault("PATH", "");
    return driver.available()
        ? new Machine(null, driver.details(), path)
        : new Machine(driver.details(), "", path);
  }
}
