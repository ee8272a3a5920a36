package dev.rais.random;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The permutation is one, and its orders look like shuffles. */
class FeistelPermutationTest extends RandomTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 100, 1000, 1023, 60000, 1 << 20})
  void isABijection(int size) {
    long seed = random("isABijection").nextLong();
    for (int round = 0; round < 3; round++) {
      FeistelPermutation permutation = new FeistelPermutation(size, seed, round, 1);
      BitSet seen = new BitSet(size);
      for (int i = 0; i < size; i++) {
        long image = permutation.at(i);
        assertTrue(image >= 0 && image < size, () -> "outside [0, size): " + image);
        assertFalse(seen.get((int) image), () -> "reached twice: " + image);
        seen.set((int) image);
      }
    }
  }

  /** Too large to walk: distinct inputs keep distinct images inside the range. */
  @ParameterizedTest
  @ValueSource(longs = {Integer.MAX_VALUE, 1L << 31, (1L << 40) + 12345, 1L << 62})
  void hugeSizesStayInRangeAndApart(long size) {
    FeistelPermutation permutation =
        new FeistelPermutation(size, random("hugeSizes").nextLong(), 0, 1);
    Map<Long, Long> sources = new HashMap<>();
    long[] octants = new long[8];
    for (long i = 0; i < 100_000; i++) {
      long image = permutation.at(i);
      assertTrue(image >= 0 && image < size, () -> "outside [0, size): " + image);
      assertEquals(null, sources.put(image, i), "reached twice");
      octants[(int) (image / (size / 8.0))]++;
    }
    assertUniform(octants);
    assertTrue(permutation.at(size - 1) < size);
  }

  /** An independent, literal transcription of the contract in the class comment. */
  @Test
  void followsTheDocumentedContract() {
    long seed = 0x0123456789abcdefL;
    long round = 5_000_000_000L;
    int stream = 9;
    long size = 60_000;
    int[] keys = new int[8];
    int[] words = new int[4];
    for (int slot = 0; slot < 2; slot++) {
      Philox.block(
          (int) round, (int) (round >>> 32), slot, stream, (int) seed, (int) (seed >>> 32), words);
      System.arraycopy(words, 0, keys, 4 * slot, 4);
    }
    FeistelPermutation permutation = new FeistelPermutation(size, seed, round, stream);
    for (int i = 0; i < size; i += 7) {
      long x = i;
      do { // 60,000 needs 16 bits: two halves of 8
        int left = (int) (x >>> 8);
        int right = (int) (x & 255);
        left ^= murmurFinaliser(right ^ keys[0]) & 255;
        right ^= murmurFinaliser(left ^ keys[1]) & 255;
        left ^= murmurFinaliser(right ^ keys[2]) & 255;
        right ^= murmurFinaliser(left ^ keys[3]) & 255;
        left ^= murmurFinaliser(right ^ keys[4]) & 255;
        right ^= murmurFinaliser(left ^ keys[5]) & 255;
        left ^= murmurFinaliser(right ^ keys[6]) & 255;
        right ^= murmurFinaliser(left ^ keys[7]) & 255;
        x = left * 256L + right;
      } while (x >= size);
      assertEquals(x, permutation.at(i));
    }
  }

  private static int murmurFinaliser(int h) {
    h ^= h >>> 16;
    h *= 0x85ebca6b;
    h ^= h >>> 13;
    h *= 0xc2b2ae35;
    h ^= h >>> 16;
    return h;
  }

  @Test
  void seedRoundAndStreamEachChangeTheOrder() {
    FeistelPermutation base = new FeistelPermutation(1000, 1, 0, 0);
    assertFewerThanTenFixed(base, new FeistelPermutation(1000, 2, 0, 0));
    assertFewerThanTenFixed(base, new FeistelPermutation(1000, 1, 1, 0));
    assertFewerThanTenFixed(base, new FeistelPermutation(1000, 1, 0, 1));
  }

  private static void assertFewerThanTenFixed(FeistelPermutation a, FeistelPermutation b) {
    int same = 0;
    for (int i = 0; i < 1000; i++) {
      same += a.at(i) == b.at(i) ? 1 : 0;
    }
    int found = same;
    assertTrue(same < 10, () -> found + " of 1000 indices go to the same place");
  }

  /** Over the rounds, any index goes everywhere equally often. */
  @ParameterizedTest
  @ValueSource(ints = {2, 3, 5, 8, 100, 128, 1000, 1025})
  void positionsAreUniformOverRounds(int size) {
    long seed = random("positionsAreUniformOverRounds").nextLong();
    long[] first = new long[size];
    long[] last = new long[size];
    for (int round = 0; round < 200_000; round++) {
      FeistelPermutation permutation = new FeistelPermutation(size, seed, round, 4);
      first[(int) permutation.at(0)]++;
      last[(int) permutation.at(size - 1)]++;
    }
    assertUniform(first);
    assertUniform(last);
  }

  /** Neighbours are not kept together or apart: all ordered pairs of images are equally likely. */
  @ParameterizedTest
  @ValueSource(ints = {3, 5, 10, 16, 33, 64, 150})
  void pairsOfImagesAreUniformOverRounds(int size) {
    long seed = random("pairsOfImagesAreUniformOverRounds").nextLong();
    long[] counts = new long[size * (size - 1)];
    for (int round = 0; round < 300_000; round++) {
      FeistelPermutation permutation = new FeistelPermutation(size, seed, round, 4);
      int a = (int) permutation.at(0);
      int b = (int) permutation.at(1);
      counts[a * (size - 1) + (b > a ? b - 1 : b)]++;
    }
    assertUniform(counts);
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 4, 5})
  void smallSizesTakeEveryOrderEquallyOften(int size) {
    long seed = random("smallSizesTakeEveryOrderEquallyOften").nextLong();
    int orders = 1;
    for (int i = 2; i <= size; i++) {
      orders *= i;
    }
    Map<String, Integer> index = new HashMap<>();
    long[] counts = new long[orders];
    for (int round = 0; round < 240_000; round++) {
      FeistelPermutation permutation = new FeistelPermutation(size, seed, round, 4);
      StringBuilder order = new StringBuilder();
      for (int i = 0; i < size; i++) {
        order.append(permutation.at(i));
      }
      counts[index.computeIfAbsent(order.toString(), key -> index.size())]++;
    }
    assertEquals(orders, index.size());
    assertUniform(counts);
  }

  @Test
  void refusesBadSizesAndIndices() {
    assertThrows(IllegalArgumentException.class, () -> new FeistelPermutation(0, 1, 1, 1));
    assertThrows(
        IllegalArgumentException.class, () -> new FeistelPermutation((1L << 62) + 1, 1, 1, 1));
    FeistelPermutation permutation = new FeistelPermutation(10, 1, 1, 1);
    assertThrows(IndexOutOfBoundsException.class, () -> permutation.at(-1));
    assertThrows(IndexOutOfBoundsException.class, () -> permutation.at(10));
  }
}
