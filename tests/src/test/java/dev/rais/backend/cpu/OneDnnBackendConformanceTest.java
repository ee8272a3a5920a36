package dev.rais.backend.cpu;

import dev.rais.backend.Backend;
import dev.rais.backend.BackendConformance;

/** The oneDNN backend against the reference. */
class OneDnnBackendConformanceTest extends BackendConformance {
  @Override
  protected Backend create() {
    return OneDnnBackend.open(2, null);
  }
}
