package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
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

  /** Values in blocks, values one by one, single settings and sums of what is there agree. */
  @ParameterizedTest
  @ValueSource(ints = {1, 16, 17, 4095, 4096, 4097, 65_537, 300_007})
  void everyWayToBuildGivesTheSameBits(int size) {
    Random random = random("everyWayToBuildGivesTheSameBits");
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = random.nextInt(5) == 0 ? 0 : (float) Math.exp(4 * random.nextGaussian());
    }
    SumTree.LeafBlock block =
        (from, count, into) -> System.arraycopy(values, (int) from, into, 0, count);
    try (SumTree oneByOne = new SumTree(size);
        SumTree blocks = new SumTree(size);
        SumTree updated = new SumTree(size)) {
      oneByOne.build(i -> values[(int) i]);
      blocks.build(i -> 3);
      blocks.build(() -> block);
      assertSameBits(oneByOne, blocks);
      blocks.rebuild();
      assertSameBits(oneByOne, blocks);
      updated.update(IntStream.range(0, size).toArray(), values, size);
      assertSameBits(oneByOne, updated);
    }
  }

  @Test
  void growsByZeros() {
    Random random = random("growsByZeros");
    for (int size : new int[] {1, 16, 100, 4097, 70_000}) {
      try (SumTree small = new SumTree(size)) {
        small.build(i -> 1 + i % 3);
        int larger = size + random.nextInt(3 * size);
        try (SumTree grown = small.grownTo(larger);
            SumTree expected = new SumTree(larger)) {
          expected.build(i -> i < size ? 1 + i % 3 : 0);
          assertSameBits(expected, grown);
          assertEquals(size - 1, grown.find(Double.POSITIVE_INFINITY));
        }
        assertThrows(IllegalArgumentException.class, () -> small.grownTo(size - 1));
      }
    }
  }

  /** The search for one has branches and the search for many has none. */
  @Test
  void findsManyAsItFindsOne() {
    Random random = random("findsManyAsItFindsOne");
    for (int trial = 0; trial < 300; trial++) {
      int size = 1 + random.nextInt(trial % 2 == 0 ? 300 : 70_000);
      float[] values = new float[size];
      // Thirty orders of magnitude and many zeros: rounding carries positions past their nodes.
      for (int i = 0; i < size; i++) {
        values[i] =
            random.nextInt(3) == 0 ? 0 : (float) Math.pow(10, 30 * random.nextDouble() - 15);
      }
      values[random.nextInt(size)] = 1;
      try (SumTree tree = new SumTree(size)) {
        tree.build(i -> values[(int) i]);
        double[] positions = new double[500];
        double x = 0;
        for (int j = 0; j < positions.length; j++) {
          x += values[j % size];
          positions[j] =
              switch (j % 5) {
                case 0 -> x;
                case 1 -> Math.nextUp(x);
                case 2 -> Math.max(0, Math.nextDown(x));
                case 3 -> random.nextDouble() * tree.total();
                default -> Math.pow(10, 30 * random.nextDouble() - 15);
              };
        }
        positions[7] = Double.POSITIVE_INFINITY;
        positions[8] = -0.0;
        positions[9] = tree.total();
        positions[10] = Math.nextDown(tree.total());
        int[] found = new int[500];
        double[] overwritten = positions.clone();
        tree.find(overwritten, found, 500);
        for (int j = 0; j < 500; j++) {
          assertEquals(tree.find(positions[j]), found[j], "position " + positions[j]);
          assertTrue(values[found[j]] > 0, "drew a zero leaf");
        }
      }
    }
  }

  @Test
  void findingManyRefusesWhatFindingOneRefuses() {
    try (SumTree tree = new SumTree(50)) {
      int[] found = new int[2];
      assertThrows(IllegalStateException.class, () -> tree.find(new double[1], found, 1));
      tree.find(new double[0], found, 0);
      tree.set(3, 1);
      assertThrows(IllegalArgumentException.class, () -> tree.find(new double[] {-1}, found, 1));
      assertThrows(
          IllegalArgumentException.class, () -> tree.find(new double[] {Double.NaN}, found, 1));
      assertThrows(IndexOutOfBoundsException.class, () -> tree.find(new double[1], found, 2));
      assertThrows(IndexOutOfBoundsException.class, () -> tree.find(new double[3], found, 3));
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

  /**
   * Beyond 2^24 equal leaves, a float sum no longer grows: draws by it miss whole ranges. The same
   * test that our draws pass finds it out.
   */
  @Test
  void drawsFromAllOfALargeSetWhereFloatSumsDoNot() {
    drawsInProportionWhereFloatSumsDoNot((1 << 24) + 1_001_000, 2_000_000);
  }

  /** Takes 1.5 GB and half a minute. */
  @Test
  @EnabledIfSystemProperty(named = "rais.test.large", matches = "true")
  void drawsFromAllOfAHundredMillionWhereFloatSumsDoNot() {
    drawsInProportionWhereFloatSumsDoNot(100_000_000, 20_000_000);
  }

  private static void drawsInProportionWhereFloatSumsDoNot(int size, int draws) {
    Random random = random("drawsInProportionWhereFloatSumsDoNot " + size);
    int blocks = 1000;
    int blockSize = Math.ceilDiv(size, blocks);
    try (SumTree tree = new SumTree(size)) {
      tree.build(i -> 1 + (i & 1));
      double[] expected = new double[blocks];
      for (int block = 0; block < blocks; block++) {
        long from = (long) block * blockSize;
        long to = Math.min(size, from + blockSize);
        expected[block] = draws * ((to - from + (to / 2 - from / 2)) / tree.total());
      }
      long[] counts = new long[blocks];
      int m = 1000;
      double[] positions = new double[m];
      int[] found = new int[m];
      for (int done = 0; done < draws; done += m) {
        for (int j = 0; j < m; j++) {
          positions[j] = random.nextDouble() * tree.total();
        }
        tree.find(positions, found, m);
        for (int j = 0; j < m; j++) {
          counts[found[j] / blockSize]++;
        }
      }
      assertCountsFit(counts, expected);

      float[] sums = new float[size];
      float sum = 0;
      for (int i = 0; i < size; i++) {
        sum += tree.get(i);
        sums[i] = sum;
      }
      long[] floatCounts = new long[blocks];
      for (int draw = 0; draw < draws; draw++) {
        // The first sum above the position, as for our tree; equal sums belong to nobody.
        float x = (float) (random.nextDouble() * sum);
        int low = 0;
        int high = size - 1;
        while (low < high) {
          int middle = (low + high) >>> 1;
          if (sums[middle] > x) {
            high = middle;
          } else {
            low = middle + 1;
          }
        }
        floatCounts[low / blockSize]++;
      }
      assertThrows(AssertionError.class, () -> assertCountsFit(floatCounts, expected));
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
      for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
        assertThrows(IllegalArgumentException.class, () -> tree.build(i -> i == 70_001 ? bad : 1));
      }
      tree.build(i -> i % 2 == 0 ? 1 : -0.0f);
      assertEquals(50_000, tree.total());
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

  @Test
  void aLeafOfNegativeZeroIsNeverDrawn() {
    int n = 100;
    try (SumTree tree = new SumTree(n)) {
      Runnable check =
          () -> {
            double[] positions = new double[400];
            int[] found = new int[positions.length];
            for (int k = 0; k < positions.length; k++) {
              positions[k] = k * tree.total() / positions.length;
            }
            tree.find(positions, found, found.length);
            for (int k = 0; k < found.length; k++) {
              assertEquals(1, tree.get(found[k]), "leaf " + found[k]);
              assertEquals(tree.find(k * tree.total() / found.length), found[k]);
            }
          };
      tree.build(i -> i >= 48 && i % 2 == 1 ? 1 : -0.0f);
      check.run();
      tree.set(49, -0.0f);
      check.run();
      tree.update(new int[] {51, 52, 0}, new float[] {-0.0f, 1, 1}, 3);
      check.run();
      tree.update(new int[] {0}, new float[] {-0.0f}, 1);
      check.run();
    }
  }
}
