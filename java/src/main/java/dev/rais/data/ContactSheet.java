package dev.rais.data;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import javax.imageio.ImageIO;

/** A picture of what a data set shows: a row for each class, of images spread over the set. */
public final class ContactSheet {
  private static final int COLUMNS = 10;
  private static final int GAP = 2;
  private static final int LEAST_SIDE = 32;
  private static final int BACKGROUND = 0xffffff;

  private ContactSheet() {}

  /**
   * Writes a PNG with up to ten training images of each class, classes in order from top to bottom.
   *
   * @throws DataException if the file cannot be written
   */
  public static void write(Dataset data, Path file) {
    BufferedImage sheet = draw(data);
    try (OutputStream out = Files.newOutputStream(file)) {
      if (!ImageIO.write(sheet, "png", out)) {
        throw new IOException("this Java cannot write PNG files");
      }
    } catch (IOException e) {
      throw new DataException("the contact sheet %s cannot be written: %s".formatted(file, e), e);
    }
  }

  private static BufferedImage draw(Dataset data) {
    ImageSet train = data.train();
    int scale = Math.max(1, LEAST_SIDE / Math.max(train.height(), train.width()));
    int cellHeight = train.height() * scale + GAP;
    int cellWidth = train.width() * scale + GAP;
    BufferedImage sheet =
        new BufferedImage(
            COLUMNS * cellWidth + GAP,
            data.numClasses() * cellHeight + GAP,
            BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < sheet.getHeight(); y++) {
      for (int x = 0; x < sheet.getWidth(); x++) {
        sheet.setRGB(x, y, BACKGROUND);
      }
    }
    int[][] chosen = chosen(data);
    for (int k = 0; k < chosen.length; k++) {
      for (int column = 0; column < chosen[k].length; column++) {
        draw(
            train, chosen[k][column], scale, sheet, k * cellHeight + GAP, column * cellWidth + GAP);
      }
    }
    return sheet;
  }

  /** Indices of each class's images, evenly spread over those it has. */
  private static int[][] chosen(Dataset data) {
    ImageSet train = data.train();
    int[] counts = train.classCounts(data.numClasses());
    int[][] chosen = new int[counts.length][];
    Arrays.setAll(chosen, k -> new int[Math.min(COLUMNS, counts[k])]);
    int[] seen = new int[counts.length];
    int[] taken = new int[counts.length];
    for (int i = 0; i < train.count(); i++) {
      int k = train.label(i);
      if (taken[k] < chosen[k].length
          && seen[k] == (int) ((long) taken[k] * counts[k] / chosen[k].length)) {
        chosen[k][taken[k]++] = i;
      }
      seen[k]++;
    }
    return chosen;
  }

  /** Draws an image, each of its pixels as a square of {@code scale} pixels, onto a sheet. */
  public static void draw(
      ImageSet train, int index, int scale, BufferedImage sheet, int top, int left) {
    byte[] pixels = train.image(index);
    int channels = train.channels();
    for (int y = 0; y < train.height() * scale; y++) {
      for (int x = 0; x < train.width() * scale; x++) {
        int at = (y / scale * train.width() + x / scale) * channels;
        int red = pixels[at] & 0xff;
        int green = channels == 3 ? pixels[at + 1] & 0xff : red;
        int blue = channels == 3 ? pixels[at + 2] & 0xff : red;
        sheet.setRGB(left + x, top + y, red << 16 | green << 8 | blue);
      }
    }
  }
}
