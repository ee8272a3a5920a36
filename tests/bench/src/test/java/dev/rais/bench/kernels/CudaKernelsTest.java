package dev.rais.bench.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The benchmarks of CUDA kernels, with the kernels on the CPU. */
class CudaKernelsTest {
  private Path library;

  @BeforeEach
  void theKernelsAreBuiltForTheHost() {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.isExecutable(root.resolve("native-build/build"))) {
      root = root.getParent();
    }
    library = root.resolve("native-build/out/host/librais_kernels_host.so");
    assumeTrue(Files.exists(library), () -> library + " is missing: native-build/build host");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"lossLayer10", "lossLayer1000", "sgd", "gather", "relu", "rowNorms", "sumTree"})
  void agreesWithTheReferenceAndRuns(String name) {
    try (Kernel kernel = CudaKernels.of(name, new HostMachine(library), new Sizes(true))) {
      kernel.check();
      kernel.run();
      kernel.copy();
      assertTrue(kernel.copyBytes() > 0);
      assertEquals(name.equals("sumTree"), kernel.bytes() == 0);
    }
  }
}
