package dev.rais.backend.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.backend.cuda.panama.BoundFunctions;
import dev.rais.backend.cuda.panama.PanamaBlas;
import dev.rais.kernels.NativeBuild;
import java.net.JarURLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The library that forwards from cuBLAS 12's name to cuBLAS 13. */
class ForwardingTest {
  @TempDir Path folder;

  /** JCublas's natives' jar. */
  private static Path jar() throws Exception {
    JCudaCallsTest.needNatives(JCudaLibrary.BLAS);
    var url = ForwardingTest.class.getResource("/lib/" + JCudaLibrary.BLAS.fileName());
    return Path.of(((JarURLConnection) url.openConnection()).getJarFileURL().toURI());
  }

  private Path library() throws Exception {
    String missing = NativeBuild.missing("host");
    Requirements.need("host-kernels", missing.isEmpty(), missing);
    NativeBuild.run("native-build/cublas12-on-13", jar().toString(), folder.toString());
    return folder.resolve("libcublas.so.12");
  }

  private static TreeSet<String> symbols(Path library, String kind) throws Exception {
    TreeSet<String> names = new TreeSet<>();
    for (String line : NativeBuild.run("nm", "-D", kind, library.toString()).split("\n")) {
      String name = line.replaceFirst(".* ", "").strip();
      if (name.startsWith("cublas") && name.contains("@")) {
        names.add(name.replace("@@", "@"));
      }
    }
    return names;
  }

  @Test
  void everyImportedFunctionIsThereInItsVersion() throws Exception {
    Path natives = folder.resolve("natives.so");
    try (var in =
        ForwardingTest.class.getResourceAsStream("/lib/" + JCudaLibrary.BLAS.fileName())) {
      JCudaCallsTest.needNatives(JCudaLibrary.BLAS);
      Files.copy(in, natives);
    }
    TreeSet<String> imported = symbols(natives, "--undefined-only");
    assertTrue(imported.size() > 400, imported.size() + " functions");
    BoundFunctions.ofBlas()
        .keySet()
        .forEach(name -> assertTrue(imported.contains(name + "@libcublas.so.12"), name));
    assertEquals(imported, symbols(library(), "--defined-only"));
  }

  @Test
  void jcublasLoadsWithIt() throws Exception {
    try {
      LibrarySearch.ofThisMachine().load("cuBLAS 13", List.of("libcublas.so.13"), "");
    } catch (CudaUnavailableException e) {
      Requirements.need("cublas", false, e.getMessage());
    }
    PanamaBlas expected = PanamaBlas.open(13_000);
    Path library = library();
    Path output = folder.resolve("output.txt");
    Process probe =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Drais.cuda.path=" + System.getProperty("rais.cuda.path", ""),
                "-cp",
                System.getProperty("java.class.path"),
                ForwardingProbe.class.getName(),
                library.toString())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    int code = probe.waitFor();
    List<String> lines = Files.readAllLines(output);
    assertEquals(0, code, lines.toString());
    assertEquals(expected.description() + " through " + library, lines.get(0));
    assertEquals(expected.cudaVersion() + "", lines.get(1));
    assertTrue(lines.get(2).matches("a handle was made|cublasCreate_v2: CUBLAS_.*"), lines.get(2));
  }

  @Test
  void withoutCublas12ItIsTold() {
    var e =
        assertThrows(
            CudaUnavailableException.class,
            () -> JCudaBlas.open(new LibrarySearch(List.of(), false), null, Streams.NONE));
    assertTrue(e.getMessage().startsWith("cuBLAS could not be loaded: libcublas.so.12 is needed"));
    assertTrue(e.getMessage().contains("pip install nvidia-cublas-cu12"), e.getMessage());
    assertTrue(e.getMessage().contains("native-build/build cublas12-on-13"), e.getMessage());
  }

  @Test
  void aWrongFileIsTold() throws Exception {
    Path text = Files.writeString(folder.resolve("a.jar"), "no jar", StandardCharsets.UTF_8);
    String missing = NativeBuild.missing("host");
    Requirements.need("host-kernels", missing.isEmpty(), missing);
    var e =
        assertThrows(
            AssertionError.class,
            () ->
                NativeBuild.run("native-build/cublas12-on-13", text.toString(), folder.toString()));
    assertTrue(e.getMessage().contains("has no lib/libJCublas2-*.so in it"), e.getMessage());
  }
}
