package dev.rais.natives;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files are unpacked once, checked at every start, replaced when they are not what they should be.
 */
class NativeCacheTest {
  private static final byte[] CONTENT = {1, 2, 3, 4, 5, 6, 7};

  @TempDir Path folder;

  private URL inJar() throws IOException {
    Path jar = folder.resolve("natives.jar");
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file)) {
      out.putNextEntry(new JarEntry("lib.so"));
      out.write(CONTENT);
    }
    return URI.create("jar:" + jar.toUri() + "!/lib.so").toURL();
  }

  private URL inFolder() throws IOException {
    return Files.write(folder.resolve("resource.so"), CONTENT).toUri().toURL();
  }

  private static String sha256() throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(CONTENT));
  }

  @Test
  void aFileThatIsThereAndRightIsLeftAlone() throws Exception {
    Path target = folder.resolve("lib.so");
    for (URL resource : new URL[] {inJar(), inFolder()}) {
      Files.deleteIfExists(target);
      NativeCache.unpack(resource, target, Checksum.recorded(resource));
      Object first = Files.readAttributes(target, "unix:ino").get("ino");
      NativeCache.unpack(resource, target, Checksum.recorded(resource));
      assertEquals(first, Files.readAttributes(target, "unix:ino").get("ino"));
      assertArrayEquals(CONTENT, Files.readAllBytes(target));
    }
  }

  @Test
  void aCutOrForeignFileIsReplaced() throws Exception {
    Path target = folder.resolve("lib.so");
    for (byte[] wrong : new byte[][] {{}, {1, 2, 3}, {1, 2, 3, 4, 5, 6, 8}}) {
      for (Checksum checksum :
          new Checksum[] {Checksum.recorded(inJar()), Checksum.sha256(sha256())}) {
        Files.write(target, wrong);
        NativeCache.unpack(inJar(), target, checksum);
        assertArrayEquals(CONTENT, Files.readAllBytes(target));
      }
    }
  }

  @Test
  void aDamagedResourceIsRefusedAndLeavesNothing() throws Exception {
    Path target = Files.createDirectory(folder.resolve("cache")).resolve("lib.so");
    var e =
        assertThrows(
            IOException.class,
            () -> NativeCache.unpack(inJar(), target, Checksum.sha256("0".repeat(64))));
    assertTrue(e.getMessage().contains("damaged"), e.getMessage());
    try (Stream<Path> left = Files.list(target.getParent())) {
      assertEquals(0, left.count());
    }
  }

  @Test
  void theFormatOfSha256sumIsRead() throws Exception {
    Path file = Files.write(folder.resolve("x"), CONTENT);
    assertTrue(Checksum.sha256(sha256() + "  lib.so\n").isOf(file));
    assertTrue(Checksum.sha256(sha256().toUpperCase(java.util.Locale.ROOT)).isOf(file));
    assertFalse(Checksum.sha256("0".repeat(64)).isOf(file));
    assertThrows(IllegalArgumentException.class, () -> Checksum.sha256(""));
    assertThrows(IllegalArgumentException.class, () -> Checksum.sha256("lib.so"));
  }

  @Test
  void theFolderIsPrivate() throws Exception {
    Path made = NativeCache.privateFolder(folder.resolve("a").resolve("b"));
    assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(made)));
  }
}
