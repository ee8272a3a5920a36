package dev.rais.backend.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;

/** The CUDA driver's library, {@code libcuda.so.1}: found and loaded, for every binding alike. */
@SuppressWarnings("restricted") // native access is what this class is for
public final class DriverLibrary {
  /** System property that names the driver's file; by default the system's loader finds it. */
  public static final String PROPERTY = "rais.cuda.driver";

  private static final String LIBRARY = "libcuda.so.1";

  private DriverLibrary() {}

  /**
   * Loads it, as the system property asks.
   *
   * @throws CudaUnavailableException with the reason, one sentence
   */
  public static SymbolLookup load() {
    return load(System.getProperty(PROPERTY));
  }

  /**
   * Loads it.
   *
   * @param file its file, or null for the one that the system's loader finds
   * @throws CudaUnavailableException with the reason, one sentence
   */
  public static SymbolLookup load(String file) {
    try {
      if (file != null) {
        Path path = Path.of(file).toAbsolutePath();
        if (!Files.isRegularFile(path)) {
          throw new CudaUnavailableException(
              "the CUDA driver that -D" + PROPERTY + " names, " + path + ", does not exist");
        }
        System.load(path.toString()); // tells why, if it cannot
        return SymbolLookup.libraryLookup(path, Arena.global());
      }
      return SymbolLookup.libraryLookup(LIBRARY, Arena.global());
    } catch (IllegalCallerException e) {
      throw new CudaUnavailableException(
          "native access is off; start Java with --enable-native-access=ALL-UNNAMED", e);
    } catch (UnsatisfiedLinkError e) {
      throw new CudaUnavailableException(
          "the CUDA driver could not be loaded: " + e.getMessage(), e);
    } catch (IllegalArgumentException e) {
      throw CudaUnavailableException.noDriver(
          "there is no CUDA driver: the system finds no "
              + LIBRARY
              + " (a GPU's driver brings it; in a container, the container's runtime)",
          e);
    }
  }
}
