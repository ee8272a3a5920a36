package dev.rais;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where the tests find real data sets: in $RAIS_DATA or, if that is not set, in the folder
 * shared/datasets beside the repository. Without either, tests of real data are skipped.
 */
public final class TestData {
  private TestData() {}

  /**
   * The folder that holds mnist/ and fashion-mnist/; skips the calling test, with the reason, if
   * there is none with {@code name}.
   */
  public static Path folderWith(String name) {
    Path folder = folder();
    assumeTrue(
        folder != null && Files.isDirectory(folder.resolve(name)),
        "no folder "
            + name
            + " in "
            + (folder == null ? "../shared/datasets" : folder)
            + "; set RAIS_DATA to the folder that holds it to run this test");
    return folder;
  }

  private static Path folder() {
    String set = System.getenv("RAIS_DATA");
    if (set != null && !set.isBlank()) {
      return Path.of(set);
    }
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      if (Files.exists(at.resolve("java/pom.xml")) && at.getParent() != null) {
        Path folder = at.getParent().resolve("shared/datasets");
        return Files.isDirectory(folder) ? folder : null;
      }
    }
    return null;
  }
}
