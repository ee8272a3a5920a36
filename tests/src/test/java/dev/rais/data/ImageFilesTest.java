package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.Raster;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an image file becomes for a network, and which files are refused. */
class ImageFilesTest {
  @TempDir Path folder;

  @Test
  void keepsTheValuesOfAGreyImageOfTheRightSize() throws IOException {
    BufferedImage image = new BufferedImage(16, 16, BufferedImage.TYPE_BYTE_GRAY);
    byte[] values = IdxBytes.counting(256);
    image.getRaster().setDataElements(0, 0, 16, 16, values);
    assertArrayEquals(values, ImageFiles.read(save(image, "png"), 16, 16, 1));
    byte[] rgb = ImageFiles.read(save(image, "png"), 16, 16, 3);
    assertArrayEquals(new byte[] {100, 100, 100}, Arrays.copyOfRange(rgb, 300, 303));
  }

  @Test
  void keepsTheValuesOfAColourImage() throws IOException {
    BufferedImage image = new BufferedImage(2, 1, BufferedImage.TYPE_INT_RGB);
    image.setRGB(0, 0, 0x102030);
    image.setRGB(1, 0, 0xff8001);
    byte[] expected = {0x10, 0x20, 0x30, (byte) 0xff, (byte) 0x80, 1};
    assertArrayEquals(expected, ImageFiles.read(save(image, "png"), 1, 2, 3));
  }

  @ParameterizedTest
  @CsvSource({"ff0000, 76", "00ff00, 150", "0000ff, 29", "ffffff, 255", "000000, 0"})
  void coloursTurnGreyByLuma(String rgb, int grey) throws IOException {
    BufferedImage image = new BufferedImage(3, 3, BufferedImage.TYPE_INT_RGB);
    Arrays.stream(new int[] {0, 1, 2, 3, 4, 5, 6, 7, 8})
        .forEach(i -> image.setRGB(i % 3, i / 3, Integer.parseInt(rgb, 16)));
    byte[] pixels = ImageFiles.read(save(image, "png"), 3, 3, 1);
    for (byte pixel : pixels) {
      assertEquals(grey, pixel & 0xff);
    }
  }

  @Test
  void readsSixteenBitsAndTransparency() throws IOException {
    BufferedImage deep = new BufferedImage(1, 1, BufferedImage.TYPE_USHORT_GRAY);
    deep.getRaster().setSample(0, 0, 0, 0x6464);
    assertEquals(100, ImageFiles.read(save(deep, "png"), 1, 1, 1)[0]);
    BufferedImage glass = new BufferedImage(3, 1, BufferedImage.TYPE_INT_ARGB);
    glass.setRGB(0, 0, 0x00000000);
    glass.setRGB(1, 0, 0xff000000);
    glass.setRGB(2, 0, 0x80000000);
    byte[] over = ImageFiles.read(save(glass, "png"), 1, 3, 1);
    assertArrayEquals(new byte[] {(byte) 255, 0, 127}, over, "transparent shows white");
  }

  @Test
  void readsJpeg() throws IOException {
    BufferedImage image = new BufferedImage(64, 48, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 64 * 48; i++) {
      image.setRGB(i % 64, i / 64, 0x808080);
    }
    for (byte pixel : ImageFiles.read(save(image, "jpg"), 28, 28, 1)) {
      assertEquals(128, pixel & 0xff, 2);
    }
  }

  @Test
  void shrinkingAveragesEveryPixel() throws IOException {
    // A checkerboard: any method that skips pixels gives black or white somewhere.
    BufferedImage board = new BufferedImage(140, 280, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 140 * 280; i++) {
      board.getRaster().setSample(i % 140, i / 140, 0, (i % 140 + i / 140) % 2 * 254);
    }
    for (byte pixel : ImageFiles.read(save(board, "png"), 28, 14, 1)) {
      assertEquals(127, pixel & 0xff, 0.5);
    }
    for (byte pixel : ImageFiles.read(save(board, "png"), 3, 3, 1)) {
      assertEquals(127, pixel & 0xff, 1.5);
    }
  }

  @Test
  void shrinkingByAFractionWeighsWhatIsPartlyCovered() throws IOException {
    BufferedImage image = new BufferedImage(3, 1, BufferedImage.TYPE_BYTE_GRAY);
    image.getRaster().setSamples(0, 0, 3, 1, 0, new int[] {0, 90, 240});
    byte[] two = ImageFiles.read(save(image, "png"), 1, 2, 1);
    assertArrayEquals(new byte[] {30, (byte) 190}, two);
  }

