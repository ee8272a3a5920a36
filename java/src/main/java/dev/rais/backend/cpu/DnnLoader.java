package dev.rais.backend.cpu;

import dev.rais.natives.Checksum;
import dev.rais.natives.ElfFile;
import dev.rais.natives.NativeCache;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URL;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Brings oneDNN's native library from the {@code org.bytedeco:dnnl} natives jar into this process;
 * its files are checked against the jar's CRC at every start.
 */
@SuppressWarnings("restricted") // native access is what this class is for
final class DnnLoader {
  private static final String RESOURCE_ROOT = "/org/bytedeco/dnnl/";

  /** GCC's variable for rounds of a waiting thread's loop. */
  private static final String SPIN_COUNT = "GOMP_SPINCOUNT";

  private static final String SPINS = "20000";

  private DnnLoader() {}

  /**
   * Loads the library into this class loader.
   *
   * @return where it was loaded from
   * @throws DnnUnavailableException with the reason and what to do
   */
  static Path load() {
    String platform = NativeCache.platform();
    List<String> names = libraryNames(platform);
    try {
      Path folder = NativeCache.folder("dnnl-" + platform);
      Path library = null;
      for (String name : names) {
        URL resource = DnnLoader.class.getResource(RESOURCE_ROOT + platform + "/" + name);
        if (resource == null) {
          throw new DnnUnavailableException(
              "the jar org.bytedeco:dnnl with classifier "
                  + platform
                  + " is not on the class path (no "
                  + name
                  + "); add it as a dependency");
        }
        library = NativeCache.unpack(resource, folder.resolve(name), Checksum.recorded(resource));
        if (platform.startsWith("linux")) {
          requireWhole(library, resource);
        }
      }
      limitSpinning();
      System.load(library.toString());
      return library;
    } catch (IOException | UncheckedIOException e) {
      throw new DnnUnavailableException("its files could not be unpacked: " + e, e);
    } catch (UnsatisfiedLinkError e) {
      throw new DnnUnavailableException("the system refused to load it: " + e.getMessage(), e);
    } catch (IllegalCallerException e) {
      throw new DnnUnavailableException(
          "native access is off; start Java with --enable-native-access=ALL-UNNAMED", e);
    }
  }

  /** The system's loader would end the process over a cut file. */
  private static void requireWhole(Path library, URL resource) throws IOException {
    Optional<String> problem = ElfFile.problem(library);
    if (problem.isPresent()) {
      throw new DnnUnavailableException(
          "%s cannot be used, as %s; get the jar org.bytedeco:dnnl again"
              .formatted(resource, problem.get()));
    }
  }

  /** Files to unpack; the last one is the library itself and finds the others beside it. */
  private static List<String> libraryNames(String platform) {
    return switch (platform) {
      case "macosx-arm64", "macosx-x86_64" -> List.of("libdnnl.3.dylib");
      case "windows-x86_64" -> List.of("dnnl.dll");
      default -> List.of("libgomp.so.1", "libdnnl.so.3");
    };
  }

  /**
   * Has OpenMP's idle threads spin for a few tenths of a millisecond before they sleep: as long as
   * a training step has nothing for them, and not as long as other programs would notice. The
   * runtime reads this once, when it is loaded.
   */
  private static void limitSpinning() {
    Linker linker = Linker.nativeLinker();
    MemorySegment setenv = linker.defaultLookup().find("setenv").orElse(null);
    boolean chosen = System.getenv("OMP_WAIT_POLICY") != null || System.getenv(SPIN_COUNT) != null;
    if (setenv == null || chosen) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      var handle =
          linker.downcallHandle(
              setenv,
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT,
                  ValueLayout.ADDRESS,
                  ValueLayout.ADDRESS,
                  ValueLayout.JAVA_INT));
      int ignored =
          (int) handle.invokeExact(arena.allocateFrom(SPIN_COUNT), arena.allocateFrom(SPINS), 0);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new DnnUnavailableException("the OpenMP runtime could not be configured", e);
    }
  }
}
