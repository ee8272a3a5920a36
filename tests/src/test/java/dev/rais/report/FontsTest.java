package dev.rais.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.train.RunRecord;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Without fonts a sentence says what is wanting, on a system whose folders of fonts are hidden. */
class FontsTest {
  private static final String FOLDER = "/usr/share/fonts";
  private static final String UNSHARE = "/usr/bin/unshare";

  @TempDir Path folder;

  @Test
  void whatIsWantingIsSaid() throws Exception {
    assumeTrue(Files.isDirectory(Path.of(FOLDER)), "no " + FOLDER);
    assumeTrue(Files.isExecutable(Path.of(UNSHARE)), "no " + UNSHARE);
    assumeTrue(hiding("true").waitFor() == 0, "unshare is not allowed");
    Path configuration =
        Files.writeString(
            folder.resolve("fonts.conf"), "<?xml version=\"1.0\"?><fontconfig></fontconfig>");
    Process child =
        hiding(
            "FONTCONFIG_FILE=\"$1\" && export FONTCONFIG_FILE && shift"
                + " && exec \"$1\" -Djava.awt.headless=true -cp \"$2\" \"$3\" \"$4\"",
            configuration.toString(),
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            System.getProperty("java.class.path"),
            WithoutFonts.class.getName(),
            folder.toString());
    String out = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(child.waitFor(60, TimeUnit.SECONDS));
    List<String> lines = out.lines().filter(line -> line.startsWith("> ")).toList();
    assertEquals(3, lines.size(), out);
    String advice = "install fontconfig and a font, for example fonts-dejavu-core";
    assertTrue(lines.get(0).startsWith("> plots cannot be drawn") && out.contains(advice), out);
    assertTrue(lines.get(1).startsWith("> contact sheets cannot be drawn"), out);
    assertTrue(lines.get(2).startsWith("> 500 the report cannot be made: plots cannot"), out);
  }

  /** Runs a command where there is nothing in the folder of fonts. */
  private static Process hiding(String command, String... arguments) throws IOException {
    List<String> line =
        new ArrayList<>(
            List.of(
                UNSHARE, "-rm", "sh", "-c", "mount -t tmpfs none " + FOLDER + " && " + command));
    line.add("sh");
    line.addAll(List.of(arguments));
    return new ProcessBuilder(line).redirectErrorStream(true).start();
  }

  /** What is run there. */
  static final class WithoutFonts {
    private WithoutFonts() {}

    public static void main(String[] args) throws Exception {
      RunRecord run = Runs.run("rais", 0, 1, 0.3, 0.2);
      say(() -> ReportPage.of(Map.of("rais", List.of(run)), List.of()));
      Dataset data = Datasets.load("fashion-mnist-sample", null);
      say(() -> new CaptionedSheet(data).write(Path.of(args[0], "sheet.png"), List.of()));
      try (LiveReport live = new LiveReport(0, List.of());
          HttpClient client = HttpClient.newHttpClient()) {
        live.over(new PlannedRun("rais", run.config(), run.directory()), run);
        HttpResponse<String> response =
            client.send(
                HttpRequest.newBuilder(URI.create(live.address())).build(),
                HttpResponse.BodyHandlers.ofString());
        System.out.println("> " + response.statusCode() + " " + response.body().strip());
      }
    }

    private static void say(Runnable drawing) {
      try {
        drawing.run();
        System.out.println("> drawn");
      } catch (IllegalStateException e) {
        System.out.println("> " + e.getMessage());
      }
    }
  }
}
