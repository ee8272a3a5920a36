package dev.rais.report;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.rais.train.Metrics;
import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * The report of runs under way, served to browsers on this machine: {@code /} is the page, {@code
 * /events} tells by server-sent events when it is out of date. Nothing can be changed through it.
 *
 * <p>The page is made when a browser asks for it, at most once per evaluation, so that nobody who
 * does not look pays for it.
 */
public final class LiveReport implements ComparisonListener, AutoCloseable {
  private static final int HEARTBEAT_MILLIS = 10_000;
  private static final int LAST_LOOK_MILLIS = 5_000;

  private static final String SCRIPT =
      """
      <script>
      (() => {
        let busy = false, again = false;
        async function load() {
          if (busy) { again = true; return; }
          busy = true;
          try {
            const text = await (await fetch("/", {cache: "no-store"})).text();
            const page = new DOMParser().parseFromString(text, "text/html");
            const main = page.querySelector("main");
            if (main) { document.querySelector("main").replaceWith(main); }
          } catch (e) {
            // The run is over and its server gone; what is shown stays.
          }
          busy = false;
          if (again) { again = false; load(); }
        }
        const events = new EventSource("/events");
        events.onmessage = load;
        events.addEventListener("end", () => { events.close(); load(); });
      })();
      </script>
      """;

  private final List<String> classNames;
  private final HttpServer server;
  private final ExecutorService threads;

  /** A run as far as it is known. */
  private static final class State {
    final PlannedRun run;
    final List<Metrics> metrics;
    Optional<RunRecord> over = Optional.empty();

    State(PlannedRun run, List<Metrics> metrics) {
      this.run = run;
      this.metrics = new ArrayList<>(metrics);
    }

    RunRecord record() {
      return over.orElseGet(
          () ->
              new RunRecord(
                  run.directory(), run.config(), metrics, Optional.empty(), Optional.empty()));
    }
  }

  private final Map<PlannedRun, State> runs = new LinkedHashMap<>();
  private long version;
  private boolean ended;
  private int listeners;

  /** The page of a version, made on request. */
  private byte[] page;

  private long pageVersion = -1;

  /** Serialises making the page, apart from the lock, which training needs. */
  private final Object making = new Object();

