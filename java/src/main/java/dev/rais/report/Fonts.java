package dev.rais.report;

import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;

/** Pictures with text need a font to be installed, which Java does not bring along. */
final class Fonts {
  private Fonts() {}

  /**
   * Checks that text can be drawn.
   *
   * @param what is to be drawn, in the plural
   * @throws IllegalStateException if not, with what to do
   */
  static void require(String what) {
    Graphics2D graphics = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB).createGraphics();
    try {
      graphics.getFontMetrics(new Font(Font.SANS_SERIF, Font.PLAIN, 12)).stringWidth("x");
    } catch (RuntimeException | Error e) {
      if (e instanceof OutOfMemoryError) {
        throw e;
      }
      // What Java throws where it finds no fonts differs; a mere Error is among it.
      throw new IllegalStateException(
          "%s cannot be drawn, probably for want of fonts (%s); install fontconfig and a font, for example fonts-dejavu-core"
              .formatted(what, e),
          e);
    } finally {
      graphics.dispose();
    }
  }
}
