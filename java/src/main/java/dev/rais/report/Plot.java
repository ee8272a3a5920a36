package dev.rais.report;

import dev.rais.train.RunFileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.internal.chartpart.Chart;

/**
 * A plot of a report.
 *
 * @param name of its files
 * @param section heading it belongs under
 * @param title what it shows
 * @param svg as SVG
 * @param chart what it is drawn from
 */
public record Plot(String name, String section, String title, String svg, Chart<?, ?> chart) {
  private static final int PNG_DPI = 144;

  static Plot of(String name, String section, Chart<?, ?> chart) {
    try {
      ByteArrayOutputStream svg = new ByteArrayOutputStream();
      VectorGraphicsEncoder.saveVectorGraphic(
          chart, svg, VectorGraphicsEncoder.VectorGraphicsFormat.SVG);
      return new Plot(
          name,
          section,
          chart.getTitle(),
          tidy(svg.toString(StandardCharsets.UTF_8), chart.getWidth(), chart.getHeight()),
          chart);
    } catch (IOException e) {
      throw new IllegalStateException("the plot %s cannot be drawn: %s".formatted(name, e), e);
    }
  }

  /** Sizes in pixels, so that pages can scale it, and a font name that browsers know. */
  private static String tidy(String svg, int width, int height) {
    int begin = svg.indexOf("<svg");
    int end = svg.indexOf('>', begin);
    String open =
        svg.substring(begin, end)
            .replaceAll(" (width|height|viewBox|x|y)=\"[^\"]*\"", "")
            .concat(
                String.format(
                    Locale.ROOT,
                    " width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"",
                    width,
                    height,
                    width,
                    height));
    String body = svg.substring(end).replace("SansSerif", "sans-serif");
    // Without the document type, which XML readers would fetch from the network.
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + open + body;
  }

  /**
   * As PNG, at twice the size.
   *
   * @throws RunFileException if the temporary file that it takes cannot be written
   */
  public byte[] png() {
    try {
      return drawn();
    } catch (IOException e) {
      throw new RunFileException("cannot draw %s: %s".formatted(name, e), e);
    }
  }

  private byte[] drawn() throws IOException {
    Path file = Files.createTempFile("rais-plot", ".png");
    try {
      BitmapEncoder.saveBitmapWithDPI(
          chart, file.toString(), BitmapEncoder.BitmapFormat.PNG, PNG_DPI);
      return Files.readAllBytes(file);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /**
   * Writes the plot as NAME.svg and NAME.png.
   *
   * @throws RunFileException if that fails
   */
  void write(Path folder) {
    try {
      Files.createDirectories(folder);
      Files.writeString(folder.resolve(name + ".svg"), svg);
      Files.write(folder.resolve(name + ".png"), png());
    } catch (IOException e) {
      throw new RunFileException("cannot write plots to %s: %s".formatted(folder, e), e);
    }
  }
}
