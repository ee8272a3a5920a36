package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code rais data} and {@code rais doctor} show, and downloads by way of the command. */
class DataCommandsTest {
  @TempDir Path folder;

  @Test
  void listShowsEveryDataSet() {
    Cli.Outcome outcome = Cli.rais("data", "list");
    assertEquals(0, outcome.code());
    List<String> lines = outcome.out().lines().toList();
    assertTrue(lines.get(0).matches("NAME +WHERE +LICENCE +WHAT"), lines.get(0));
    assertTrue(lines.get(1).matches("fashion-mnist-sample +built in +MIT +8,000 .*"));
    assertEquals(4, lines.size());
  }

  @Test
  void infoCountsTheClasses() {
    Cli.Outcome outcome = Cli.rais("data", "info", "fashion-mnist-sample");
    assertEquals(0, outcome.code());
    List<String> lines = outcome.out().lines().toList();
    assertTrue(lines.contains("licence    MIT"), outcome.out());
    assertTrue(lines.contains("images     28x28x1"), outcome.out());
    assertTrue(lines.contains("training   8,000"), outcome.out());
    assertTrue(lines.stream().anyMatch(l -> l.matches("mean +0\\.2864")), outcome.out());
    assertTrue(lines.stream().anyMatch(l -> l.matches("9 +Ankle boot +\\d+ +\\d+")));
  }

  @Test
  void builtInDataIsNotFetched() {
    Cli.Outcome outcome = Cli.rais("data", "fetch", "fashion-mnist-sample");
    assertEquals(1, outcome.code());
    assertTrue(outcome.err().contains("is built in"), outcome.err());
  }

  @Test
  void whatTheServerSendsWronglyIsRefused() throws IOException {
    Path published = Files.createDirectory(folder.resolve("published"));
    Files.writeString(published.resolve("train-images-idx3-ubyte.gz"), "wrong");
    Path to = folder.resolve("to");
    Cli.Outcome outcome = fetch(published, to, 0);
    assertEquals(1, outcome.code(), outcome.toString());
    assertTrue(outcome.err().contains("train-images-idx3-ubyte.gz"), outcome.err());
    assertFalse(outcome.err().contains("Exception"), outcome.err());
  }

  @Test
  void theBarEndsBeforeTheSentenceBegins() throws IOException {
    Cli.Outcome outcome = fetch(folder, folder.resolve("to"), 100);
    assertEquals(1, outcome.code(), outcome.toString());
    assertTrue(
        outcome.err().matches("(?s)(\\rmnist \\[ +] connecting *)+\n[^\r\n]+\n"), outcome.err());
  }

  private static Cli.Outcome fetch(Path published, Path to, int columns) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            Path file = published.resolve(exchange.getRequestURI().getPath().substring(1));
            if (Files.exists(file)) {
              exchange.sendResponseHeaders(200, Files.size(file));
              Files.copy(file, exchange.getResponseBody());
            } else {
              exchange.sendResponseHeaders(404, -1);
            }
          }
        });
    server.start();
    try {
      String address = "http://localhost:" + server.getAddress().getPort() + "/";
      return Cli.raisOn(
          columns, "data", "fetch", "mnist", "--to", to.toString(), "--mirror", address);
    } finally {
      server.stop(0);
    }
  }

  @Test
  void doctorFindsTheCpu() {
    Cli.Outcome outcome = Cli.rais("doctor");
    assertEquals(0, outcome.code(), outcome.toString());
    for (String row :
        List.of("RAIS ", "Java ", "system ", "processor ", "threads ", "memory ", "data cache ")) {
      assertTrue(outcome.out().lines().anyMatch(line -> line.startsWith(row)), row);
    }
    assertTrue(
        outcome.out().lines().anyMatch(line -> line.matches("backend cpu +available: .*")),
        outcome.out());
    assertTrue(
        outcome.out().lines().anyMatch(line -> line.matches("backend cuda +(not )?available: .*")),
        outcome.out());
  }
}
