package dev.rais.natives;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Locale;

/**
 * The folder of the user's cache that native libraries are unpacked into. A file is unpacked once
 * and checked at every start, so that a cut or foreign one is replaced rather than loaded.
 */
public final class NativeCache {
  private NativeCache() {}

  /** This machine as jars with natives name it, such as {@code linux-x86_64}. */
  public static String platform() {
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

  /** A folder that only this user can read and write, made if it is missing. */
  public static Path folder(String name) throws IOException {
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path cache =
        xdg != null && !xdg.isBlank()
            ? Path.of(xdg)
            : Path.of(System.getProperty("user.home"), ".cache");
    return privateFolder(cache.resolve("rais").resolve("native").resolve(name));
  }

  static Path privateFolder(Path folder) throws IOException {
    Files.createDirectories(folder);
    if (Files.getFileStore(folder).supportsFileAttributeView("posix")) {
      // Fails if the folder is somebody else's, who could swap the file between check and loading.
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
    }
    return folder.toAbsolutePath();
  }

  /**
   * Makes a file have a resource's content, unless it has it already. Other processes may do the
   * same, or have the old file loaded: it is replaced as a whole.
   *
   * @param resource from where
   * @param target to where, in a {@link #folder}
   * @param checksum what it must be
   * @return {@code target}
   * @throws IOException if the resource itself is damaged, or cannot be read or written
   */
  public static Path unpack(URL resource, Path target, Checksum checksum) throws IOException {
    if (Files.isRegularFile(target) && checksum.isOf(target)) {
      return target;
    }
    Path partial = Files.createTempFile(target.getParent(), target.getFileName().toString(), "~");
    try {
      try (InputStream in = resource.openStream()) {
        Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING);
      }
      if (!checksum.isOf(partial)) {
        throw new IOException(
            "%s is damaged: it should be %s, but has %d other bytes; get the jar again"
                .formatted(resource, checksum, Files.size(partial)));
      }
      Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(partial);
    }
    return target;
  }
}
