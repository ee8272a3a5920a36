package dev.rais.train;

import dev.rais.backend.Backend;
import dev.rais.backend.Placement;
import dev.rais.backend.Precision;
import dev.rais.backend.cuda.HostCuda;

/** Steps on a device that is the host, and does nothing before it is waited for. */
class HostDeviceStepsTest extends DeviceStepsSuite {
  @Override
  Backend create(Placement images) {
    return HostCuda.newBackend(Precision.FP32, images);
  }
}
