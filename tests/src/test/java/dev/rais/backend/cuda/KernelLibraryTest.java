package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.Requirements;
import dev.rais.kernels.NativeBuild;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the kernels' library is looked for, and what is said of one that cannot be used. */
class KernelLibraryTest {
  @TempDir Path folder;

  @BeforeEach
  void needsACompiler() throws Exception {
    String missing = NativeBuild.missing("host");
    Requirements.need("host-kernels", missing.isEmpty(), missing);
  }

  private static String refusal(String property, String variable) {
    return assertThrows(
            KernelsUnavailableException.class,
            () ->
                KernelLibrary.load(
                    KernelLibrary.places(property, variable, KernelLibraryTest.class)))
        .getMessage();
  }

  private static String refusal(Path file) {
    return assertThrows(KernelsUnavailableException.class, () -> KernelLibrary.load(file))
        .getMessage();
  }

  /** A library with these functions, each of which returns a number. */
  private Path library(String name, String code) throws Exception {
    Path source = Files.writeString(folder.resolve(name + ".cpp"), code);
    Path library = folder.resolve(name + ".so");
    NativeBuild.run("c++", "-shared", "-fPIC", "-o", library.toString(), source.toString());
    return library;
  }

  private static void contains(String message, String... parts) {
    for (String part : parts) {
      assertTrue(message.contains(part), "'" + part + "' is not in: " + message);
    }
  }

  @Test
  void theLibraryIsLoadedAndTellsWhatItIs() throws Exception {
    Path file = NativeBuild.hostLibrary();
    Kernels kernels = KernelLibrary.load(file);
    assertEquals(file, kernels.library());
    contains(kernels.buildInfo(), "rais_kernels", "on the host");
  }

  @Test
  void thePropertyComesBeforeTheVariable() throws Exception {
    String file = NativeBuild.hostLibrary().toString();
    Kernels byProperty =
        KernelLibrary.load(
            KernelLibrary.places(file, "/does/not/exist.so", KernelLibraryTest.class));
    assertEquals(file, byProperty.library().toString());
    Kernels byVariable =
        KernelLibrary.load(KernelLibrary.places(null, file, KernelLibraryTest.class));
    assertEquals(file, byVariable.library().toString());
  }

  /** With nothing set and nothing built, as in a checkout that was moved here for this. */
  @Test
  void everyPlaceIsListedWithWhatWasWrongThere() {
    List<KernelLibrary.Place> places =
        KernelLibrary.places(null, " ", KernelLibraryTest.class).subList(0, 3);
    List<KernelLibrary.Place> all =
        List.of(
            places.get(0),
            places.get(1),
            places.get(2),
            new KernelLibrary.Place("checkout", false, () -> folder.resolve("none.so")));
    String message =
        assertThrows(KernelsUnavailableException.class, () -> KernelLibrary.load(all)).getMessage();
    contains(
        message,
        "system property rais.kernels.library: not set",
        "environment variable RAIS_KERNELS_LIBRARY: not set",
        "jar rais-kernels for",
        "not on the class path",
        "checkout: " + folder.resolve("none.so") + ": there is no such file",
        "native-build/build cuda");
  }

  @Test
  void aFileThatWasAskedForIsNotReplacedByAnother() {
    String message = refusal("/does/not/exist.so", null);
    contains(
        message,
        "system property rais.kernels.library: /does/not/exist.so: there is no such file",
        "nothing else was tried");
    assertTrue(!message.contains("environment"), message);
  }

  @Test
  void aPlaceThatFailsIsPassedOver() throws Exception {
    Path file = NativeBuild.hostLibrary();
    Kernels kernels =
        KernelLibrary.load(
            List.of(
                new KernelLibrary.Place("first", false, () -> folder.resolve("none.so")),
                new KernelLibrary.Place(
                    "second",
                    false,
                    () -> {
                      throw new IOException("no space left");
                    }),
                new KernelLibrary.Place("third", false, () -> file)));
    assertEquals(file, kernels.library());
  }

  @Test
  void whatIsNoLibraryIsRefused() throws Exception {
    contains(refusal(folder), "this is a folder");
    contains(refusal(Files.writeString(folder.resolve("text.so"), "text")), "no 64-bit ELF");
    contains(refusal(Files.createFile(folder.resolve("empty.so"))), "no 64-bit ELF");
  }

  /** The system's loader would end the JVM: it maps what is not there. */
  @Test
  void aCutLibraryIsRefused() throws Exception {
    byte[] whole = Files.readAllBytes(NativeBuild.hostLibrary());
    for (int percent : new int[] {1, 10, 50, 90, 99}) {
      Path cut = folder.resolve("cut" + percent + ".so");
      Files.write(cut, Arrays.copyOf(whole, (int) ((long) whole.length * percent / 100)));
      contains(refusal(cut), "it is cut or damaged");
    }
  }

  @Test
  void anotherLibraryIsRefused() throws Exception {
    contains(
        refusal(library("other", "extern \"C\" int other() { return 1; }")),
        "no library of RAIS kernels",
        "rais_abi_version");
  }

