package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.FailingFiles;
import dev.rais.data.KnownDataset.RemoteFile;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Downloads from a server on this machine that behaves well, and in every bad way we know. */
@Timeout(30)
class DatasetFetcherTest {
  private static final byte[] CONTENT = IdxBytes.counting(300_000);
  private static final byte[] OTHER = new byte[CONTENT.length];

  @TempDir Path folder;

  private FileServer server;

  @BeforeEach
  void startServer() throws IOException {
    server = new FileServer(CONTENT);
  }

  @AfterEach
  void stopServer() {
    server.close();
  }

  @Test
  void downloadsWhatIsMissingAndReportsProgress() throws IOException {
    Path directory = folder.resolve("new/folder");
    List<Long> done = new ArrayList<>();
    List<RemoteFile> files = List.of(expecting("a.gz", CONTENT), expecting("b.gz", CONTENT));
    DatasetFetcher.fetch(
        files,
        server.base(),
        directory,
        options(1),
        (name, bytes, total) -> {
          assertEquals(600_000, total);
          assertTrue(
              bytes < 300_000 ? name.equals("a.gz") : bytes == 300_000 || name.equals("b.gz"));
          done.add(bytes);
        });
    assertArrayEquals(CONTENT, Files.readAllBytes(directory.resolve("a.gz")));
    assertArrayEquals(CONTENT, Files.readAllBytes(directory.resolve("b.gz")));
    assertEquals(done.stream().sorted().toList(), done);
    assertEquals(600_000L, done.getLast());
    assertEquals(List.of("a.gz", "b.gz"), names(directory));
  }

  @Test
  void doesNotDownloadAFileThatIsRight() throws IOException {
    Files.write(folder.resolve("a.gz"), CONTENT);
    fetch(1);
    assertEquals(List.of(), server.ranges());
  }

  @Test
  void replacesAFileThatIsWrong() throws IOException {
    Files.write(folder.resolve("a.gz"), OTHER);
    fetch(1);
    assertArrived();
  }

  @Test
  void resumesAfterACutConnection() throws IOException {
    server.nextCutAfter(100_000);
    fetch(2);
    assertArrived();
    assertEquals("", server.ranges().get(0));
    assertTrue(server.ranges().get(1).matches("bytes=[1-9][0-9]*-"), server.ranges().toString());
  }

  @Test
  void resumesWhatAnEarlierRunLeft() throws IOException {
    server.nextCutAfter(100_000);
    assertThrows(DataException.class, () -> fetch(1));
    assertEquals(List.of("a.gz.part"), names(folder));
    fetch(1);
    assertArrived();
    assertTrue(server.ranges().get(1).startsWith("bytes="), server.ranges().toString());
  }

  @Test
  void startsAgainWhenTheServerIgnoresRange() throws IOException {
    Files.write(folder.resolve("a.gz.part"), Arrays.copyOf(CONTENT, 1000));
    server.nextBody(CONTENT);
    fetch(1);
    assertArrived();
    assertEquals(List.of("bytes=1000-"), server.ranges());
  }

  @Test
  void startsAgainWhenTheServerCannotResume() throws IOException {
    Files.write(folder.resolve("a.gz.part"), Arrays.copyOf(CONTENT, 1000));
    server.nextStatus(416);
    fetch(2);
    assertArrived();
    assertEquals(List.of("bytes=1000-", ""), server.ranges());
  }

  @Test
  void startsAgainWhenTheServerResumesElsewhere() throws IOException {
    Files.write(folder.resolve("a.gz.part"), Arrays.copyOf(CONTENT, 1000));
    server.next(
        exchange -> {
          exchange.getResponseHeaders().set("Content-Range", "bytes 0-299999/300000");
          FileServer.send(exchange, 206, CONTENT);
        });
    fetch(2);
    assertArrived();
  }

  @Test
  void startsAgainWhenTheBeginningWasOfAnotherFile() throws IOException {
    Files.write(folder.resolve("a.gz.part"), Arrays.copyOf(OTHER, 1000));
    fetch(2);
    assertArrived();
    assertEquals(List.of("bytes=1000-", ""), server.ranges());
  }

  @Test
  void completesAPartThatOnlyLacksItsName() throws IOException {
    Files.write(folder.resolve("a.gz.part"), CONTENT);
    fetch(1);
    assertArrived();
    assertEquals(List.of(), server.ranges());
  }

