package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.rais.data.KnownDataset.RemoteFile;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Downloads are https from beginning to end, whatever servers say. */
class SafeDownloadTest {
  private static final byte[] CONTENT = IdxBytes.counting(30_000);
  private static final String PASSWORD = "changeit";

  @TempDir Path folder;

  private SSLContext usual;
  private HttpsServer https;
  private FileServer http;

  @BeforeEach
  void startServers() throws Exception {
    usual = SSLContext.getDefault();
    http = new FileServer(CONTENT);
    https = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    SSLContext context = context(folder.resolve("keys.p12"));
    https.setHttpsConfigurator(new HttpsConfigurator(context));
    https.createContext("/data/", exchange -> answer(exchange, CONTENT));
    https.start();
    SSLContext.setDefault(context);
  }

  @AfterEach
  void stopServers() {
    SSLContext.setDefault(usual);
    https.stop(0);
    http.close();
  }

  /** A server's keys that this test's clients trust. */
  private static SSLContext context(Path keys) throws Exception {
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-keyalg",
                "EC",
                "-dname",
                "CN=localhost",
                "-ext",
                "san=dns:localhost",
                "-storetype",
                "PKCS12",
                "-storepass",
                PASSWORD,
                "-keystore",
                keys.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(keytool.getInputStream().readAllBytes());
    assertEquals(0, keytool.waitFor(), said);
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(keys)) {
      store.load(in, PASSWORD.toCharArray());
    }
    KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    own.init(store, PASSWORD.toCharArray());
    TrustManagerFactory trusted =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trusted.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(own.getKeyManagers(), trusted.getTrustManagers(), null);
    return context;
  }

  private static void answer(HttpExchange exchange, byte[] content) throws java.io.IOException {
    try (exchange) {
      FileServer.send(exchange, 200, content);
    }
  }

  private URI secure(String path) {
    return URI.create("https://localhost:" + https.getAddress().getPort() + path);
  }

  /** Has requests below a path of the https server sent elsewhere. */
  private void redirect(String path, String to) {
    https.createContext(
        path,
        exchange -> {
          try (exchange) {
            exchange.getResponseHeaders().set("Location", to);
            exchange.sendResponseHeaders(302, -1);
          }
        });
  }

  private void fetch(URI base) throws Exception {
    Path expected = Files.write(folder.resolve("expected"), CONTENT);
    RemoteFile file =
        new RemoteFile("a.gz", CONTENT.length, FileDownload.digest(expected, "SHA-256"));
    FetchOptions once =
        new FetchOptions(Optional.empty(), 1, Duration.ZERO, Duration.ofMinutes(10));
    DatasetFetcher.fetch(List.of(file), base, folder.resolve("to"), once, (n, d, t) -> {});
  }

  private void refused(URI base, String because) throws Exception {
    DataException e = assertThrows(DataException.class, () -> fetch(base));
    assertTrue(e.getMessage().contains(because), e.getMessage());
    assertFalse(Files.exists(folder.resolve("to/a.gz")));
    assertFalse(Files.exists(folder.resolve("to/a.gz.part")));
  }

  @Test
  void fromHttpsToHttpsIsFollowed() throws Exception {
    redirect("/moved/", secure("/data/a.gz").toString());
    fetch(secure("/moved/"));
    assertArrayEquals(CONTENT, Files.readAllBytes(folder.resolve("to/a.gz")));
  }

  @Test
  void fromHttpsToHttpIsNot() throws Exception {
    redirect("/moved/", http.base() + "a.gz");
    refused(secure("/moved/"), "status 302");
    assertEquals(List.of(), http.ranges(), "nothing was asked for there");
  }

  @Test
  void fromThisMachinesHttpNowhereIsFollowed() throws Exception {
    for (URI to : List.of(secure("/data/a.gz"), http.base().resolve("a.gz"))) {
      http.next(
          exchange -> {
            exchange.getResponseHeaders().set("Location", to.toString());
            exchange.sendResponseHeaders(302, -1);
          });
      refused(http.base(), "status 302");
    }
    assertEquals(2, http.ranges().size());
  }

  @Test
  void aServerThatNobodyVouchesForIsRefused() throws Exception {
    SSLContext.setDefault(usual);
    refused(secure("/data/"), "could not be downloaded");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://example.org/mnist/",
        "HTTP://example.org/",
        "http://localhost.example.org/",
        "http://127.0.0.1.example.org/",
        "http://localhost@example.org/",
        "ftp://example.org/",
        "file:///etc/",
        "https:///x",
        "example.org"
      })
  void mirrorsMustBeHttps(String address) {
    DataException e =
        assertThrows(
            DataException.class, () -> FetchOptions.defaults().withMirror(URI.create(address)));
    assertTrue(e.getMessage().contains("must start with https://"), e.getMessage());
  }

  @Test
  void theOwnMachineMayGoWithout() {
    for (String address : List.of("http://localhost:80/", "http://127.0.0.1/", "http://[::1]/")) {
      FetchOptions.defaults().withMirror(URI.create(address));
    }
  }

  @Test
  void everyKnownDataSetComesByHttps() {
    for (KnownDataset dataset : KnownDataset.all()) {
      dataset.download().ifPresent(d -> assertEquals("https", d.base().getScheme()));
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> new KnownDataset.Download(URI.create("http://example.org/"), List.of()));
  }
}
