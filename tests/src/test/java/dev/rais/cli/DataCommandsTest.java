package dev.rais.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
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
    for (String name : List.of("cifar10", "cifar100", "svhn")) {
      assertTrue(lines.stream().anyMatch(line -> line.startsWith(name + " ")), name);
    }
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
  void aFolderOfImagesIsImportedDescribedAndTrainedOn() throws IOException {
    Path images = photos(folder.resolve("photos"));
    String to = folder.resolve("sets").toString();
    Cli.Outcome imported =
        Cli.rais("data", "import", images.toString(), "--name", "my", "--to", to);
    assertEquals(0, imported.code(), imported.toString());
    assertTrue(
        imported.out().contains("32 training and 8 test images of 28x28x3 in 2 classes"),
        imported.out());
    assertTrue(imported.err().contains("40 of 40 images"), imported.err());
    Path sheet = folder.resolve("sheet.png");
    Cli.Outcome info =
        Cli.rais(
            "data", "info", "my", "--data-dir", to, "--json", "--contact-sheet", sheet.toString());
    assertEquals(0, info.code(), info.toString());
    assertTrue(
        info.lastLine().contains("\"classes\":[{\"name\":\"dark\",\"training\":16,\"test\":4},"),
        info.lastLine());
    assertTrue(info.lastLine().contains("\"height\":28,\"width\":28,\"channels\":3"), info.out());
    BufferedImage picture = ImageIO.read(sheet.toFile());
    assertEquals(10 * 30 + 2, picture.getWidth());
    assertEquals(2 * 30 + 2, picture.getHeight());
    assertEquals(0xff000000, picture.getRGB(2, 2) & 0xffe0e0e0, "the first row is dark");
    assertEquals(0xffe0e0e0, picture.getRGB(290, 50) & 0xffe0e0e0, "the second is bright");
    Cli.Outcome list = Cli.rais("data", "list", "--data-dir", to);
    assertTrue(list.out().lines().anyMatch(line -> line.startsWith("my ")), list.out());
    Cli.Outcome train =
        Cli.rais(
            "train",
            "--data",
            "my",
            "--data-dir",
            to,
            "--model",
            "mlp",
            "--batch-size",
            "8",
            "--epochs",
            "8",
            "--quiet",
            "--json");
    assertEquals(0, train.code(), train.toString());
    assertTrue(train.lastLine().contains("\"finalTestError\":0.0,"), train.lastLine());
  }

  @Test
  void anImportIsAllOrNothing() throws IOException {
    Path images = photos(folder.resolve("photos"));
    Path bad = Files.writeString(images.resolve("dark/zz.png"), "no image");
    Path to = folder.resolve("sets");
    String[] command = {"data", "import", images.toString(), "--name", "my", "--to", to.toString()};
    Cli.Outcome refused = Cli.rais(command);
    assertEquals(1, refused.code(), refused.toString());
    assertTrue(refused.err().contains("1 of 41 images in"), refused.err());
    assertTrue(refused.err().contains(bad.toString()), refused.err());
    assertFalse(Files.exists(to), "nothing half-imported");
    Cli.Outcome skipped =
        Cli.rais(
            java.util.stream.Stream.concat(
                    java.util.Arrays.stream(command), java.util.stream.Stream.of("--skip-bad"))
                .toArray(String[]::new));
    assertEquals(0, skipped.code(), skipped.toString());
    assertTrue(skipped.err().contains("left out: " + bad), skipped.err());
    assertTrue(skipped.out().contains("1 image left out"), skipped.out());
  }

  @Test
  void importOptionsThatMakeNoSense() {
    for (String[] wrong :
        new String[][] {{"--size", "32"}, {"--size", "0x4"}, {"--channels", "2"}}) {
      Cli.Outcome outcome =
          Cli.rais("data", "import", folder.toString(), "--name", "x", wrong[0], wrong[1]);
      assertEquals(2, outcome.code(), outcome.toString());
      assertEquals(1, outcome.err().lines().count(), outcome.err());
    }
  }

  /** Twenty dark and twenty bright images of 28x28. */
  private static Path photos(Path images) throws IOException {
    for (int k = 0; k < 40; k++) {
      Path directory = Files.createDirectories(images.resolve(k % 2 == 0 ? "dark" : "light"));
      BufferedImage image = new BufferedImage(28, 28, BufferedImage.TYPE_INT_RGB);
      for (int i = 0; i < 28 * 28; i++) {
        image.setRGB(i % 28, i / 28, (k % 2 == 0 ? 0 : 0xe0e0e0) + (i + k) % 16 * 0x010101);
      }
      ImageIO.write(image, "png", directory.resolve(k + ".png").toFile());
    }
    return images;
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
    for (String part : List.of("driver", "kernels", "cuBLAS", "cuDNN")) {
      assertTrue(
          outcome.out().lines().anyMatch(line -> line.matches(" +" + part + " +\\S.*")),
          outcome.out());
    }
  }
}
