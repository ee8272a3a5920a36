package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Image sets, data sets made of them, and their normalization. */
class DatasetTest {
  private static final ImageSet THREE =
      new ImageSet(1, 2, 2, IdxBytes.counting(12), new int[] {4, 0, 2});

  @Test
  void handsOutItsArraysWithoutCopying() {
    byte[] pixels = new byte[6];
    int[] labels = {1};
    ImageSet set = new ImageSet(1, 2, 3, pixels, labels);
    assertSame(pixels, set.pixels());
    assertSame(labels, set.labels());
  }

  @Test
  void slicesInOrder() {
    ImageSet slice = THREE.slice(1, 3);
    assertEquals(2, slice.count());
    assertArrayEquals(new byte[] {4, 5, 6, 7, 8, 9, 10, 11}, slice.pixels());
    assertArrayEquals(new int[] {0, 2}, slice.labels());
    assertArrayEquals(new byte[] {8, 9, 10, 11}, slice.image(1));
    assertThrows(IndexOutOfBoundsException.class, () -> THREE.slice(2, 4));
    assertThrows(DataException.class, () -> THREE.slice(1, 1));
  }

  @Test
  void countsClasses() {
    assertArrayEquals(new int[] {1, 0, 1, 0, 1}, THREE.classCounts(5));
  }

  @Test
  void refusesLabelsOutOfRange() {
    says("image 1 has the label -1", () -> new ImageSet(1, 1, 1, new byte[2], new int[] {0, -1}));
    List<String> four = List.of("a", "b", "c", "d");
    says(
        "training part: image 0 has the label 4, but with 4 classes labels end at 3",
        () -> new Dataset("x", THREE, THREE, four));
  }

  @Test
  void refusesPixelsThatDoNotFitTheShape() {
    says("need 12 bytes", () -> new ImageSet(1, 2, 2, new byte[11], new int[3]));
    says("must be at least 1", () -> new ImageSet(0, 2, 2, new byte[0], new int[3]));
    says("must be at least 1", () -> new ImageSet(1, 2, 2, new byte[0], new int[0]));
  }

  @Test
  void refusesMoreThanOneArrayHolds() {
    says("too many for one set", () -> ImageSet.requiredBytes(1L << 20, 32, 32, 3));
    says("too many for one set", () -> ImageSet.requiredBytes(1L << 62, 1L << 62, 1, 1));
    assertEquals(60_000 * 784, ImageSet.requiredBytes(60_000, 28, 28, 1));
  }

  @Test
  void refusesTestImagesOfAnotherShape() {
    ImageSet other = new ImageSet(2, 1, 2, new byte[4], new int[] {0});
    List<String> five = List.of("a", "b", "c", "d", "e");
    says("training images of 1x2x2 but test", () -> new Dataset("x", THREE, other, five));
  }

  @Test
  void normalizationIsThatOfAPlainTwoPassLoop() {
    long seed = 20250101;
    Random random = new Random(seed);
    byte[] pixels = new byte[7 * 5 * 3 * 3];
    random.nextBytes(pixels);
    Normalization measured = Normalization.of(new ImageSet(5, 3, 3, pixels, new int[7]));
    for (int c = 0; c < 3; c++) {
      double sum = 0;
      double squares = 0;
      for (int i = c; i < pixels.length; i += 3) {
        sum += (pixels[i] & 0xff) / 255.0;
      }
      double mean = sum / 105;
      for (int i = c; i < pixels.length; i += 3) {
        squares += Math.pow((pixels[i] & 0xff) / 255.0 - mean, 2);
      }
      assertEquals(mean, measured.mean()[c], 1e-6, "seed " + seed);
      assertEquals(Math.sqrt(squares / 105), measured.standardDeviation()[c], 1e-6, "seed " + seed);
    }
  }

  @Test
  void aConstantChannelHasDeviationOne() {
    Normalization measured =
        Normalization.of(new ImageSet(1, 1, 2, new byte[] {7, 0, 7, -1}, new int[2]));
    assertArrayEquals(new float[] {7 / 255f, 0.5f}, measured.mean(), 1e-7f);
    assertArrayEquals(new float[] {1, 0.5f}, measured.standardDeviation(), 1e-7f);
  }

  @Test
  void normalizationIsAValue() {
    float[] mean = {0.5f};
    Normalization one = new Normalization(mean, new float[] {2});
    mean[0] = 9;
    assertEquals(new Normalization(new float[] {0.5f}, new float[] {2}), one);
    assertNotSame(one.mean(), one.mean());
    says("deviation above 0", () -> new Normalization(new float[] {0}, new float[] {0}));
    says("deviation above 0", () -> new Normalization(new float[] {0}, new float[] {Float.NaN}));
  }

  private static void says(String part, Runnable action) {
    DataException e = assertThrows(DataException.class, action::run);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }
}
