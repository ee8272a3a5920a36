package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The sum tree against a plain array of prefix sums. */
class SumTreeTest extends RandomTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 15, 16, 17, 255, 256, 257, 4095, 4097, 70_001})
  void drawsAsPrefixSumsDo(int size) {
    Random random = random("drawsAsPrefixSumsDo");
    try (SumTree tree = new SumTree(size)) {
      double[] prefix = new double[size + 1];
      // Small integers: all sums are exact, so that every answer must agree.
      tree.build(i -> (i * 31 + size) % 4);
      for (int i = 0; i < size; i++) {
        assertEquals((i * 31 + size) % 4, tree.get(i));
        prefix[i + 1] = prefix[i] + tree.get(i);
      }
      assertEquals(prefix[size], tree.total());
      for (int i = 0; i < size; i++) {
        if (tree.get(i) > 0) {
          assertEquals(i, tree.find(prefix[i]));
          assertEquals(i, tree.find(Math.nextDown(prefix[i + 1])));
        }
      }
      for (int draw = 0; draw < 1000; draw++) {
        double x = random.nextDouble() * tree.total();
        long i = tree.find(x);
        assertTrue(prefix[(int) i] <= x && x < prefix[(int) i + 1]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 15, 16, 17, 255, 256, 257, 5000})
  void isExactAfterAMillionUpdates(int size) {
    Random random = random("isExactAfterAMillionUpdates");
    try (SumTree updated = new SumTree(size);
        SumTree rebuilt = new SumTree(size)) {
      float[] expected = new float[size];
      int[] indices = new int[100];
      float[] values = new float[100];
      for (int step = 0; step < 10_000; step++) {
        for (int j = 0; j < 100; j++) {
          indices[j] = random.nextInt(size);
          // Thirty orders of magnitude: an incremented sum would lose the small ones at once.
          values[j] = random.nextInt(8) == 0 ? 0 : (float) Math.pow(10, random.nextInt(30) - 15);
          expected[indices[j]] = values[j];
        }
        if (step % 2 == 0) {
          updated.update(indices, values, 100);
        } else {
          for (int j = 0; j < 100; j++) {
            updated.set(indices[j], values[j]);
          }
        }
      }
      rebuilt.build(i -> expected[(int) i]);
      assertSameBits(rebuilt, updated);
    }
  }

  @Test
  void buildDoesNotDependOnThreads() {
    int size = 300_007;
    Random random = random("buildDoesNotDependOnThreads");
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) Math.exp(4 * random.nextGaussian());
    }
    try (SumTree parallel = new SumTree(size);
        SumTree sequential = new SumTree(size)) {
      parallel.build(i -> values[(int) i], true);
      sequential.build(i -> values[(int) i], false);
      assertSameBits(sequential, parallel);
    }
  }

  /** Equal leaves, and equal bits in every sum. */
  private static void assertSameBits(SumTree expected, SumTree actual) {
    assertEquals(expected.sumsChecksum(), actual.sumsChecksum());
    for (long i = 0; i < expected.size(); i++) {
      assertEquals(expected.get(i), actual.get(i));
    }
  }

  @Test
  void neverDrawsAZeroAndNeverGoesBack() {
    Random random = random("neverDrawsAZeroAndNeverGoesBack");
    for (int trial = 0; trial < 200; trial++) {
      int size = 1 + random.nextInt(600);
      int positive = random.nextInt(size);
      try (SumTree tree = new SumTree(size)) {
        tree.build(i -> random.nextInt(3) > 0 ? 0 : (float) Math.exp(8 * random.nextGaussian()));
        tree.set(positive, 1e-3f);
        long previous = 0;
        double total = tree.total();
        for (int step = 0; step <= 2000; step++) {
          long i = tree.find(total * step / 2000);
          assertTrue(tree.get(i) > 0, "drew a zero leaf");
          assertTrue(i >= previous, "went back");
          previous = i;
        }
        // Around every boundary and past the end, where rounding decides.
        double[] positions = new double[3 * size];
        double x = 0;
        for (int i = 0; i < size; i++) {
          x += tree.get(i);
          positions[3 * i] = Math.max(0, Math.nextDown(x));
          positions[3 * i + 1] = x;
          positions[3 * i + 2] = Math.nextUp(x);
        }
        Arrays.sort(positions);
        previous = 0;
        for (double position : positions) {
          long i = tree.find(position);
          assertTrue(tree.get(i) > 0, "drew a zero leaf");
          assertTrue(i >= previous, "went back");
          previous = i;
        }
        long last = size - 1;
        while (tree.get(last) == 0) {
          last--;
        }
        assertEquals(last, tree.find(total));
        assertEquals(last, tree.find(Double.POSITIVE_INFINITY));
      }
    }
  }

  @Test
  void drawsInProportion() {
    Random random = random("drawsInProportion");
    int size = 1000;
    int draws = 2_000_000;
    try (SumTree tree = new SumTree(size)) {
      tree.build(i -> 0.1f + (i % 13));
      double[] expected = new double[size];
      for (int i = 0; i < size; i++) {
        expected[i] = draws * (tree.get(i) / tree.total());
      }
      long[] counts = new long[size];
      for (int draw = 0; draw < draws; draw++) {
        counts[(int) tree.find(random.nextDouble() * tree.total())]++;
      }
      assertCountsFit(counts, expected);
    }
  }

  /** Beyond 2^24 equal leaves, a float sum no longer grows: the end would never be drawn. */
  @Test
  void drawsFromTheEndOfLargeSets() {
    Random random = random("drawsFromTheEndOfLargeSets");
    int size = (1 << 24) + 1001;
    int blocks = 1 << 10;
    int draws = 1_000_000;
    try (SumTree tree = new SumTree(size)) {
      tree.build(i -> 1);
      assertEquals(size, tree.total());
      assertEquals(size - 1, tree.find(size - 1));
      // The last, odd block is small: give it weight so that it is tested too.
      for (int i = 1 << 24; i < size; i++) {
        tree.set(i, 16);
      }
      int blockSize = (1 << 24) / blocks;
      long[] counts = new long[blocks + 1];
      double[] expected = new double[blocks + 1];
      for (int draw = 0; draw < draws; draw++) {
        counts[(int) (tree.find(random.nextDouble() * tree.total()) / blockSize)]++;
      }
      Arrays.fill(expected, draws * (blockSize / tree.total()));
      expected[blocks] = draws * (1001 * 16 / tree.total());
      assertCountsFit(counts, expected);
    }
  }

  @Test
  void refusesBadValuesAndStaysAsItWas() {
    try (SumTree tree = new SumTree(40)) {
      tree.build(i -> i + 1);
      double total = tree.total();
      for (float bad : new float[] {-1, Float.NaN, Float.POSITIVE_INFINITY, -Float.MIN_VALUE}) {
        String message =
            assertThrows(IllegalArgumentException.class, () -> tree.set(7, bad)).getMessage();
        assertTrue(message.contains("leaf 7") && message.contains("" + bad), message);
        message =
            assertThrows(
                    IllegalArgumentException.class,
                    () -> tree.update(new int[] {3, 7}, new float[] {5, bad}, 2))
                .getMessage();
        assertTrue(message.contains("leaf 7") && message.contains("" + bad), message);
      }
      assertThrows(IndexOutOfBoundsException.class, () -> tree.set(40, 1));
      assertThrows(IndexOutOfBoundsException.class, () -> tree.set(-1, 1));
      assertThrows(IndexOutOfBoundsException.class, () -> tree.get(40));
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> tree.update(new int[] {3, 40}, new float[] {5, 5}, 2));
      assertThrows(
          IndexOutOfBoundsException.class, () -> tree.update(new int[] {3}, new float[] {5, 5}, 2));
      assertThrows(IllegalArgumentException.class, () -> tree.find(-1e-9));
      assertThrows(IllegalArgumentException.class, () -> tree.find(Double.NaN));
      assertEquals(4, tree.get(3));
      assertEquals(total, tree.total());
    }
  }

  @Test
  void aBadValueInABuildEmptiesTheTree() {
    try (SumTree tree = new SumTree(100_000)) {
      tree.build(i -> 1);
      String message =
          assertThrows(IllegalArgumentException.class, () -> tree.build(i -> i >= 50_000 ? -2 : 1))
              .getMessage();
      assertEquals("leaf 50000 must be finite and not negative, but is -2.0", message);
      assertEquals(0, tree.total());
      assertThrows(IllegalStateException.class, () -> tree.find(0));
    }
  }

  @Test
  void refusesToBeUsedAfterClose() {
    SumTree tree = new SumTree(20);
    tree.close();
    tree.close();
    assertThrows(IllegalStateException.class, tree::total);
    assertThrows(IllegalStateException.class, () -> tree.get(0));
    assertThrows(IllegalStateException.class, () -> tree.find(0));
    assertThrows(IllegalStateException.class, () -> tree.set(0, 1));
    assertThrows(IllegalStateException.class, () -> tree.build(i -> 1));
    assertThrows(IllegalArgumentException.class, () -> new SumTree(0));
  }

  @Test
  void repeatedIndicesKeepTheLastValue() {
    try (SumTree tree = new SumTree(300)) {
      tree.update(new int[] {299, 5, 299}, new float[] {1, 2, 3}, 3);
      assertEquals(3, tree.get(299));
      assertEquals(5, tree.total());
      tree.update(new int[] {299}, new float[] {9}, 0);
      assertEquals(5, tree.total());
    }
  }
}
