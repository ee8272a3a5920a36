package dev.rais.data;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A web server on this machine that serves one content under every name below /data/, and whose
 * next answers a test can replace by bad ones.
 */
final class FileServer implements AutoCloseable {
  /** One answer to one request. */
  interface Answer {
    void give(HttpExchange exchange) throws IOException;
  }

  private final byte[] content;
  private final HttpServer server;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Queue<Answer> answers = new ConcurrentLinkedQueue<>();
  private final List<String> ranges = new CopyOnWriteArrayList<>();

  FileServer(byte[] content) throws IOException {
    this.content = content;
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext(
        "/data/",
        exchange -> {
          try (exchange) {
            String range = exchange.getRequestHeaders().getFirst("Range");
            ranges.add(range == null ? "" : range);
            Answer next = answers.poll();
            (next == null ? (Answer) this::serve : next).give(exchange);
          }
        });
    server.start();
  }

  URI base() {
    return URI.create("http://localhost:" + server.getAddress().getPort() + "/data/");
  }

  /** The Range header of each request so far, "" for none. */
  List<String> ranges() {
    return ranges;
  }

  /** Gives the next request that has none yet this answer; without any the server behaves well. */
  void next(Answer answer) {
    answers.add(answer);
  }

  void nextStatus(int status) {
    next(exchange -> exchange.sendResponseHeaders(status, -1));
  }

  /** Answers with this body, whatever was asked for. */
  void nextBody(byte[] body) {
    next(exchange -> send(exchange, 200, body));
  }

  /** Answers with this body without saying how long it will be. */
  void nextBodyOfUnknownLength(byte[] body) {
    next(
        exchange -> {
          exchange.sendResponseHeaders(200, 0);
          exchange.getResponseBody().write(body);
        });
  }

  /** Promises everything, sends {@code length} bytes, hangs up. */
  void nextCutAfter(int length) {
    next(exchange -> begin(exchange, length));
  }

  /** Promises everything, sends {@code length} bytes, then nothing until the test ends. */
  void nextStallAfter(int length) {
    next(
        exchange -> {
          begin(exchange, length);
          try {
            closing.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
  }

  static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
  }

  private void begin(HttpExchange exchange, int length) throws IOException {
    exchange.sendResponseHeaders(200, content.length);
    exchange.getResponseBody().write(content, 0, length);
    exchange.getResponseBody().flush();
  }

  /** The whole content, or what Range asks for. */
  private void serve(HttpExchange exchange) throws IOException {
    String range = exchange.getRequestHeaders().getFirst("Range");
    if (range == null) {
      send(exchange, 200, content);
      return;
    }
    int from = Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
    exchange
        .getResponseHeaders()
        .set("Content-Range", "bytes " + from + "-" + (content.length - 1) + "/" + content.length);
    send(exchange, 206, Arrays.copyOfRange(content, from, content.length));
  }

  @Override
  public void close() {
    closing.countDown();
    server.stop(0);
    threads.shutdownNow();
  }
}
