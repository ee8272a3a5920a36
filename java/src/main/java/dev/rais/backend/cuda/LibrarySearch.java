package dev.rais.backend.cuda;

import dev.rais.natives.ElfFile;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Finds and loads cuBLAS and cuDNN, which come in toolkits, in Debian and RPM packages, and in
 * Python's. In this order:
 *
 * <ol>
 *   <li>the folders that the system property {@value #PROPERTY} lists, and what lies in them the
 *       way toolkits and Python packages lay it out,
 *   <li>the same of the environment variable {@value #VARIABLE},
 *   <li>the Python packages of an active environment,
 *   <li>{@code CUDA_HOME} and {@code CUDA_PATH},
 *   <li>{@code LD_LIBRARY_PATH},
 *   <li>{@code /usr/local/cuda} and the system's folders of libraries,
 *   <li>Python packages of the user and the system,
 *   <li>whatever the system's loader knows.
 * </ol>
 */
@SuppressWarnings("restricted") // native access is what this class is for
public final class LibrarySearch {
  /** System property: folders to look at first. */
  public static final String PROPERTY = "rais.cuda.path";

  /** Environment variable: folders to look at next. */
  public static final String VARIABLE = "RAIS_CUDA_PATH";

  private static final String BLAS = "libcublas.so.";
  private static final String OTHER_HALF = "libcublasLt.so.";

  /** Folders below one that was named in which libraries may lie. */
  private static final List<String> BELOW =
      List.of(
          ".",
          "lib64",
          "lib",
          "targets/*/lib",
          "*/lib",
          "nvidia/*/lib",
          "lib/python3*/site-packages/nvidia/*/lib");

  /**
   * A place to look at.
   *
   * @param name what it is, for messages
   * @param folders that are there; empty if there is nothing to look at
   */
  public record Place(String name, List<Path> folders) {}

  /**
   * A loaded library.
   *
   * @param file where it was found
   * @param symbols its functions
   */
  public record Library(Path file, SymbolLookup symbols) {}

  private final List<Place> places;
  private final boolean asksTheLoader;

  /**
   * A search.
   *
   * @param places where to look, in this order
   * @param asksTheLoader whether to try what the system's loader knows at last
   */
  public LibrarySearch(List<Place> places, boolean asksTheLoader) {
    this.places = places;
    this.asksTheLoader = asksTheLoader;
  }

  /** The search described above, on this machine. */
  public static LibrarySearch ofThisMachine() {
    return new LibrarySearch(places(System.getProperty(PROPERTY), System.getenv()), true);
  }

  /** The places of that search, by the property's value and the environment. */
  public static List<Place> places(String property, Map<String, String> environment) {
    String home = System.getProperty("user.home", "");
    List<Place> places = new ArrayList<>();
    places.add(listed("system property " + PROPERTY, property, BELOW));
    places.add(listed("environment variable " + VARIABLE, environment.get(VARIABLE), BELOW));
    for (String name : List.of("VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH")) {
      places.add(listed(name, environment.get(name), BELOW));
    }
    places.add(listed("LD_LIBRARY_PATH", environment.get("LD_LIBRARY_PATH"), List.of(".")));
    places.add(listed("/usr/local/cuda", "/usr/local/cuda", BELOW));
    places.add(
        listed("the system's libraries", "/usr", List.of("lib/*-linux-gnu", "lib64", "local/lib")));
    places.add(
        listed(
            "Python packages",
            home + "/.local" + File.pathSeparator + "/usr/local" + File.pathSeparator + "/usr",
            List.of(
                "lib/python3*/site-packages/nvidia/*/lib",
                "lib/python3*/dist-packages/nvidia/*/lib")));
    return places;
  }

  private static Place listed(String name, String value, List<String> below) {
    Set<Path> folders = new LinkedHashSet<>();
    if (value != null && !value.isBlank()) {
      for (String part : value.split(File.pathSeparator)) {
        try {
          // The working directory may be anybody's, so what is relative to it does not count.
          Path folder = Path.of(part);
          if (folder.isAbsolute()) {
            below.forEach(pattern -> folders.addAll(matching(folder, pattern)));
          }
        } catch (InvalidPathException e) {
          // No folder has such a name.
        }
      }
    }
    return new Place(name, List.copyOf(folders));
  }

  /** The folders that a pattern with stars stands for, in the order of their names, last first. */
  private static List<Path> matching(Path folder, String pattern) {
    List<Path> found = List.of(folder);
    for (String part : pattern.split("/")) {
      List<Path> next = new ArrayList<>();
      for (Path base : found) {
        if (!part.contains("*")) {
          next.add(base.resolve(part).normalize());
          continue;
        }
        try (DirectoryStream<Path> children = Files.newDirectoryStream(base, part)) {
          children.forEach(next::add);
        } catch (IOException e) {
          // Not there, or not for this user: nothing matches.
        }
      }
      found = next;
    }
    // A newer Python, and cu13 before cu12.
    return found.stream().filter(Files::isDirectory).sorted((a, b) -> b.compareTo(a)).toList();
  }

  /**
   * Loads a library.
   *
   * @param what its name, for messages
   * @param files names of its file, the preferred one first
   * @param whatToDo where it cannot be loaded
   * @throws CudaUnavailableException with every place that was tried and what was wrong there
   */
  public Library load(String what, List<String> files, String whatToDo) {
    List<String> tried = new ArrayList<>();
    List<String> unset = new ArrayList<>();
    Throwable last = null;
    for (Place place : places) {
      if (place.folders().isEmpty()) {
        unset.add(place.name());
        continue;
      }
      int problems = tried.size();
      for (Path folder : place.folders()) {
        for (String name : files) {
          Path file = folder.resolve(name);
          if (!Files.isRegularFile(file)) {
            continue;
          }
          try {
            return open(file);
          } catch (CudaUnavailableException e) {
            tried.add(place.name() + ": " + file + ": " + e.getMessage());
            last = e;
          }
        }
        others(folder, files).forEach(f -> tried.add(place.name() + ": " + f + ": not this one"));
      }
      if (tried.size() == problems) {
        tried.add(place.name() + ": not in " + join(place.folders()));
      }
    }
    if (asksTheLoader) {
      for (String name : files) {
        try {
          SymbolLookup symbols = SymbolLookup.libraryLookup(name, Arena.global());
          return new Library(mapped(name).orElse(Path.of(name)), symbols);
        } catch (IllegalArgumentException e) {
          tried.add("the system's loader: does not find " + name);
          last = e;
        }
      }
    }
    if (!unset.isEmpty()) {
      tried.add("not set, or no such folder: " + String.join(", ", unset));
    }
    throw new CudaUnavailableException(
        what
            + " could not be loaded: "
            + String.join(" or ", files)
            + " is needed. Tried:\n  "
            + String.join("\n  ", tried)
            + "\n"
            + whatToDo,
        last);
  }

  private static String join(List<Path> folders) {
    return String.join(", ", folders.stream().map(Path::toString).toList());
  }

  /** Files of other versions of the library: that is what a user who has one wonders about. */
  private static List<Path> others(Path folder, List<String> files) {
    String stem = files.getFirst().replaceAll("\\.so\\..*", ".so.");
    try (Stream<Path> all = Files.list(folder)) {
      return all.filter(f -> f.getFileName().toString().matches("\\Q" + stem + "\\E\\d+"))
          .filter(f -> !files.contains(f.getFileName().toString()))
          .sorted()
          .toList();
    } catch (IOException | UncheckedIOException e) {
      return List.of();
    }
  }

  /**
   * Loads a file.
   *
   * @throws CudaUnavailableException with what is wrong with it, without its name
   */
  public static Library open(Path file) {
    try {
      Optional<String> problem = ElfFile.problem(file);
      if (problem.isPresent()) {
        throw new CudaUnavailableException(problem.get());
      }
      loadOtherHalf(file);
      // System.load tells why a library cannot be loaded, and names a dependency that is missing.
      System.load(file.toAbsolutePath().toString());
      return new Library(file, SymbolLookup.libraryLookup(file, Arena.global()));
    } catch (IOException e) {
      throw new CudaUnavailableException(e.toString(), e);
    } catch (UnsatisfiedLinkError | IllegalArgumentException e) {
      throw new CudaUnavailableException("the system refused to load it: " + e.getMessage(), e);
    } catch (IllegalCallerException e) {
      throw new CudaUnavailableException(
          "native access is off; start Java with --enable-native-access=ALL-UNNAMED", e);
    }
  }

  /**
   * cuBLAS is two libraries. The system's loader looks for the second in {@code LD_LIBRARY_PATH}
   * before it does beside the first, and takes whatever version is there: unless it is loaded.
   */
  private static void loadOtherHalf(Path file) throws IOException {
    String name = file.getFileName().toString();
    if (name.startsWith(BLAS)) {
      Path other = file.resolveSibling(OTHER_HALF + name.substring(BLAS.length()));
      if (Files.isRegularFile(other) && ElfFile.problem(other).isEmpty()) {
        System.load(other.toAbsolutePath().toString());
      }
    }
  }

  /** Where the loader has a library from. */
  private static Optional<Path> mapped(String name) {
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      return maps.filter(line -> line.contains("/" + name))
          .map(line -> Path.of(line.substring(line.indexOf('/'))))
          .findFirst();
    } catch (IOException | UncheckedIOException | InvalidPathException e) {
      return Optional.empty();
    }
  }
}
