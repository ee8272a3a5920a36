package dev.rais.train;

import dev.rais.Requirements;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;

/** Steps on a GPU. */
class CudaDeviceStepsTest extends DeviceStepsSuite {
  @Override
  Backend create() {
    try {
      return Backends.open("cuda", 1, warning -> {});
    } catch (IllegalStateException e) {
      Requirements.need("cuda", false, e.getMessage());
      throw e; // never: the line above ends the test
    }
  }
}