  /**
   * Begins to serve.
   *
   * @param port 0 for any that is free
   * @param classNames names of the classes
   * @throws RunFileException if the port is taken
   */
  public LiveReport(int port, List<String> classNames) {
    this.classNames = List.copyOf(classNames);
    try {
      server =
          HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port), 0);
    } catch (IOException e) {
      throw new RunFileException(
          "cannot serve the report on 127.0.0.1:%d: %s; choose another port or none"
              .formatted(port, e.getMessage()),
          e);
    }
    threads =
        Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("rais-report-", 0).factory());
    server.setExecutor(threads);
    server.createContext("/", this::serve);
    server.start();
  }

  /** Where browsers find it. */
  public String address() {
    return "http://127.0.0.1:" + server.getAddress().getPort() + "/";
  }

  @Override
  public synchronized void begun(PlannedRun run, long iteration, List<Metrics> history) {
    runs.put(run, new State(run, history));
    changed();
  }

  @Override
  public synchronized void evaluated(PlannedRun run, Metrics metrics) {
    List<Metrics> known = runs.computeIfAbsent(run, key -> new State(run, List.of())).metrics;
    // A run that went back to a checkpoint comes by there again.
    known.removeIf(before -> before.iteration() >= metrics.iteration());
    known.add(metrics);
    changed();
  }

  @Override
  public synchronized void over(PlannedRun run, RunRecord record) {
    runs.computeIfAbsent(run, key -> new State(run, List.of())).over = Optional.of(record);
    changed();
  }

  private void changed() {
    version++;
    notifyAll();
  }

  private void serve(HttpExchange exchange) throws IOException {
    try (exchange) {
      int port = server.getAddress().getPort();
      String host = exchange.getRequestHeaders().getFirst("Host");
      // A page from elsewhere could otherwise read this one through a name of its own.
      if (!isOurs(host, port)) {
        refuse(exchange, 403, "this report is for 127.0.0.1:" + port);
      } else if (!exchange.getRequestMethod().equals("GET")) {
        exchange.getResponseHeaders().set("Allow", "GET");
        refuse(exchange, 405, "this report can only be read");
      } else {
        switch (exchange.getRequestURI().getPath()) {
          case "/" -> answerPage(exchange);
          case "/events" -> events(exchange);
          default -> refuse(exchange, 404, "there is only / and /events");
        }
      }
    }
  }

  /** Browsers leave out the port that addresses have without one. */
  static boolean isOurs(String host, int port) {
    return List.of("127.0.0.1", "localhost").stream()
        .anyMatch(name -> (name + ":" + port).equals(host) || port == 80 && name.equals(host));
  }

  private static void refuse(HttpExchange exchange, int code, String why) throws IOException {
    answer(
        exchange, code, "text/plain; charset=utf-8", (why + "\n").getBytes(StandardCharsets.UTF_8));
  }

  private static void answer(HttpExchange exchange, int code, String type, byte[] body)
      throws IOException {
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.getResponseHeaders().set("Cache-Control", "no-store");
    exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
    exchange.sendResponseHeaders(code, body.length);
    exchange.getResponseBody().write(body);
  }

  private void answerPage(HttpExchange exchange) throws IOException {
    byte[] made;
    try {
      made = page();
    } catch (RuntimeException e) {
      // Else the connection would end without a word.
      refuse(exchange, 500, "the report cannot be made: " + e.getMessage());
      return;
    }
    answer(exchange, 200, "text/html; charset=utf-8", made);
  }

  private byte[] page() {
    synchronized (making) {
      Map<String, List<RunRecord>> now = new LinkedHashMap<>();
      long wanted;
      synchronized (this) {
        if (pageVersion == version) {
          return page;
        }
        wanted = version;
        for (State state : runs.values()) {
          now.computeIfAbsent(state.run.label(), label -> new ArrayList<>()).add(state.record());
        }
      }
      String html =
          now.isEmpty()
              ? "<!DOCTYPE html><title>RAIS</title><main>Nothing is trained yet.</main>" + SCRIPT
              : ReportPage.of(now, classNames, SCRIPT).html();
      byte[] made = html.getBytes(StandardCharsets.UTF_8);
      synchronized (this) {
        page = made;
        pageVersion = wanted;
        notifyAll();
      }
      return made;
    }
  }

  private void events(HttpExchange exchange) throws IOException {
    exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
    exchange.getResponseHeaders().set("Cache-Control", "no-store");
    exchange.sendResponseHeaders(200, 0);
    OutputStream out = exchange.getResponseBody();
    long told;
    synchronized (this) {
      listeners++;
      told = version;
    }
    try {
      // What changed since the browser got its page, or while it was cut off, it was not told.
      send(out, "data: " + told + "\n\n");
      while (true) {
        boolean end;
        boolean news;
        synchronized (this) {
          if (version == told && !ended) {
            wait(HEARTBEAT_MILLIS);
          }
          news = version != told;
          end = ended;
          told = version;
        }
        if (end) {
          send(out, "event: end\ndata: " + told + "\n\n");
          return;
        }
        send(out, news ? "data: " + told + "\n\n" : ": still there\n\n");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      synchronized (this) {
        listeners--;
        notifyAll();
      }
    }
  }

  private static void send(OutputStream out, String text) throws IOException {
    out.write(text.getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  /** Ends; browsers that look get the last state before. */
  @Override
  public void close() {
    synchronized (this) {
      boolean watched = listeners > 0;
      ended = true;
      notifyAll();
      long deadline = System.nanoTime() + LAST_LOOK_MILLIS * 1_000_000L;
      try {
        while (watched && pageVersion != version && System.nanoTime() - deadline < 0) {
          wait(100);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    // Exchanges under way get a second to be done.
    server.stop(1);
    threads.shutdownNow();
  }
}