  @Test
  void growingInterpolates() throws IOException {
    BufferedImage image = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_GRAY);
    image.getRaster().setSample(1, 0, 0, 200);
    byte[] wide = ImageFiles.read(save(image, "png"), 2, 4, 1);
    byte[] row = {0, 50, (byte) 150, (byte) 200};
    assertArrayEquals(row, Arrays.copyOfRange(wide, 0, 4));
    assertArrayEquals(row, Arrays.copyOfRange(wide, 4, 8));
  }

  @ParameterizedTest
  @CsvSource({"16385, 1", "1, 16385", "16384, 16384", "2147483647, 2147483647", "9000, 9000"})
  void refusesAHugeImageBeforeDecodingIt(int width, int height) throws IOException {
    Path file = Files.write(folder.resolve("huge.png"), pngHeader(width, height));
    refused(file, "pixels wide");
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    refused(file, width + " pixels wide and " + height + " high");
    assertTrue(threads.getCurrentThreadAllocatedBytes() - before < 1 << 20);
  }

  @Test
  void refusesASizeThatTheFileCannotHold() throws IOException {
    Path file = Files.write(folder.resolve("claim.png"), pngHeader(8000, 8000));
    refused(file, "claims to be 8000 pixels wide and 8000 high, which its 45 bytes cannot hold");
    // What compresses well is no claim: white, 30 times smaller than a byte a pixel and more.
    BufferedImage white = new BufferedImage(4000, 4000, BufferedImage.TYPE_BYTE_GRAY);
    white.createGraphics().fillRect(0, 0, 4000, 4000);
    for (String format : new String[] {"png", "jpg"}) {
      byte[] pixels = ImageFiles.read(save(white, format), 28, 28, 1);
      assertEquals(255, pixels[0] & 0xff, format);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gif", "bmp"})
  void refusesOtherFormats(String format) throws IOException {
    BufferedImage image = new BufferedImage(4, 4, BufferedImage.TYPE_BYTE_GRAY);
    refused(save(image, format), "is neither PNG nor JPEG");
  }

  @Test
  void refusesWhatIsNoImage() throws IOException {
    refused(Files.writeString(folder.resolve("a.png"), "text"), "is neither PNG nor JPEG");
    refused(Files.write(folder.resolve("b.png"), new byte[0]), "is neither PNG nor JPEG");
    refused(folder.resolve("c.png"), "is no file");
    refused(folder, "is no file");
  }

  @Test
  void refusesColoursOfAnUnknownKind() throws IOException {
    Raster two = Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, 16, 16, 2, null);
    Path file = folder.resolve("two.jpg");
    ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    try (ImageOutputStream out = ImageIO.createImageOutputStream(file.toFile())) {
      writer.setOutput(out);
      writer.write(null, new IIOImage(two, null, null), null);
    } finally {
      writer.dispose();
    }
    refused(file, "cannot be read as an image (colours of an unknown kind)");
  }

  @ParameterizedTest
  @CsvSource({"png, 20", "jpg, 0"})
  void refusesAnImageCutAnywhere(String format, int endMark) throws IOException {
    Random random = new Random(7);
    BufferedImage noise = new BufferedImage(20, 20, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 400; i++) {
      noise.getRaster().setSample(i % 20, i / 20, 0, random.nextInt(256));
    }
    byte[] whole = Files.readAllBytes(save(noise, format));
    // The last 20 bytes of a PNG are checksums and an end mark: all pixels are there.
    for (int length = 8; length < whole.length - endMark; length++) {
      Path cut = Files.write(folder.resolve("cut"), Arrays.copyOf(whole, length));
      refused(cut, "; ");
    }
  }

  @Test
  void refusesShapesNoImageHas() throws IOException {
    Path file = save(new BufferedImage(4, 4, BufferedImage.TYPE_BYTE_GRAY), "png");
    assertThrows(DataException.class, () -> ImageFiles.read(file, 28, 28, 2));
    assertThrows(DataException.class, () -> ImageFiles.read(file, 0, 28, 1));
  }

  private static void refused(Path file, String because) {
    DataException e = assertThrows(DataException.class, () -> ImageFiles.read(file, 28, 28, 1));
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    assertTrue(e.getMessage().contains(because), e.getMessage());
  }

  private Path save(BufferedImage image, String format) throws IOException {
    Path file = folder.resolve("image." + format);
    assertTrue(ImageIO.write(image, format, file.toFile()));
    return file;
  }

  /** The start of a valid grey PNG of this size: signature, header, an empty data chunk. */
  private static byte[] pngHeader(int width, int height) {
    ByteBuffer header = ByteBuffer.allocate(13).putInt(width).putInt(height);
    header.put(new byte[] {8, 0, 0, 0, 0});
    ByteBuffer png = ByteBuffer.allocate(8 + 25 + 12);
    png.put(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'});
    chunk(png, "IHDR", header.array());
    chunk(png, "IDAT", new byte[0]);
    return png.array();
  }

  private static void chunk(ByteBuffer png, String type, byte[] content) {
    byte[] typeBytes = type.getBytes(StandardCharsets.US_ASCII);
    CRC32 crc = new CRC32();
    crc.update(typeBytes);
    crc.update(content);
    png.putInt(content.length).put(typeBytes).put(content).putInt((int) crc.getValue());
  }
}
