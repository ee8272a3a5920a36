package dev.rais.report;

import dev.rais.data.ContactSheet;
import dev.rais.data.Dataset;
import dev.rais.train.RunFileException;
import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;

/** A picture of training images with their class and, in brackets, what they are taken for. */
final class CaptionedSheet {
  private static final int COLUMNS = 10;
  private static final int CELL_WIDTH = 108;
  private static final int LEAST_SIDE = 84;
  private static final int GAP = 6;
  private static final int FONT = 12;
  private static final int LINE = 15;
  private static final Color WRONG = new Color(0xb00020);

  private final Dataset data;

  CaptionedSheet(Dataset data) {
    this.data = data;
  }

  /**
   * Writes a PNG with the images in rows of ten: class, prediction in brackets, number of draws.
   *
   * @throws RunFileException if the file cannot be written
   * @throws IllegalStateException if there are no fonts
   */
  void write(Path file, List<Inspection.Example> examples) {
    Fonts.require("contact sheets");
    try (OutputStream out = Files.newOutputStream(file)) {
      if (!ImageIO.write(draw(examples), "png", out)) {
        throw new IOException("this Java cannot write PNG files");
      }
    } catch (IOException e) {
      throw new RunFileException("cannot write %s: %s".formatted(file, e), e);
    }
  }

  private BufferedImage draw(List<Inspection.Example> examples) {
    int height = data.train().height();
    int width = data.train().width();
    int scale = Math.max(1, LEAST_SIDE / Math.max(height, width));
    int cellWidth = Math.max(CELL_WIDTH, width * scale) + GAP;
    int cellHeight = height * scale + 3 * LINE + GAP;
    int rows = Math.max(1, Math.ceilDiv(examples.size(), COLUMNS));
    BufferedImage sheet =
        new BufferedImage(
            COLUMNS * cellWidth + GAP, rows * cellHeight + GAP, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = sheet.createGraphics();
    try {
      graphics.setColor(Color.WHITE);
      graphics.fillRect(0, 0, sheet.getWidth(), sheet.getHeight());
      graphics.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, FONT));
      for (int k = 0; k < examples.size(); k++) {
        Inspection.Example example = examples.get(k);
        int left = GAP + k % COLUMNS * cellWidth;
        int top = GAP + k / COLUMNS * cellHeight;
        ContactSheet.draw(data.train(), example.index(), scale, sheet, top, left);
        int line = top + height * scale + LINE - 3;
        graphics.setColor(Color.BLACK);
        text(graphics, data.classNames().get(example.label()), left, line, cellWidth - GAP);
        graphics.setColor(example.predicted() == example.label() ? Color.BLACK : WRONG);
        text(
            graphics,
            "[" + data.classNames().get(example.predicted()) + "]",
            left,
            line + LINE,
            cellWidth - GAP);
        graphics.setColor(Color.GRAY);
        text(graphics, "× " + example.draws(), left, line + 2 * LINE, cellWidth - GAP);
      }
    } finally {
      graphics.dispose();
    }
    return sheet;
  }

  /** Draws as much of a text as there is room for. */
  private static void text(Graphics2D graphics, String text, int left, int base, int room) {
    FontMetrics metrics = graphics.getFontMetrics();
    String shown = text;
    while (shown.length() > 1 && metrics.stringWidth(shown) > room) {
      shown = shown.substring(0, shown.length() - 2) + "…";
    }
    graphics.drawString(shown, left, base);
  }
}
