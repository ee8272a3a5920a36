package dev.rais.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The live report shows what was evaluated, tells of news, and can only be read. */
@Timeout(60)
class LiveReportTest {
  private final HttpClient client = HttpClient.newHttpClient();
  private final RunRecord rais = Runs.run("rais", 0, 1, 0.5, 0.3, 0.1);
  private final PlannedRun run = new PlannedRun("rais", rais.config(), rais.directory());

  private HttpRequest.Builder request(LiveReport live, String path) {
    return HttpRequest.newBuilder(URI.create(live.address()).resolve(path));
  }

  private String page(LiveReport live) throws IOException, InterruptedException {
    var response = client.send(request(live, "/").build(), BodyHandlers.ofString());
    assertEquals(200, response.statusCode());
    return response.body();
  }

  @Test
  void thePageFollowsTheRun() throws Exception {
    try (LiveReport live = new LiveReport(0, List.of("cat", "dog"))) {
      assertTrue(live.address().startsWith("http://127.0.0.1:"), live.address());
      assertTrue(page(live).contains("Nothing is trained yet"));
      live.begun(run, 0, List.of());
      assertTrue(page(live).contains("<h1>RAIS: mlp on data</h1>"));
      assertFalse(page(live).contains("<figure>"), "nothing to plot yet");
      live.evaluated(run, rais.metrics().get(0));
      String first = page(live);
      assertTrue(first.contains("<figure>"));
      assertTrue(first.contains("new EventSource(\"/events\")"));
      assertEquals(first, page(live), "made once");
      live.evaluated(run, rais.metrics().get(1));
      assertFalse(first.equals(page(live)), "and again when there is news");
      live.over(run, rais);
      assertTrue(page(live).contains("10.00 %"), "the final test error");
    }
  }

  @Test
  void listenersAreToldOfNewsAndOfTheEnd() throws Exception {
    CompletableFuture<List<String>> seen;
    CompletableFuture<Void> connected = new CompletableFuture<>();
    try (LiveReport live = new LiveReport(0, List.of())) {
      live.begun(run, 0, List.of());
      seen =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  var response =
                      client.send(request(live, "/events").build(), BodyHandlers.ofLines());
                  assertEquals(
                      "text/event-stream",
                      response.headers().firstValue("Content-Type").orElseThrow());
                  try (Stream<String> lines = response.body()) {
                    return lines
                        .peek(line -> connected.complete(null))
                        .filter(line -> line.startsWith("data") || line.startsWith("event"))
                        .toList();
                  }
                } catch (IOException | InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              });
      connected.get(10, TimeUnit.SECONDS);
      live.evaluated(run, rais.metrics().get(0));
      Thread.sleep(300);
      page(live);
    }
    // The first one at once: the page may be from before.
    assertEquals(
        List.of("data: 1", "data: 2", "event: end", "data: 2"), seen.get(10, TimeUnit.SECONDS));
  }

  /** It evaluates again what it had come to before. */
  @Test
  void aRunThatGoesBackIsShownOnce() throws Exception {
    try (LiveReport live = new LiveReport(0, List.of());
        LiveReport straight = new LiveReport(0, List.of())) {
      for (int at : new int[] {0, 1, 2, 1}) {
        live.evaluated(run, rais.metrics().get(at));
      }
      for (int at : new int[] {0, 1}) {
        straight.evaluated(run, rais.metrics().get(at));
      }
      assertEquals(plotted(straight), plotted(live));
    }
  }

  /** The plots, in which each drawing numbers its clip paths anew. */
  private List<String> plotted(LiveReport live) throws IOException, InterruptedException {
    return Pattern.compile("base64,([^\"]*)\"")
        .matcher(page(live))
        .results()
        .map(m -> new String(Base64.getDecoder().decode(m.group(1)), StandardCharsets.UTF_8))
        .map(svg -> svg.replaceAll("clip-?\\d+", "clip"))
        .toList();
  }

  @Test
  void addressesMayLeaveOutPort80() {
    assertTrue(LiveReport.isOurs("127.0.0.1:8080", 8080));
    assertTrue(LiveReport.isOurs("localhost:8080", 8080));
    assertTrue(LiveReport.isOurs("localhost", 80), "as browsers write port 80");
    assertFalse(LiveReport.isOurs("localhost", 8080));
    assertFalse(LiveReport.isOurs("elsewhere.example", 80));
    assertFalse(LiveReport.isOurs(null, 80));
  }

  @Test
  void itCanOnlyBeReadAndOnlyFromHere() throws Exception {
    try (LiveReport live = new LiveReport(0, List.of())) {
      for (String method : List.of("POST", "PUT", "DELETE")) {
        var response =
            client.send(
                request(live, "/").method(method, HttpRequest.BodyPublishers.ofString("x")).build(),
                BodyHandlers.ofString());
        assertEquals(405, response.statusCode(), method);
      }
      var other = client.send(request(live, "/etc").build(), BodyHandlers.ofString());
      assertEquals(404, other.statusCode());
      int port = URI.create(live.address()).getPort();
      try (Socket socket = new Socket(InetAddress.getByName("127.0.0.1"), port)) {
        socket
            .getOutputStream()
            .write(
                "GET / HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n"
                    .getBytes(StandardCharsets.US_ASCII));
        String status =
            new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine();
        assertEquals("HTTP/1.1 403 Forbidden", status);
      }
      RunFileException taken =
          assertThrows(RunFileException.class, () -> new LiveReport(port, List.of()));
      assertTrue(
          taken.getMessage().contains("cannot serve the report on 127.0.0.1:" + port),
          taken.getMessage());
    }
  }
}
