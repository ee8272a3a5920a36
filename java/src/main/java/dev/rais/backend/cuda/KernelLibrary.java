package dev.rais.backend.cuda;

import dev.rais.natives.Checksum;
import dev.rais.natives.ElfFile;
import dev.rais.natives.NativeCache;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Finds and loads {@code librais_kernels.so}. In this order:
 *
 * <ol>
 *   <li>the file that the system property {@value #PROPERTY} names,
 *   <li>the file that the environment variable {@value #VARIABLE} names,
 *   <li>the jar {@code rais-kernels} on the class path, with the platform as its classifier: its
 *       library is unpacked once into a private folder of the user's cache and checked against the
 *       SHA-256 beside it at every start,
 *   <li>{@code native-build/out/cuda} of the checkout that RAIS runs from.
 * </ol>
 *
 * <p>A file that was asked for by name is used or refused: nothing else takes its place.
 */
@SuppressWarnings("restricted") // native access is what this class is for
public final class KernelLibrary {
  /** System property that names the library's file. */
  public static final String PROPERTY = "rais.kernels.library";

  /** Environment variable that names the library's file. */
  public static final String VARIABLE = "RAIS_KERNELS_LIBRARY";

  static final String FILE = "librais_kernels.so";
  private static final String WHAT_TO_DO =
      "Add the jar rais-kernels to the class path, or build the library in a checkout of RAIS with"
          + " native-build/build cuda; it works where it is built, and elsewhere by -D"
          + PROPERTY
          + "=FILE.";

  /**
   * A place to look at.
   *
   * @param name what it is, for messages
   * @param askedFor whether the user chose it, so that no other may take its place
   */
  record Place(String name, boolean askedFor, Finder finder) {}

  /** Finds the library's file in a place, or throws what is wrong there. */
  interface Finder {
    Path find() throws IOException;
  }

  private KernelLibrary() {}

  /**
   * Loads the library.
   *
   * @throws KernelsUnavailableException with every place that was tried and what was wrong there
   */
  public static Kernels load() {
    return load(places(System.getProperty(PROPERTY), System.getenv(VARIABLE), KernelLibrary.class));
  }

  /**
   * Loads the library from one file.
   *
   * @throws KernelsUnavailableException with what is wrong there
   */
  public static Kernels load(Path file) {
    return load(List.of(new Place(file.toString(), true, () -> file)));
  }

  static List<Place> places(String property, String variable, Class<?> origin) {
    String platform = NativeCache.platform();
    return List.of(
        named("system property " + PROPERTY, property),
        named("environment variable " + VARIABLE, variable),
        new Place(
            "jar rais-kernels for " + platform,
            false,
            () -> fromJar(origin, platform, NativeCache.folder("rais-kernels-" + platform))),
        new Place("checkout of RAIS", false, () -> inCheckout(origin)));
  }

  private static Place named(String name, String value) {
    boolean set = value != null && !value.isBlank();
    return new Place(
        name,
        set,
        () -> {
          if (!set) {
            throw new KernelsUnavailableException("not set");
          }
          try {
            return Path.of(value);
          } catch (InvalidPathException e) {
            throw new KernelsUnavailableException(e.getMessage(), e);
          }
        });
  }

  static Path fromJar(Class<?> origin, String platform, Path cache) throws IOException {
    String resource = "/META-INF/rais/" + platform + "/" + FILE;
    URL library = origin.getResource(resource);
    URL checksum = origin.getResource(resource + ".sha256");
    if (library == null) {
      throw new KernelsUnavailableException("not on the class path (no " + resource + ")");
    }
    if (checksum == null) {
      throw new KernelsUnavailableException(
          library + " has no checksum beside it (" + FILE + ".sha256); get the jar again");
    }
    String text;
    try (InputStream in = checksum.openStream()) {
      text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    try {
      return NativeCache.unpack(library, cache.resolve(FILE), Checksum.sha256(text));
    } catch (IllegalArgumentException e) {
      throw new KernelsUnavailableException(checksum + ": " + e.getMessage(), e);
    }
  }

  /** Only where the classes lie in a checkout: the working directory may be anybody's. */
  private static Path inCheckout(Class<?> origin) {
    CodeSource source = origin.getProtectionDomain().getCodeSource();
    try {
      Path classes = source == null ? null : Path.of(source.getLocation().toURI());
      for (Path folder = classes; folder != null; folder = folder.getParent()) {
        if (Files.isExecutable(folder.resolve("native-build/build"))) {
          return folder.resolve("native-build/out/cuda").resolve(FILE);
        }
      }
      throw new KernelsUnavailableException("RAIS does not run from one, but from " + classes);
    } catch (URISyntaxException | IllegalArgumentException e) {
      throw new KernelsUnavailableException("RAIS does not run from one", e);
    }
  }

  static Kernels load(List<Place> places) {
    List<String> tried = new ArrayList<>();
    Throwable last = null;
    for (Place place : places) {
      Optional<Path> file = Optional.empty();
      try {
        file = Optional.of(place.finder().find().toAbsolutePath().normalize());
        return open(file.get());
      } catch (KernelsUnavailableException | IOException e) {
        String where = file.map(f -> ": " + f).orElse("");
        String why = e instanceof IOException ? e.toString() : e.getMessage();
        tried.add(place.name() + where + ": " + why);
        last = e;
        if (place.askedFor()) {
          tried.add("(nothing else was tried, as this file was asked for)");
          break;
        }
      }
    }
    throw new KernelsUnavailableException(
        "RAIS's CUDA kernels could not be loaded. Tried:\n  "
            + String.join("\n  ", tried)
            + "\n"
            + WHAT_TO_DO,
        last);
  }

  private static Kernels open(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new KernelsUnavailableException("this is a folder; the library's file is needed");
    }
    if (!Files.isRegularFile(file)) {
      throw new KernelsUnavailableException("there is no such file");
    }
    Optional<String> problem = ElfFile.problem(file);
    if (problem.isPresent()) {
      throw new KernelsUnavailableException(problem.get());
    }
    try {
      // System.load tells why a library cannot be loaded, libraryLookup does not. But it looks only
      // into this library; the loader's lookup would find the functions of one refused before.
      System.load(file.toString());
      return new Kernels(file, SymbolLookup.libraryLookup(file, Arena.global()));
    } catch (UnsatisfiedLinkError | IllegalArgumentException e) {
      throw new KernelsUnavailableException("the system refused to load it: " + e.getMessage(), e);
    } catch (IllegalCallerException e) {
      throw new KernelsUnavailableException(
          "native access is off; start Java with --enable-native-access=ALL-UNNAMED", e);
    }
  }
}
