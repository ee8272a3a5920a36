package dev.rais.data;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.util.stream.IntStream;

/**
 * A decoded image seen as rows of channel values from 0 to 255: grey or red, green, blue, over
 * white where it is transparent.
 */
interface PixelSource {
  int height();

  int width();

  int channels();

  /** Writes row {@code y}, [width, channels], to {@code values}. */
  void readRow(int y, float[] values);

  /** {@code image} with 1 (grey) or 3 (red, green, blue) channels. */
  static PixelSource of(BufferedImage image, int channels) {
    // Java takes grey files for linear light, so getRGB would brighten them: mid-grey 128 would
    // become 188. The file's own values are what the training images have too.
    return isGrey(image) ? new Grey(image, channels) : new Colour(image, channels);
  }

  /** The channels that the image itself has, transparency apart: 1 (grey) or 3. */
  static int channelsOf(BufferedImage image) {
    return isGrey(image) || isGreyOfFewBits(image) ? 1 : 3;
  }

  /**
   * Java shows grey of 1, 2 or 4 bits as a palette of equal steps from black to white. Its sRGB
   * values are the file's own, so {@link Colour} reads it.
   */
  private static boolean isGreyOfFewBits(BufferedImage image) {
    if (!(image.getColorModel() instanceof IndexColorModel palette)) {
      return false;
    }
    int last = (1 << palette.getPixelSize()) - 1;
    if (palette.getMapSize() != last + 1) {
      return false;
    }
    return IntStream.rangeClosed(0, last)
        .allMatch(i -> palette.getRGB(i) == (0xff000000 | i * 255 / last * 0x010101));
  }

  private static boolean isGrey(BufferedImage image) {
    ColorModel model = image.getColorModel();
    return model instanceof ComponentColorModel
        && model.getColorSpace().getType() == ColorSpace.TYPE_GRAY;
  }

  /** Grey files, with or without transparency, of any depth. */
  record Grey(BufferedImage image, int channels) implements PixelSource {
    @Override
    public int height() {
      return image.getHeight();
    }

    @Override
    public int width() {
      return image.getWidth();
    }

    @Override
    public void readRow(int y, float[] values) {
      Raster raster = image.getRaster();
      ColorModel model = image.getColorModel();
      float greyScale = 255f / ((1 << model.getComponentSize(0)) - 1);
      float alphaScale = model.hasAlpha() ? 1f / ((1 << model.getComponentSize(1)) - 1) : 0;
      for (int x = 0, at = 0; x < width(); x++) {
        float grey = raster.getSample(x, y, 0) * greyScale;
        float alpha = model.hasAlpha() ? raster.getSample(x, y, 1) * alphaScale : 1;
        for (int c = 0; c < channels; c++) {
          values[at++] = overWhite(grey, alpha);
        }
      }
    }
  }

  /** Everything else, by its sRGB values. */
  record Colour(BufferedImage image, int channels) implements PixelSource {
    @Override
    public int height() {
      return image.getHeight();
    }

    @Override
    public int width() {
      return image.getWidth();
    }

    @Override
    public void readRow(int y, float[] values) {
      int[] argb = image.getRGB(0, y, width(), 1, null, 0, width());
      for (int x = 0, at = 0; x < argb.length; x++) {
        float alpha = (argb[x] >>> 24) / 255f;
        float red = overWhite(argb[x] >> 16 & 0xff, alpha);
        float green = overWhite(argb[x] >> 8 & 0xff, alpha);
        float blue = overWhite(argb[x] & 0xff, alpha);
        if (channels == 1) {
          values[at++] = 0.299f * red + 0.587f * green + 0.114f * blue;
        } else {
          values[at++] = red;
          values[at++] = green;
          values[at++] = blue;
        }
      }
    }
  }

  private static float overWhite(float value, float alpha) {
    return value * alpha + 255 * (1 - alpha);
  }
}