  @Test
  void refusesTheWrongChecksumAndKeepsNothing() throws IOException {
    server.nextBody(OTHER);
    refused(4, "does not have the expected SHA-256");
    assertEquals(1, server.ranges().size(), "the same server would send the same bytes again");
    assertEquals(List.of(), names(folder));
  }

  @Test
  void keepsTheOldFileWhenTheNewOneIsRefused() throws IOException {
    Files.write(folder.resolve("a.gz"), new byte[] {1, 2, 3});
    server.nextBody(OTHER);
    refused(1, "SHA-256");
    assertEquals(3, Files.size(folder.resolve("a.gz")));
  }

  @Test
  void refusesTheWrongLengthByItsHeader() throws IOException {
    server.nextBody(new byte[10]);
    refused(4, "should be 300000 bytes long but is 10 bytes long");
    assertEquals(1, server.ranges().size());
    assertEquals(List.of(), names(folder));
  }

  @Test
  void refusesABodyThatGoesOnAndOn() throws IOException {
    server.nextBodyOfUnknownLength(Arrays.copyOf(CONTENT, 5_000_000));
    refused(4, "should be 300000 bytes long but goes on after that");
    assertEquals(List.of(), names(folder));
  }

  @Test
  void givesUpOnABodyThatStaysTruncated() throws IOException {
    server.nextBodyOfUnknownLength(Arrays.copyOf(CONTENT, 1000));
    server.nextStatus(416);
    server.nextBodyOfUnknownLength(Arrays.copyOf(CONTENT, 1000));
    refused(3, "in 3 attempts (the connection ended after 1000 of 300000 bytes)");
    assertFalse(Files.exists(folder.resolve("a.gz")));
  }

  @Test
  void doesNotRepeatARequestForWhatIsNotThere() throws IOException {
    server.nextStatus(404);
    refused(4, "/data/a.gz was answered with status 404");
    assertEquals(1, server.ranges().size());
    assertEquals(List.of(), names(folder));
  }

  @Test
  void triesAgainWhenTheServerIsBusy() throws IOException {
    server.nextStatus(503);
    server.nextStatus(429);
    fetch(3);
    assertArrived();
  }

  @Test
  void triesAgainWhenNoByteComesAnyMore() throws IOException {
    server.nextStallAfter(50_000);
    FetchOptions impatient =
        new FetchOptions(Optional.empty(), 2, Duration.ZERO, Duration.ofMillis(300));
    fetch(impatient);
    assertArrived();
    assertEquals("bytes=50000-", server.ranges().get(1));
  }

  @Test
  void saysWhenNobodyAnswers() {
    server.close();
    refused(2, "could not be downloaded in 2 attempts (");
  }

  @Test
  void twoDownloadsOfOneFileDoNotMix() throws IOException {
    Path part = folder.resolve("a.gz.part");
    try (FileChannel other =
        FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      other.lock();
      refused(4, "another download is writing " + part);
    }
    assertEquals(List.of("a.gz.part"), names(folder), "the other's file is left alone");
  }

  @Test
  void whatAnotherProcessHasFinishedMeanwhileIsNotDownloadedAgain() throws IOException {
    DatasetFetcher.fetch(
        List.of(expecting("a.gz", CONTENT)),
        server.base(),
        folder,
        options(2),
        (name, done, total) -> {
          if (done == total && Files.exists(folder.resolve("a.gz.part"))) {
            assertTrue(folder.resolve("a.gz.part").toFile().renameTo(file("a.gz")));
          }
        });
    assertArrived();
    assertEquals(1, server.ranges().size());
  }

  private java.io.File file(String name) {
    return folder.resolve(name).toFile();
  }

  @Test
  void whatCannotBeWrittenIsNotTriedAgain() throws IOException {
    Path part = Files.createDirectory(folder.resolve("a.gz.part"));
    refused(4, part + " cannot be written");
    assertEquals(List.of(), server.ranges());
    Files.delete(part);
    FailingFiles full = new FailingFiles(FailingFiles.Fault.FULL);
    full.failAt(2);
    DataException e =
        assertThrows(
            DataException.class,
            () ->
                DatasetFetcher.fetch(
                    List.of(expecting("a.gz", CONTENT)),
                    server.base(),
                    full.of(folder),
                    options(4),
                    (name, done, total) -> {}));
    assertTrue(e.getMessage().contains("cannot be written"), e.getMessage());
    assertTrue(e.getMessage().contains("No space left on device"), e.getMessage());
    assertEquals(1, server.ranges().size());
  }

