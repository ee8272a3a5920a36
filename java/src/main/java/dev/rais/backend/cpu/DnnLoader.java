package dev.rais.backend.cpu;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Locale;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;

/**
 * Brings oneDNN's native library from the {@code org.bytedeco:dnnl} natives jar into this process.
 *
 * <p>The files are unpacked once into a private folder of the user's cache and checked against the
 * jar's CRC at every start, so that a cut or foreign file is replaced rather than loaded.
 */
@SuppressWarnings("restricted") // native access is what this class is for
final class DnnLoader {
  private static final String RESOURCE_ROOT = "/org/bytedeco/dnnl/";

  private DnnLoader() {}

  /**
   * Loads the library into this class loader.
   *
   * @return where it was loaded from
   * @throws DnnUnavailableException with the reason and what to do
   */
  static Path load() {
    String platform = platform();
    List<String> names = libraryNames(platform);
    try {
      Path folder = cacheRoot().resolve("rais").resolve("native").resolve("dnnl-" + platform);
      createPrivate(folder);
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
        library = unpack(resource, folder.resolve(name));
      }
      calmOpenMp();
      System.load(library.toAbsolutePath().toString());
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

  /** The natives jar's classifier for this machine. */
  static String platform() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    boolean arm = arch.equals("aarch64") || arch.equals("arm64");
    if (os.contains("mac")) {
      return arm ? "macosx-arm64" : "macosx-x86_64";
    }
    if (os.contains("windows")) {
      return "windows-x86_64";
    }
    return arm ? "linux-arm64" : "linux-x86_64";
  }

  /** Files to unpack; the last one is the library itself and finds the others beside it. */
  private static List<String> libraryNames(String platform) {
    return switch (platform) {
      case "macosx-arm64", "macosx-x86_64" -> List.of("libdnnl.3.dylib");
      case "windows-x86_64" -> List.of("dnnl.dll");
      default -> List.of("libgomp.so.1", "libdnnl.so.3");
    };
  }

  private static Path cacheRoot() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    return xdg != null && !xdg.isBlank()
        ? Path.of(xdg)
        : Path.of(System.getProperty("user.home"), ".cache");
  }

  private static void createPrivate(Path folder) throws IOException {
    Files.createDirectories(folder);
    if (Files.getFileStore(folder).supportsFileAttributeView("posix")) {
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
    }
  }

  private static Path unpack(URL resource, Path target) throws IOException {
    JarEntry entry =
        resource.openConnection() instanceof JarURLConnection jar ? jar.getJarEntry() : null;
    if (entry != null
        && Files.isRegularFile(target)
        && Files.size(target) == entry.getSize()
        && crc(target) == entry.getCrc()) {
      return target;
    }
    Path partial = Files.createTempFile(target.getParent(), target.getFileName().toString(), "~");
    try (InputStream in = resource.openStream()) {
      Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING);
      Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(partial);
    }
    return target;
  }

  private static long crc(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      CRC32 crc = new CRC32();
      crc.update(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()));
      return crc.getValue();
    }
  }

  /**
   * Asks OpenMP's idle threads to sleep instead of spinning: our own threads use the same cores
   * between two native operations. The runtime reads this once, when it is loaded.
   */
  private static void calmOpenMp() {
    Linker linker = Linker.nativeLinker();
    MemorySegment setenv = linker.defaultLookup().find("setenv").orElse(null);
    if (setenv == null || System.getenv("OMP_WAIT_POLICY") != null) {
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
          (int)
              handle.invokeExact(
                  arena.allocateFrom("OMP_WAIT_POLICY"), arena.allocateFrom("passive"), 0);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new DnnUnavailableException("the OpenMP runtime could not be configured", e);
    }
  }
}
