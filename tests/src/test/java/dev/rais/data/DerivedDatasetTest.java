package dev.rais.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Data sets made of others are what their names say, and always the same. */
class DerivedDatasetTest {
  private static final String NAME = "fashion-mnist-sample";

  private final Dataset base = Datasets.load(NAME, null);

  private static Dataset load(String change) {
    return Datasets.load(NAME + change, null);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "@subset=500",
        "@imbalance=50",
        "@rotated",
        "@label-noise=0.01",
        "@subset=9@rotated"
      })
  void theNameDeterminesTheData(String change) {
    Dataset once = load(change);
    assertEquals(NAME + change, once.name());
    assertArrayEquals(once.train().pixels(), load(change).train().pixels());
    assertArrayEquals(once.train().labels(), load(change).train().labels());
  }

  @Test
  void aSubsetIsSomeOfTheTrainingImages() {
    Dataset subset = load("@subset=500");
    assertEquals(500, subset.train().count());
    assertArrayEquals(base.test().pixels(), subset.test().pixels());
    int at = 0;
    for (int i = 0; i < base.train().count() && at < 500; i++) {
      if (Arrays.equals(base.train().image(i), subset.train().image(at))) {
        assertEquals(base.train().label(i), subset.train().label(at));
        at++;
      }
    }
    assertEquals(500, at, "in their order");
  }

  @Test
  void imbalanceFallsFromClassToClass() {
    Dataset imbalanced = load("@imbalance=100");
    int[] before = base.train().classCounts(10);
    int[] after = imbalanced.train().classCounts(10);
    for (int k = 0; k < 10; k++) {
      assertEquals(Math.round(before[k] * Math.pow(100, -k / 9.0)), after[k], "class " + k);
    }
    assertArrayEquals(base.test().labels(), imbalanced.test().labels());
    assertArrayEquals(load("@imbalance=1").train().pixels(), base.train().pixels());
  }

  @Test
  void labelNoiseChangesAsManyLabelsAsItSays() {
    Dataset noisy = load("@label-noise=0.01");
    assertArrayEquals(base.train().pixels(), noisy.train().pixels());
    long changed =
        IntStream.range(0, base.train().count())
            .filter(i -> base.train().label(i) != noisy.train().label(i))
            .count();
    assertEquals(Math.round(0.01 * base.train().count()), changed);
    assertArrayEquals(base.test().labels(), noisy.test().labels());
    assertArrayEquals(base.train().labels(), load("@label-noise=0").train().labels());
  }

  @Test
  void rotationKeepsWhatLiesAboutTheCentre() {
    Dataset rotated = load("@rotated");
    assertArrayEquals(base.train().labels(), rotated.train().labels());
    Set<Boolean> same = new HashSet<>();
    for (int i = 0; i < 200; i++) {
      byte[] before = base.train().image(i);
      byte[] after = rotated.train().image(i);
      same.add(Arrays.equals(before, after));
      // Within the inscribed circle nothing is lost: sums agree but for interpolation.
      double inside = within(before, 13);
      assertEquals(inside, within(after, 13), 0.06 * inside + 400, "image " + i);
      int corner = after[0] & 0xff;
      assertTrue(corner <= 255);
    }
    assertTrue(same.contains(false), "images turn");
    assertFalse(Arrays.equals(base.test().pixels(), rotated.test().pixels()), "tests too");
  }

  private static double within(byte[] image, double radius) {
    double sum = 0;
    for (int y = 0; y < 28; y++) {
      for (int x = 0; x < 28; x++) {
        if (Math.hypot(y - 13.5, x - 13.5) <= radius) {
          sum += image[y * 28 + x] & 0xff;
        }
      }
    }
    return sum;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "@subset=0|expected a whole number from 1 to 8000",
        "@subset=8001|expected a whole number from 1 to 8000",
        "@subset|expected a whole number from 1 to 8000",
        "@imbalance=0.5|expected a number from 1 to 1000000",
        "@label-noise=NaN|expected a number from 0 to 1",
        "@rotated=3|rotated takes no value",
        "@rotatd|did you mean \"rotated\"?",
        "@|there is no such change"
      })
  void mistakesAreNamed(String change, String sentence) {
    DataException e = assertThrows(DataException.class, () -> load(change));
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }

  @Test
  void aFolderWithTheMarkInItsNameIsAFolder(@TempDir Path folder) throws IOException {
    Path odd = Files.createDirectory(folder.resolve("mnist@subset=5"));
    DataException e = assertThrows(DataException.class, () -> Datasets.load(odd.toString(), null));
    assertTrue(e.getMessage().contains("holds no files"), e.getMessage());
    assertNotEquals("", Datasets.baseName(odd.toString()));
    assertEquals("mnist", Datasets.baseName("mnist@subset=5@rotated"));
    assertEquals("/home/me@here/mnist", Datasets.baseName("/home/me@here/mnist"));
  }
}