  @Test
  void anInterruptEndsTheDownload() {
    server.nextStallAfter(0);
    Thread.currentThread().interrupt();
    refused(1, "was interrupted");
    assertTrue(Thread.interrupted(), "and stays visible to the caller");
  }

  @Test
  void saysWhenTheDirectoryCannotBeMade() throws IOException {
    Path file = Files.write(folder.resolve("file"), new byte[0]);
    DataException e =
        assertThrows(
            DataException.class,
            () -> DatasetFetcher.fetch("mnist", file, FetchOptions.defaults(), (n, d, t) -> {}));
    assertTrue(e.getMessage().startsWith("cannot make the directory " + file), e.getMessage());
  }

  @Test
  void aKnownNameAsksTheMirrorForItsFiles() {
    FetchOptions options = options(1).withMirror(URI.create(server.base() + "."));
    DataException e =
        assertThrows(
            DataException.class,
            () -> DatasetFetcher.fetch("mnist", folder, options, (n, d, t) -> {}));
    assertTrue(e.getMessage().contains("train-images-idx3-ubyte.gz should be 9912422"));
  }

  @Test
  void refusesNamesThatCannotBeFetched() {
    FetchProgress quiet = (name, done, total) -> {};
    DataException builtIn =
        assertThrows(
            DataException.class,
            () -> DatasetFetcher.fetch("fashion-mnist-sample", folder, options(1), quiet));
    assertTrue(builtIn.getMessage().contains("is built in"), builtIn.getMessage());
    DataException unknown =
        assertThrows(
            DataException.class, () -> DatasetFetcher.fetch("mnits", folder, options(1), quiet));
    assertTrue(unknown.getMessage().contains("did you mean \"mnist\""), unknown.getMessage());
  }

  private void fetch(int attempts) {
    fetch(options(attempts));
  }

  private void fetch(FetchOptions options) {
    DatasetFetcher.fetch(
        List.of(expecting("a.gz", CONTENT)),
        server.base(),
        folder,
        options,
        (name, done, total) -> {});
  }

  private void refused(int attempts, String because) {
    DataException e = assertThrows(DataException.class, () -> fetch(attempts));
    assertTrue(e.getMessage().contains(because), e.getMessage());
  }

  private void assertArrived() throws IOException {
    assertArrayEquals(CONTENT, Files.readAllBytes(folder.resolve("a.gz")));
    assertEquals(List.of("a.gz"), names(folder));
  }

  private static FetchOptions options(int attempts) {
    return new FetchOptions(
        Optional.empty(), attempts, Duration.ofMillis(1), Duration.ofSeconds(9));
  }

  @Test
  void md5IsCheckedWhereNothingElseIsPublished() throws IOException {
    Path expected = Files.write(folder.resolve("expected"), CONTENT);
    String md5 = FileDownload.digest(expected, "MD5");
    Files.delete(expected);
    List<RemoteFile> files =
        List.of(new RemoteFile("a.gz", CONTENT.length, KnownDataset.Checksum.md5(md5, "a page")));
    server.nextBody(OTHER);
    DataException e =
        assertThrows(
            DataException.class,
            () ->
                DatasetFetcher.fetch(
                    files, server.base(), folder, options(1), (name, bytes, total) -> {}));
    assertTrue(e.getMessage().contains("does not have the expected MD5 " + md5), e.getMessage());
    DatasetFetcher.fetch(files, server.base(), folder, options(1), (name, bytes, total) -> {});
    assertArrived();
  }

  @Test
  void everyChecksumIsOneAndNamesItsSource() {
    for (KnownDataset dataset : KnownDataset.all()) {
      for (RemoteFile file :
          dataset.download().map(KnownDataset.Download::files).orElse(List.of())) {
        int digits = file.checksum().isWeak() ? 32 : 64;
        assertTrue(file.checksum().hex().matches("[0-9a-f]{" + digits + "}"), file.name());
        assertFalse(file.checksum().source().isBlank(), file.name());
      }
    }
  }

  private RemoteFile expecting(String name, byte[] content) {
    try {
      Path file = Files.write(Files.createTempFile("rais", ".expected"), content);
      String sha256 = FileDownload.digest(file, "SHA-256");
      Files.delete(file);
      return new RemoteFile(name, content.length, sha256);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
