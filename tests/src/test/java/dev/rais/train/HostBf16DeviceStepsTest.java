package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Placement;
import dev.rais.backend.Precision;
import dev.rais.backend.cuda.HostCuda;

/** The same in bfloat16: what the sampler is told is of 8 bits, but of the same ones either way. */
class HostBf16DeviceStepsTest extends DeviceStepsSuite {
  @Override
  Backend create(Placement images) {
    return HostCuda.newBackend(Precision.BF16, images);
  }
}
