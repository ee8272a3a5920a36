package dev.rais.train;

import dev.rais.Requirements;
import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Placement;
import dev.rais.backend.cuda.CudaOptions;

/** Steps on a GPU. */
class CudaDeviceStepsTest extends DeviceStepsSuite {
  private static final String IMAGES = CudaOptions.IMAGES;

  @Override
  Backend create(Placement images) {
    String before = System.getProperty(IMAGES);
    System.setProperty(IMAGES, images.name());
    try {
      return Backends.open("cuda", 1, warning -> {});
    } catch (IllegalStateException e) {
      Requirements.need("cuda", false, e.getMessage());
      throw e; // never: the line above ends the test
    } finally {
      if (before == null) {
        System.clearProperty(IMAGES);
      } else {
        System.setProperty(IMAGES, before);
      }
    }
  }
}
