package dev.rais.data;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.stream.FileImageInputStream;
import javax.imageio.stream.ImageInputStream;

/**
 * Reads a PNG or JPEG file as one image for a network: unsigned bytes [height, width, channels] of
 * the size the network wants, whatever size and colours the file has.
 */
public final class ImageFiles {
  static final int MAX_SIDE = 16_384;
  static final long MAX_PIXELS = 64L << 20;

  /** Deflate packs at most this many bytes into one. */
  private static final long MOST_DEFLATED = 1032;

  /** Every block of 8x8 pixels takes a bit at least. */
  private static final long MOST_JPEG_PIXELS = 8 * 64;

  private static final List<String> FORMATS = List.of("png", "jpeg");

  private ImageFiles() {}

  /**
   * Reads and converts an image. It is stretched to the wanted size (averaging where it shrinks,
   * interpolating where it grows); transparent parts show white; colours turn grey by luma (Rec.
   * 601). A JPEG's orientation tag is not applied.
   *
   * @param channels 1 for grey, 3 for red, green, blue
   * @return unsigned bytes [height, width, channels]
   * @throws DataException if the file is missing, no PNG or JPEG, damaged, or larger than 16,384
   *     pixels a side or 64 Mi pixels
   */
  public static byte[] read(Path file, int height, int width, int channels) {
    if (channels != 1 && channels != 3) {
      throw new DataException(
          "an image file can be read with 1 or 3 channels, not with %d".formatted(channels));
    }
    ImageSet.requiredBytes(1, height, width, channels);
    return Resampling.resize(PixelSource.of(decode(file), channels), height, width);
  }

  /** Decodes a PNG or JPEG file as it is; its size is checked before. */
  static BufferedImage decode(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new DataException("%s is no file; give a PNG or JPEG image".formatted(file));
    }
    // A file stream, not ImageIO's default, which first copies everything to a temporary file.
    try (ImageInputStream in = new FileImageInputStream(file.toFile())) {
      ImageReader reader = readerFor(file, in);
      try {
        // Metadata is ignored: it may unpack to far more than the image itself.
        reader.setInput(in, true, true);
        requireSize(file, reader.getWidth(0), reader.getHeight(0));
        requirePlausible(file, reader, in.length());
        List<String> warnings = new ArrayList<>();
        reader.addIIOReadWarningListener((source, warning) -> warnings.add(warning));
        BufferedImage image = reader.read(0);
        requireWhole(file, warnings);
        return image;
      } finally {
        reader.dispose();
      }
    } catch (DataException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // On damaged files the JDK's readers also throw IllegalArgumentException and its like.
      throw new DataException(
          "%s cannot be read as an image (%s); save it again as PNG"
              .formatted(file, e.getMessage()),
          e);
    }
  }

  private static ImageReader readerFor(Path file, ImageInputStream in) throws IOException {
    for (Iterator<ImageReader> readers = ImageIO.getImageReaders(in); readers.hasNext(); ) {
      ImageReader reader = readers.next();
      if (FORMATS.contains(reader.getFormatName().toLowerCase(Locale.ROOT))) {
        return reader;
      }
      reader.dispose();
    }
    throw new DataException("%s is neither PNG nor JPEG; save it as PNG".formatted(file));
  }

  /** The JDK only warns of a JPEG that ends early, and makes the rest up. */
  private static void requireWhole(Path file, List<String> warnings) {
    for (String warning : warnings) {
      String lower = warning.toLowerCase(Locale.ROOT);
      if (lower.contains("truncated") || lower.contains("premature end")) {
        throw new DataException(
            "%s is cut off (%s); copy it again or save it as PNG".formatted(file, warning));
      }
    }
  }

  /** A header of a few bytes must not make us take memory for an image that cannot follow. */
  private static void requirePlausible(Path file, ImageReader reader, long numBytes)
      throws IOException {
    long pixels = (long) reader.getWidth(0) * reader.getHeight(0);
    Iterator<ImageTypeSpecifier> types = reader.getImageTypes(0);
    if (!types.hasNext()) {
      throw new IOException("colours of an unknown kind");
    }
    int bits = types.next().getColorModel().getPixelSize();
    boolean png = reader.getFormatName().equalsIgnoreCase("png");
    long most = png ? numBytes * MOST_DEFLATED * Byte.SIZE / bits : numBytes * MOST_JPEG_PIXELS;
    if (pixels > most) {
      throw new DataException(
          "%s claims to be %d pixels wide and %d high, which its %d bytes cannot hold; copy it again"
              .formatted(file, reader.getWidth(0), reader.getHeight(0), numBytes));
    }
  }

  private static void requireSize(Path file, int width, int height) {
    if (width > MAX_SIDE || height > MAX_SIDE || (long) width * height > MAX_PIXELS) {
      throw new DataException(
          "%s is %d pixels wide and %d high, but at most %d a side and %d in all are read; make it smaller first"
              .formatted(file, width, height, MAX_SIDE, MAX_PIXELS));
    }
  }
}
