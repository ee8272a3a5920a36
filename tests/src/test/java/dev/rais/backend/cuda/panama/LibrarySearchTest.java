package dev.rais.backend.cuda.panama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.backend.cuda.LibrarySearch;
import dev.rais.kernels.NativeBuild;
import dev.rais.natives.Functions;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where cuBLAS and cuDNN are looked for, and what is said of one that cannot be used. */
class LibrarySearchTest {
  @TempDir Path folder;

  @BeforeEach
  void needsACompiler() throws Exception {
    String missing = NativeBuild.missing("host");
    Requirements.need("host-kernels", missing.isEmpty(), missing);
  }

  private Path library(Path file, String code, String... options) throws Exception {
    Files.createDirectories(file.getParent());
    Path source = Files.writeString(folder.resolve("source.cpp"), code);
    String[] command = new String[5 + options.length];
    System.arraycopy(
        new String[] {"c++", "-shared", "-fPIC", "-o", file.toString()}, 0, command, 0, 5);
    System.arraycopy(options, 0, command, 5, options.length);
    String[] all = java.util.Arrays.copyOf(command, command.length + 1);
    all[command.length] = source.toString();
    NativeBuild.run(all);
    return file;
  }

  /** A library that says who it is. */
  private Path numbered(Path file, int number) throws Exception {
    return library(file, "extern \"C\" long cudnnGetVersion() { return " + number + "; }");
  }

  private LibrarySearch search(String property, Map<String, String> environment) {
    return new LibrarySearch(
        LibrarySearch.places(property, environment).stream()
            .filter(p -> !p.name().matches("/usr/.*|the system.*|Python packages"))
            .toList(),
        false);
  }

  private static Path found(LibrarySearch search) {
    return search.load("cuDNN", List.of("libcudnn.so.9"), "Install it.").file();
  }

  private static String refusal(LibrarySearch search) {
    return assertThrows(CudaUnavailableException.class, () -> found(search)).getMessage();
  }

  private static void contains(String message, String... parts) {
    for (String part : parts) {
      assertTrue(message.contains(part), "'" + part + "' is not in: " + message);
    }
  }

  @Test
  void itLiesInTheLayoutsOfToolkitsAndPythonPackages() throws Exception {
    int i = 0;
    for (String below :
        List.of(
            "",
            "lib64",
            "targets/x86_64-linux/lib",
            "cudnn/lib",
            "nvidia/cudnn/lib",
            "lib/python3.11/site-packages/nvidia/cudnn/lib")) {
      Path base = folder.resolve("layout" + i++);
      Path file = numbered(base.resolve(below).resolve("libcudnn.so.9"), 90000 + i);
      assertEquals(file, found(search(base.toString(), Map.of())), below);
      assertEquals(file, found(search(null, Map.of("RAIS_CUDA_PATH", base.toString()))), below);
      assertEquals(file, found(search(null, Map.of("CUDA_HOME", base.toString()))), below);
    }
  }

  @Test
  void thePropertyComesBeforeTheVariableAndTheToolkit() throws Exception {
    Path first = numbered(folder.resolve("first/libcudnn.so.9"), 1);
    Path second = numbered(folder.resolve("second/libcudnn.so.9"), 2);
    Path third = numbered(folder.resolve("third/lib64/libcudnn.so.9"), 3);
    Map<String, String> both =
        Map.of(
            "RAIS_CUDA_PATH", second.getParent().toString(),
            "CUDA_HOME", folder.resolve("third").toString());
    assertEquals(first, found(search(first.getParent().toString(), both)));
    assertEquals(second, found(search(null, both)));
    assertEquals(third, found(search(null, Map.of("CUDA_HOME", both.get("CUDA_HOME")))));
  }

  @Test
  void severalFoldersCanBeListed() throws Exception {
    Path file = numbered(folder.resolve("b/lib/libcudnn.so.9"), 4);
    assertEquals(file, found(search(folder.resolve("a") + ":" + folder.resolve("b"), Map.of())));
    assertEquals(file, found(search(null, Map.of("LD_LIBRARY_PATH", "/none:" + file.getParent()))));
  }

  @Test
  void theFirstFileNameIsPreferredWithinAFolder() throws Exception {
    Path older = numbered(folder.resolve("lib/libcublas.so.12"), 12);
    Path newer = numbered(folder.resolve("lib/libcublas.so.13"), 13);
    LibrarySearch search = search(folder.toString(), Map.of());
    assertEquals(
        newer,
        search.load("cuBLAS", List.of("libcublas.so.13", "libcublas.so.12"), "Install it.").file());
    assertEquals(older, search.load("cuBLAS", List.of("libcublas.so.12"), "Install it.").file());
  }

