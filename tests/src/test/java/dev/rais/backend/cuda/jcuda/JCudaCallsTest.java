package dev.rais.backend.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import dev.rais.backend.cuda.panama.FakeLibraries;
import dev.rais.kernels.NativeBuild;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Both bindings make the same calls with the same arguments, through JCuda's real JNI libraries, of
 * a driver, cuBLAS and cuDNN that write them down. Needs JCuda's natives: {@code
 * -Drais.jcuda.natives}.
 */
class JCudaCallsTest {
  @TempDir Path folder;

  static void needNatives(JCudaLibrary library) {
    Requirements.need(
        "jcuda-natives",
        JCudaCallsTest.class.getResource("/lib/" + library.fileName()) != null,
        library.fileName() + " is not on the class path; -Drais.jcuda.natives adds it");
  }

  private record Run(List<String> calls, String output) {}

  private Run run(String binding) throws Exception {
    Path calls = folder.resolve(binding + ".calls");
    Path output = folder.resolve(binding + ".txt");
    var builder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Drais.cuda.driver=" + folder.resolve("libcuda.so.1"),
                "-Drais.cuda.path=" + folder,
                "-cp",
                System.getProperty("java.class.path"),
                BindingProbe.class.getName(),
                binding)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().put("RAIS_CALLS", calls.toString());
    builder.environment().put("XDG_CACHE_HOME", folder.resolve("cache").toString());
    int code = builder.start().waitFor();
    String text = Files.readString(output);
    assertEquals(0, code, text);
    return new Run(Files.readAllLines(calls), text);
  }

  @Test
  void bothBindingsMakeTheSameCalls() throws Exception {
    needNatives(JCudaLibrary.DRIVER);
    String missing = NativeBuild.missing("host");
    Requirements.need("host-kernels", missing.isEmpty(), missing);
    FakeLibraries.build(folder);
    Run panama = run("panama");
    Run jcuda = run("jcuda");
    assertEquals(
        panama.calls().stream().map(JCudaCallsTest::asJCudaDoesIt).filter(c -> c != null).toList(),
        jcuda.calls().stream().filter(c -> !c.matches("cublas[GS]etMathMode .*")).toList());
    // Sums are float's from the beginning. TF32 is allowed for the first product and the last.
    assertEquals(List.of("16"), mathModes(panama));
    assertEquals(List.of("16", "19", "16", "19"), mathModes(jcuda));
    // JCudnn hands on the math type of a search's results for weights only.
    String known = "mathType=3";
    String unknown = "mathType=-1";
    assertEquals(
        panama.output().replaceFirst(known, unknown).replaceFirst(known, unknown), jcuda.output());
    Set<String> called =
        panama.calls().stream()
            .map(c -> c.replaceFirst(" .*", ""))
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> never = new TreeSet<>(JCudaSignaturesTest.all());
    never.removeAll(called);
    assertEquals(
        Set.of(
            "cuDeviceGetDefaultMemPool",
            "cuMemPoolSetAttribute",
            "cuMemPoolGetAttribute",
            "cudnnGetConvolution2dForwardOutputDim"),
        never);
    assertUnpackedPrivately();
  }

  private static List<String> mathModes(Run run) {
    return run.calls().stream()
        .filter(c -> c.startsWith("cublasSetMathMode"))
        .map(c -> c.replaceFirst(".* ", ""))
        .toList();
  }

  /**
   * What a call of Panama's is with JCuda, null if it is none: cuDNN's longer text is not to be
   * had, and TF32 is a mode of the handle's instead of a type to compute in.
   */
  private static String asJCudaDoesIt(String call) {
    if (call.startsWith("cudnnGetLastErrorString") || call.startsWith("cublasSetMathMode")) {
      return null;
    }
    return call.startsWith("cublasGemmEx") ? call.replace(" 77 -1", " 68 -1") : call;
  }

  /** JCuda's libraries lie in the user's cache, and for nobody else. */
  private void assertUnpackedPrivately() throws Exception {
    Path unpacked = folder.resolve("cache/rais/native/jcuda-" + JCudaLibrary.VERSION);
    for (var library : List.of(JCudaLibrary.DRIVER, JCudaLibrary.BLAS, JCudaLibrary.DNN)) {
      assertTrue(Files.isRegularFile(unpacked.resolve(library.fileName())), library.fileName());
    }
    assertEquals(
        "rwx------",
        java.nio.file.attribute.PosixFilePermissions.toString(
            Files.getPosixFilePermissions(unpacked)));
  }
}
