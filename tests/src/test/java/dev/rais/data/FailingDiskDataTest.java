package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.FailingFiles;
import dev.rais.FailingFiles.Fault;
import dev.rais.data.KnownDataset.RemoteFile;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Data sets that are downloaded or imported onto a disk that fails at any one of the writes. */
class FailingDiskDataTest {
  private static final byte[] CONTENT = IdxBytes.counting(300_000);

  @TempDir Path folder;

  /** Fills a folder. */
  private interface Work {
    void run(Path target);
  }

  /**
   * Lets the work fail at each of its writes: it says so with the file's name, what has its final
   * name is whole, and on a disk that works the same work comes to its end.
   */
  private void failEverywhere(Fault fault, String result, byte[] expected, Work work)
      throws IOException {
    FailingFiles files = new FailingFiles(fault);
    boolean failed = true;
    int change = 0;
    for (; failed; change++) {
      Path real = folder.resolve("target" + change);
      Path target = files.of(real);
      String message = fault + " from change " + change + " on";
      files.failAt(change);
      try {
        work.run(target);
      } catch (DataException e) {
        boolean named =
            e.getMessage().contains("target" + change) || e.getMessage().contains(result);
        assertTrue(named, message + ": " + e.getMessage());
      }
      failed = files.hasFailed();
      files.heal();
      if (Files.exists(real.resolve(result))) {
        assertArrayEquals(expected, Files.readAllBytes(real.resolve(result)), message);
      } else {
        work.run(target);
        assertArrayEquals(expected, Files.readAllBytes(real.resolve(result)), message);
      }
      // A part of a download would have been continued; nothing is left of it now.
      List<String> names = new ArrayList<>();
      try (Stream<Path> all = Files.list(real)) {
        all.forEach(f -> names.add(f.getFileName().toString()));
      }
      assertEquals(List.of(result), names, message);
    }
    assertTrue(change > 4, "work of " + change + " writes");
  }

  @ParameterizedTest
  @EnumSource
  void downloads(Fault fault) throws Exception {
    String sha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(CONTENT));
    FetchOptions options =
        new FetchOptions(Optional.empty(), 1, Duration.ZERO, Duration.ofSeconds(20));
    try (FileServer server = new FileServer(CONTENT)) {
      failEverywhere(
          fault,
          "a.gz",
          CONTENT,
          target ->
              DatasetFetcher.fetch(
                  List.of(new RemoteFile("a.gz", CONTENT.length, sha256)),
                  server.base(),
                  target,
                  options,
                  (name, done, total) -> {}));
    }
  }

  @ParameterizedTest
  @EnumSource
  void imports(Fault fault) throws IOException {
    Path images = folder.resolve("images");
    for (int i = 0; i < 8; i++) {
      BufferedImage image = new BufferedImage(4, 4, BufferedImage.TYPE_INT_RGB);
      image.setRGB(i % 4, i / 4, 0x80ff00 + i);
      Path directory = Files.createDirectories(images.resolve("class" + i % 2));
      ImageIO.write(image, "png", directory.resolve(i + ".png").toFile());
    }
    Work work =
        target ->
            DatasetImporter.run(images, "x", target, ImportOptions.defaults(), (done, total) -> {});
    work.run(folder.resolve("whole"));
    byte[] expected = Files.readAllBytes(folder.resolve("whole").resolve(DatasetFile.IMPORTED));
    failEverywhere(fault, DatasetFile.IMPORTED, expected, work);
  }
}