  /** Where the loader would look, there is another one, or as here none. */
  @Test
  void cublasGetsTheOtherHalfThatLiesBesideIt() throws Throwable {
    library(
        folder.resolve("libcublasLt.so.99"),
        "extern \"C\" int half() { return 7; }",
        "-Wl,-soname,libcublasLt.so.99");
    library(
        folder.resolve("libcublas.so.99"),
        "extern \"C\" int half(); extern \"C\" int whole() { return 2 * half(); }",
        "-Wl,--no-as-needed",
        "-L" + folder,
        "-l:libcublasLt.so.99");
    LibrarySearch.Library found =
        search(folder.toString(), Map.of())
            .load("cuBLAS", List.of("libcublas.so.99"), "Install it.");
    MethodHandle whole =
        new Functions(found.symbols(), IllegalStateException::new).bind("whole", "i()");
    assertEquals(14, (int) whole.invoke());
  }

  @Test
  void everyPlaceIsListedWithWhatWasWrongThere() throws Exception {
    Files.createDirectories(folder.resolve("empty"));
    Path text = Files.writeString(folder.resolve("libcudnn.so.9"), "text");
    String message =
        refusal(search(folder.resolve("empty").toString(), Map.of("CUDA_HOME", folder.toString())));
    contains(
        message,
        "cuDNN could not be loaded: libcudnn.so.9 is needed.",
        "system property rais.cuda.path: not in " + folder.resolve("empty"),
        "not set, or no such folder: environment variable RAIS_CUDA_PATH, ",
        "CUDA_HOME: " + text + ": it is no 64-bit ELF library",
        "Install it.");
  }

  @Test
  void anotherVersionIsTold() throws Exception {
    Path other = numbered(folder.resolve("libcudnn.so.8"), 8);
    contains(refusal(search(folder.toString(), Map.of())), other + ": not this one");
  }

  @Test
  void aMissingDependencyIsNamed() throws Exception {
    Path lower =
        library(
            folder.resolve("lower/liblower_of_rais.so.1"),
            "extern \"C\" int lower() { return 1; }",
            "-Wl,-soname,liblower_of_rais.so.1");
    Path upper =
        library(
            folder.resolve("libcudnn.so.9"),
            "extern \"C\" int lower(); extern \"C\" int upper() { return lower(); }",
            "-Wl,--no-as-needed",
            lower.toString());
    Files.delete(lower);
    contains(
        refusal(search(folder.toString(), Map.of())),
        upper + ": the system refused to load it",
        "liblower_of_rais.so.1");
  }

  @Test
  void foldersRelativeToTheWorkingDirectoryDoNotCount() {
    assertEquals(List.of(), LibrarySearch.places("lib:.:..", Map.of()).getFirst().folders());
  }

  @Test
  void anotherLibraryIsRefused() throws Exception {
    numbered(folder.resolve("libcudnn.so.9"), 90000);
    String message =
        assertThrows(
                CudaUnavailableException.class,
                () -> PanamaDnn.open(search(folder.toString(), Map.of())))
            .getMessage();
    contains(message, "libcudnn.so.9 has no cudnn", "cuDNN 9 is needed");
  }

  /** Its functions may be there; what counts is what it says. */
  @Test
  void anotherMajorVersionIsRefusedWhateverItsFileIsCalled() throws Exception {
    StringBuilder code =
        new StringBuilder("extern \"C\" {\nlong cudnnGetVersion() { return 8907; }\n");
    for (Bound.Symbol symbol : PanamaDnn.FUNCTIONS.subList(1, PanamaDnn.FUNCTIONS.size())) {
      code.append("int ").append(symbol.name()).append("() { return 0; }\n");
    }
    library(folder.resolve("libcudnn.so.9"), code.append("}").toString());
    String message =
        assertThrows(
                CudaUnavailableException.class,
                () -> PanamaDnn.open(search(folder.toString(), Map.of())))
            .getMessage();
    contains(message, "libcudnn.so.9 is cuDNN 8.9.7; cuDNN 9 is needed");
  }

  @Test
  void aLibraryForANewerDriverIsNotTaken() throws Exception {
    Path newer = numbered(folder.resolve("libcublas.so.13"), 13);
    String message =
        assertThrows(
                CudaUnavailableException.class,
                () -> PanamaBlas.open(search(folder.toString(), Map.of()), 12_040))
            .getMessage();
    contains(message, newer + ": not this one", "pip install nvidia-cublas-cu12");
  }
}
