package dev.rais.backend.cuda.panama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.kernels.NativeBuild;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The driver's binding without a driver: types by the toolkit's header, and a library of stubs. */
class PanamaDriverTest {
  @TempDir Path folder;

  private static String refusal(Path file) {
    return assertThrows(CudaUnavailableException.class, () -> PanamaDriver.open(file.toString()))
        .getMessage();
  }

  private Path library(String name, String code) throws Exception {
    String missing = NativeBuild.missing("host");
    Requirements.need("host-kernels", missing.isEmpty(), missing);
    Path source = Files.writeString(folder.resolve(name + ".cpp"), code);
    Path library = folder.resolve(name + ".so");
    NativeBuild.run("c++", "-shared", "-fPIC", "-o", library.toString(), source.toString());
    return library;
  }

  /** With all functions, each of which returns a number. */
  private Path stubs(String name, int result) throws Exception {
    StringBuilder code = new StringBuilder("extern \"C\" {\n");
    for (Bound.Symbol symbol : PanamaDriver.FUNCTIONS) {
      code.append("int %s() { return %d; }\n".formatted(symbol.name(), result));
    }
    return library(name, code.append("}").toString());
  }

  @Test
  void functionsAreTheHeaders() throws Exception {
    Path toolkit = Path.of(System.getenv().getOrDefault("CUDA_HOME", "/usr/local/cuda"));
    ToolkitHeaders.beside(toolkit.resolve("lib64/none.so"), "cuda-toolkit", "cuda.h")
        .declareWithMacros(PanamaDriver.FUNCTIONS, "CUDAAPI");
  }

  @Test
  void aDriverThatDoesNotStartSaysSo() throws Exception {
    assertEquals(
        "the CUDA driver is installed, but does not start: CUDA error 34",
        refusal(stubs("stub", 34)));
  }

  @Test
  void aDriverThatLacksAFunctionIsToBeUpdated() throws Exception {
    String message = refusal(library("old", "extern \"C\" int cuInit(int) { return 0; }"));
    assertTrue(message.startsWith("the CUDA driver has no cu"), message);
    assertTrue(message.contains("update it"), message);
  }

  @Test
  void aFileThatIsNotThereIsNamed() {
    String message = refusal(Path.of("/does/not/exist.so"));
    assertTrue(message.contains("/does/not/exist.so, does not exist"), message);
  }

  @Test
  void withoutADriverThatIsWhatIsSaid() {
    CudaUnavailableException e;
    try {
      PanamaDriver.open();
      return; // there is one, and it starts
    } catch (CudaUnavailableException thrown) {
      e = thrown;
    }
    assertEquals(e.getMessage().startsWith("there is no CUDA driver: "), e.isNoDriver());
  }
}
