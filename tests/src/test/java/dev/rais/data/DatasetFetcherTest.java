package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.rais.data.KnownDataset.RemoteFile;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
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

  private HttpServer server;
  private ExecutorService serverThreads;
  private final CountDownLatch stallEnds = new CountDownLatch(1);

  /** What the server does with the next requests; when it runs out, it behaves well. */
  private final Deque<Answer> answers = new ArrayDeque<>();

  /** The Range header of each request, "" for none. */
  private final List<String> ranges = Collections.synchronizedList(new ArrayList<>());

  private interface Answer {
    void give(HttpExchange exchange) throws IOException;
  }

  @BeforeEach
  void startServer() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    serverThreads = Executors.newVirtualThreadPerTaskExecutor();
    server.setExecutor(serverThreads);
    server.createContext(
        "/data/",
        exchange -> {
          try (exchange) {
            String range = exchange.getRequestHeaders().getFirst("Range");
            ranges.add(range == null ? "" : range);
            Answer answer = answers.poll();
            (answer == null ? (Answer) this::serve : answer).give(exchange);
          }
        });
    server.start();
  }

  @AfterEach
  void stopServer() {
    stallEnds.countDown();
    server.stop(0);
    serverThreads.shutdownNow();
  }

  @Test
  void downloadsWhatIsMissingAndReportsProgress() throws IOException {
    Path directory = folder.resolve("new/folder");
    List<Long> done = new ArrayList<>();
    List<RemoteFile> files = List.of(expecting("a.gz", CONTENT), expecting("b.gz", CONTENT));
    DatasetFetcher.fetch(
        files,
        base(),
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
    assertEquals(List.of(), ranges);
  }

  @Test
  void replacesAFileThatIsWrong() throws IOException {
    Files.write(folder.resolve("a.gz"), OTHER);
    fetch(1);
    assertArrived();
  }

  @Test
  void resumesAfterACutConnection() throws IOException {
    answers.add(exchange -> cut(exchange, 100_000));
    fetch(2);
    assertArrived();
    assertEquals("", ranges.get(0));
    assertTrue(ranges.get(1).matches("bytes=[1-9][0-9]*-"), ranges.toString());
  }

  @Test
  void resumesWhatAnEarlierRunLeft() throws IOException {
    answers.add(exchange -> cut(exchange, 100_000));
    assertThrows(DataException.class, () -> fetch(1));
    assertEquals(List.of("a.gz.part"), names(folder));
    fetch(1);
    assertArrived();
    assertTrue(ranges.get(1).startsWith("bytes="), ranges.toString());
  }

  @Test
  void startsAgainWhenTheServerIgnoresRange() throws IOException {
    Files.write(folder.resolve("a.gz.part"), Arrays.copyOf(CONTENT, 1000));
    answers.add(exchange -> send(exchange, 200, CONTENT));
    fetch(1);
    assertArrived();
    assertEquals(List.of("bytes=1000-"), ranges);
  }

  @Test
  void startsAgainWhenTheServerCannotResume() throws IOException {
    Files.write(folder.resolve("a.gz.part"), Arrays.copyOf(CONTENT, 1000));
    answers.add(exchange -> exchange.sendResponseHeaders(416, -1));
    fetch(2);
    assertArrived();
    assertEquals(List.of("bytes=1000-", ""), ranges);
  }

  @Test
  void startsAgainWhenTheServerResumesElsewhere() throws IOException {
    Files.write(folder.resolve("a.gz.part"), Arrays.copyOf(CONTENT, 1000));
    answers.add(
        exchange -> {
          exchange.getResponseHeaders().set("Content-Range", "bytes 0-299999/300000");
          send(exchange, 206, CONTENT);
        });
    fetch(2);
    assertArrived();
  }

  @Test
  void startsAgainWhenTheBeginningWasOfAnotherFile() throws IOException {
    Files.write(folder.resolve("a.gz.part"), Arrays.copyOf(OTHER, 1000));
    fetch(2);
    assertArrived();
    assertEquals(List.of("bytes=1000-", ""), ranges);
  }

  @Test
  void completesAPartThatOnlyLacksItsName() throws IOException {
    Files.write(folder.resolve("a.gz.part"), CONTENT);
    fetch(1);
    assertArrived();
    assertEquals(List.of(), ranges);
  }

  @Test
  void refusesTheWrongChecksumAndKeepsNothing() throws IOException {
    answers.add(exchange -> send(exchange, 200, OTHER));
    refused(4, "does not have the expected SHA-256");
    assertEquals(1, ranges.size(), "the same server would send the same bytes again");
    assertEquals(List.of(), names(folder));
  }

  @Test
  void keepsTheOldFileWhenTheNewOneIsRefused() throws IOException {
    Files.write(folder.resolve("a.gz"), new byte[] {1, 2, 3});
    answers.add(exchange -> send(exchange, 200, OTHER));
    refused(1, "SHA-256");
    assertEquals(3, Files.size(folder.resolve("a.gz")));
  }

  @Test
  void refusesTheWrongLengthByItsHeader() throws IOException {
    answers.add(exchange -> send(exchange, 200, new byte[10]));
    refused(4, "should be 300000 bytes long but is 10 bytes long");
    assertEquals(1, ranges.size());
    assertEquals(List.of(), names(folder));
  }

  @Test
  void refusesABodyThatGoesOnAndOn() throws IOException {
    answers.add(exchange -> sendChunked(exchange, Arrays.copyOf(CONTENT, 5_000_000)));
    refused(4, "should be 300000 bytes long but goes on after that");
    assertEquals(List.of(), names(folder));
  }

  @Test
  void givesUpOnABodyThatStaysTruncated() throws IOException {
    answers.add(exchange -> sendChunked(exchange, Arrays.copyOf(CONTENT, 1000)));
    answers.add(exchange -> exchange.sendResponseHeaders(416, -1));
    answers.add(exchange -> sendChunked(exchange, Arrays.copyOf(CONTENT, 1000)));
    refused(3, "in 3 attempts (the connection ended after 1000 of 300000 bytes)");
    assertFalse(Files.exists(folder.resolve("a.gz")));
  }

  @Test
  void doesNotRepeatARequestForWhatIsNotThere() throws IOException {
    answers.add(exchange -> exchange.sendResponseHeaders(404, -1));
    refused(4, "/data/a.gz was answered with status 404");
    assertEquals(1, ranges.size());
    assertEquals(List.of(), names(folder));
  }

  @Test
  void triesAgainWhenTheServerIsBusy() throws IOException {
    answers.add(exchange -> exchange.sendResponseHeaders(503, -1));
    answers.add(exchange -> exchange.sendResponseHeaders(429, -1));
    fetch(3);
    assertArrived();
  }

  @Test
  void triesAgainWhenNoByteComesAnyMore() throws IOException {
    answers.add(
        exchange -> {
          exchange.sendResponseHeaders(200, CONTENT.length);
          exchange.getResponseBody().write(CONTENT, 0, 50_000);
          exchange.getResponseBody().flush();
          awaitEndOfTest();
        });
    FetchOptions impatient =
        new FetchOptions(Optional.empty(), 2, Duration.ZERO, Duration.ofMillis(300));
    fetch(impatient);
    assertArrived();
    assertEquals("bytes=50000-", ranges.get(1));
  }

  @Test
  void saysWhenNobodyAnswers() {
    server.stop(0);
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
  void anInterruptEndsTheDownload() {
    answers.add(exchange -> awaitEndOfTest());
    Thread.currentThread().interrupt();
    refused(4, "was interrupted");
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
    FetchOptions options = options(1).withMirror(URI.create(base() + "."));
    DataException e =
        assertThrows(
            DataException.class,
            () -> DatasetFetcher.fetch("mnist", folder, options, (n, d, t) -> {}));
    assertTrue(e.getMessage().contains("train-images-idx3-ubyte.gz should be 9912422"));
    assertThrows(
        DataException.class, () -> options.withMirror(URI.create("ftp://example.org/mnist/")));
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
        List.of(expecting("a.gz", CONTENT)), base(), folder, options, (name, done, total) -> {});
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

  private RemoteFile expecting(String name, byte[] content) {
    try {
      Path file = Files.write(Files.createTempFile("rais", ".expected"), content);
      String sha256 = FileDownload.sha256(file);
      Files.delete(file);
      return new RemoteFile(name, content.length, sha256);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private URI base() {
    return URI.create("http://localhost:" + server.getAddress().getPort() + "/data/");
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  /** A server as it should be: the whole file, or what Range asks for. */
  private void serve(HttpExchange exchange) throws IOException {
    String range = exchange.getRequestHeaders().getFirst("Range");
    if (range == null) {
      send(exchange, 200, CONTENT);
      return;
    }
    int from = Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
    exchange
        .getResponseHeaders()
        .set("Content-Range", "bytes " + from + "-" + (CONTENT.length - 1) + "/" + CONTENT.length);
    send(exchange, 206, Arrays.copyOfRange(CONTENT, from, CONTENT.length));
  }

  private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
  }

  /** Sends without saying how much it will be. */
  private static void sendChunked(HttpExchange exchange, byte[] body) throws IOException {
    exchange.sendResponseHeaders(200, 0);
    exchange.getResponseBody().write(body);
  }

  /** Promises everything, sends {@code length} bytes, hangs up. */
  private static void cut(HttpExchange exchange, int length) throws IOException {
    exchange.sendResponseHeaders(200, CONTENT.length);
    exchange.getResponseBody().write(CONTENT, 0, length);
    exchange.getResponseBody().flush();
  }

  private void awaitEndOfTest() {
    try {
      stallEnds.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