  @Test
  void anotherVersionIsRefusedWithBothAndWhatToDo() throws Exception {
    String code = "extern \"C\" int rais_abi_version() { return %d; }";
    contains(
        refusal(library("old", code.formatted(Kernels.ABI_VERSION - 1))),
        "version " + (Kernels.ABI_VERSION - 1),
        "needs version " + Kernels.ABI_VERSION,
        "build it again");
    contains(
        refusal(library("new", code.formatted(Kernels.ABI_VERSION + 1))),
        "version " + (Kernels.ABI_VERSION + 1),
        "take the RAIS that it was built with");
  }

  @Test
  void aLibraryFromOlderSourcesIsRefused() throws Exception {
    String code =
        "extern \"C\" int rais_abi_version() { return %d; }".formatted(Kernels.ABI_VERSION);
    contains(refusal(library("stale", code)), "it has no rais_build_info", "older sources");
  }

  /** Stands for RAIS's classes, beside whose jar the kernels' jar lies. */
  public static final class Origin {}

  /** A class that sees a jar with these entries. */
  private Class<?> besideJar(String name, Map<String, byte[]> entries) throws Exception {
    Path jar = folder.resolve(name + ".jar");
    String code = Origin.class.getName().replace('.', '/') + ".class";
    try (var out = new JarOutputStream(Files.newOutputStream(jar));
        var in = Origin.class.getClassLoader().getResourceAsStream(code)) {
      out.putNextEntry(new JarEntry(code));
      in.transferTo(out);
      for (var entry : entries.entrySet()) {
        out.putNextEntry(new JarEntry("META-INF/rais/test/" + entry.getKey()));
        out.write(entry.getValue());
      }
    }
    return Class.forName(
        Origin.class.getName(), true, new URLClassLoader(new URL[] {jar.toUri().toURL()}, null));
  }

  @Test
  void theJarsLibraryIsUnpackedAndChecked() throws Exception {
    byte[] library = Files.readAllBytes(NativeBuild.hostLibrary());
    String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(library));
    byte[] good = (digest + "  librais_kernels.so\n").getBytes(StandardCharsets.US_ASCII);
    byte[] bad = "0".repeat(64).getBytes(StandardCharsets.US_ASCII);
    String so = "librais_kernels.so";
    String sha = so + ".sha256";
    Path file =
        KernelLibrary.fromJar(besideJar("good", Map.of(so, library, sha, good)), "test", folder);
    assertEquals(folder.resolve(so), file);
    assertEquals(file, KernelLibrary.load(file).library());
    Class<?> damaged = besideJar("damaged", Map.of(so, library, sha, bad));
    var e = assertThrows(IOException.class, () -> KernelLibrary.fromJar(damaged, "test", folder));
    contains(e.getMessage(), "damaged", "get the jar again");
    Class<?> unchecked = besideJar("unchecked", Map.of(so, library));
    var f =
        assertThrows(
            KernelsUnavailableException.class,
            () -> KernelLibrary.fromJar(unchecked, "test", folder));
    contains(f.getMessage(), "has no checksum beside it");
  }

  /** What a refused library leaves behind does not come up in the next one. */
  @Test
  void aRefusedLibraryDoesNotSpoilTheNext() throws Exception {
    refusal(library("before", "extern \"C\" int rais_abi_version() { return 99; }"));
    KernelLibrary.load(NativeBuild.hostLibrary());
  }

  @Test
  void statusesAreExceptionsWithTheLibrarysText() throws Exception {
    Kernels kernels = KernelLibrary.load(NativeBuild.hostLibrary());
    var e =
        assertThrows(
            KernelException.class,
            () ->
                kernels
                    .sampling()
                    .sumTreeBuild(
                        MemorySegment.NULL,
                        0,
                        MemorySegment.NULL,
                        MemorySegment.NULL,
                        MemorySegment.NULL));
    assertEquals(KernelException.Status.INVALID_ARGUMENT, e.status());
    assertEquals(
        "rais_sum_tree_build(size=0): size must be in 1..2147483639, but is 0", e.getMessage());
    assertThrows(IllegalStateException.class, () -> kernels.check(77));
  }

  @Test
  void memoryThatWasFreedOrIsOnTheHeapIsRefused() throws Exception {
    Kernels kernels = KernelLibrary.load(NativeBuild.hostLibrary());
    MemorySegment freed;
    try (var arena = java.lang.foreign.Arena.ofConfined()) {
      freed = arena.allocate(64, 16);
    }
    assertThrows(
        IllegalStateException.class,
        () -> kernels.sampling().sumTreeBuild(MemorySegment.NULL, 1, freed, freed, freed));
    MemorySegment onHeap = MemorySegment.ofArray(new long[8]);
    assertThrows(
        IllegalArgumentException.class,
        () -> kernels.sampling().sumTreeBuild(MemorySegment.NULL, 1, onHeap, onHeap, onHeap));
  }
}
