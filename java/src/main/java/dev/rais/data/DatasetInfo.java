package dev.rais.data;

import java.nio.file.Path;
import java.util.Optional;

/**
 * One line of the list of known data sets.
 *
 * @param name what to ask for
 * @param description contents, image shape and number of classes
 * @param licence the licence's usual short name
 * @param builtIn whether it comes with RAIS
 * @param directory where it was found on this machine; empty if built in or not found
 * @param downloadBytes what a download fetches, in bytes; 0 if built in or imported
 * @param weakChecksum who published the checksums of the download, where they are MD5s, against
 *     which a determined publisher could make two files; else empty
 */
public record DatasetInfo(
    String name,
    String description,
    String licence,
    boolean builtIn,
    Optional<Path> directory,
    long downloadBytes,
    String weakChecksum) {

  /** Whether it can be loaded now. */
  public boolean available() {
    return builtIn || directory.isPresent();
  }

  /** Where it is, or how to get it: "built in", a directory, or the command that fetches it. */
  public String where() {
    return builtIn
        ? "built in"
        : directory.map(Path::toString).orElse("not found: ./rais data fetch " + name);
  }
}
