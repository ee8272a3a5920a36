package dev.rais.kernels;

import dev.rais.Requirements;

/** The suite on the CPU: needs a C++ compiler and CMake. */
class HostKernelSuiteTest extends KernelSuite {
  @Override
  Machine create() throws Exception {
    String missing = NativeBuild.missing("host");
    Requirements.need("host-kernels", missing.isEmpty(), missing);
    return new HostMachine(NativeBuild.hostLibrary());
  }
}
