package dev.rais.backend.cuda.jcuda;

import dev.rais.backend.cuda.CudaUnavailableException;
import dev.rais.natives.Checksum;
import dev.rais.natives.NativeCache;
import java.io.IOException;
import java.net.URL;
import java.nio.file.Path;
import java.util.Optional;

/**
 * One of JCuda's JNI libraries. JCuda unpacks it to a fixed name in {@code java.io.tmpdir} and
 * loads whatever lies there already, which on a shared machine may be anybody's. So it is unpacked
 * here first, into a folder of the user's own and checked, and while JCuda loads it that folder is
 * {@code java.io.tmpdir}.
 *
 * @param name as JCuda names it: {@code JCudaDriver}
 * @param mainClass the class that loads it
 * @param artifact its jar, {@code group:name:version}; the natives' jar is named after it
 */
record JCudaLibrary(String name, String mainClass, String artifact) {
  /** The version of the natives; that of the Java classes of cuDNN is older. */
  static final String VERSION = "12.6.0";

  static final JCudaLibrary DRIVER =
      new JCudaLibrary("JCudaDriver", "jcuda.driver.JCudaDriver", "org.jcuda:jcuda:" + VERSION);

  static final JCudaLibrary BLAS =
      new JCudaLibrary("JCublas2", "jcuda.jcublas.JCublas2", "org.jcuda:jcublas:" + VERSION);

  static final JCudaLibrary DNN =
      new JCudaLibrary("JCudnn", "jcuda.jcudnn.JCudnn", "org.jcuda:jcudnn:11.7.0");

  private static final Object LOADING = new Object();
  private static final String TEMPORARY = "java.io.tmpdir";

  /** The name of its file, in the jar and wherever JCuda looks for it. */
  String fileName() {
    return "lib%s-%s-linux-x86_64.so".formatted(name, VERSION);
  }

  /**
   * Refuses if JCuda's classes are not there.
   *
   * @throws CudaUnavailableException with what to add
   */
  void requireClasses() {
    try {
      Class.forName(mainClass, false, JCudaLibrary.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      throw new CudaUnavailableException(
          "the binding jcuda needs %s and its natives on the class path; add them, or use the binding panama"
              .formatted(artifact),
          e);
    }
  }

  /**
   * Has JCuda load it.
   *
   * @param initialise calls JCuda, so that it does
   * @throws CudaUnavailableException with the reason, one sentence
   */
  void load(Runnable initialise) {
    try {
      Optional<Path> unpacked = unpack();
      synchronized (LOADING) {
        String before = System.getProperty(TEMPORARY);
        try {
          unpacked.ifPresent(f -> System.setProperty(TEMPORARY, f.getParent().toString()));
          initialise.run();
        } finally {
          System.setProperty(TEMPORARY, before);
        }
      }
    } catch (IOException e) {
      throw new CudaUnavailableException(
          "JCuda's %s could not be unpacked: %s".formatted(fileName(), e.getMessage()), e);
    } catch (LinkageError e) { // also of a class whose initialisation has failed before
      throw new CudaUnavailableException(refusal(e), e);
    }
  }

  private Optional<Path> unpack() throws IOException {
    URL resource = resource();
    if (resource == null) {
      return Optional.empty(); // JCuda also looks in java.library.path
    }
    Path file = NativeCache.folder("jcuda-" + VERSION).resolve(fileName());
    return Optional.of(NativeCache.unpack(resource, file, Checksum.recorded(resource)));
  }

  private URL resource() {
    return JCudaLibrary.class.getResource("/lib/" + fileName());
  }

  private String refusal(LinkageError e) {
    if (resource() == null) {
      return "JCuda's natives for Linux on x86-64 are not on the class path: %s is missing; add %s with the classifier linux-x86_64"
          .formatted(fileName(), nativesArtifact());
    }
    return "the system refused to load JCuda's %s: %s".formatted(fileName(), cause(e));
  }

  private String nativesArtifact() {
    return "%s-natives:%s".formatted(artifact.substring(0, artifact.lastIndexOf(':')), VERSION);
  }

  /** The loader's own words, out of the traces that JCuda makes its message of. */
  private static String cause(LinkageError e) {
    return String.valueOf(e.getMessage())
        .lines()
        .filter(line -> line.contains("UnsatisfiedLinkError: /"))
        .map(line -> line.replaceFirst(".*UnsatisfiedLinkError: [^:]*: ", ""))
        .findFirst()
        .orElse(String.valueOf(e.getMessage()).lines().findFirst().orElse("no reason was given"));
  }
}
