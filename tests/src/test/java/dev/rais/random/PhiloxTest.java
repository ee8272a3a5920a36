package dev.rais.random;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import org.junit.jupiter.api.Test;

/** Philox against the published vectors, and its deviates against their distributions. */
class PhiloxTest extends RandomTest {
  /** The known answers that come with Random123, the authors' implementation. */
  @Test
  void reproducesThePublishedVectors() {
    assertBlock(
        new int[] {0, 0, 0, 0, 0, 0}, new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    assertBlock(
        new int[] {-1, -1, -1, -1, -1, -1},
        new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    assertBlock(
        new int[] {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0},
        new int[] {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  }

  private static void assertBlock(int[] in, int[] expected) {
    int[] out = new int[4];
    Philox.block(in[0], in[1], in[2], in[3], in[4], in[5], out);
    assertArrayEquals(expected, out);
  }

  @Test
  void laysOutTheCounterAsDocumented() {
    // The third published vector, reached through seed, iteration, slot and stream.
    Philox philox = new Philox(0x299f31d0_a4093822L, 0x03707344);
    long iteration = 0x85a308d3_243f6a88L;
    assertEquals(0x94fdcceb_d16cfe09L, philox.bits(iteration, 0x13198a2e));
    assertEquals(0x24126ea1_5001e420L, philox.highBits(iteration, 0x13198a2e));
    assertEquals(
        (0x94fdcceb_d16cfe09L >>> 11) * 0x1p-53, philox.uniform(iteration, 0x13198a2e), 0.0);
    assertEquals((0x94fdcceb >>> 8) * 0x1p-24f, philox.uniformFloat(iteration, 0x13198a2e), 0f);
  }

  @Test
  void uniformsAreUniform() {
    Philox philox = new Philox(random("uniformsAreUniform").nextLong(), 3);
    int draws = 1 << 20;
    long[] counts = new long[1000];
    long[] pairs = new long[32 * 32];
    double sum = 0;
    double sumOfSquares = 0;
    double previous = philox.uniform(-1, 0);
    for (int i = 0; i < draws; i++) {
      // Both coordinates move, as they do in a run of minibatches.
      double u = philox.uniform(i / 128, i % 128);
      assertTrue(u >= 0 && u < 1, () -> "outside [0, 1): " + u);
      counts[(int) (u * counts.length)]++;
      pairs[(int) (previous * 32) * 32 + (int) (u * 32)]++;
      previous = u;
      sum += u;
      sumOfSquares += u * u;
    }
    assertUniform(counts);
    assertUniform(pairs);
    assertEquals(1 / 2.0, sum / draws, 6 * Math.sqrt(1 / 12.0 / draws));
    assertEquals(1 / 3.0, sumOfSquares / draws, 6 * Math.sqrt(4 / 45.0 / draws));
  }

  @Test
  void floatsAndIntegersAreUniform() {
    Philox philox = new Philox(random("floatsAndIntegersAreUniform").nextLong(), 0);
    long[] floats = new long[64];
    long[] integers = new long[7];
    for (int i = 0; i < 200_000; i++) {
      float u = philox.uniformFloat(i, 0);
      assertTrue(u >= 0 && u < 1, () -> "outside [0, 1): " + u);
      floats[(int) (u * 64)]++;
      integers[philox.below(7, i, 1)]++;
    }
    assertUniform(floats);
    assertUniform(integers);
    assertEquals(0, philox.below(1, 5, 5));
    assertTrue(philox.below(Integer.MAX_VALUE, 5, 5) >= 0);
    assertThrows(IllegalArgumentException.class, () -> philox.below(0, 0, 0));
  }

  @Test
  void normalsAreNormal() {
    Philox philox = new Philox(random("normalsAreNormal").nextLong(), 1);
    int draws = 400_000;
    double[] moments = new double[5];
    // Cuts at the quartiles and at +-2, with their probabilities.
    double[] cuts = {-2, -0.6744897501960817, 0, 0.6744897501960817, 2};
    double tail = 0.022750131948179195;
    double[] probabilities = {tail, 0.25 - tail, 0.25, 0.25, 0.25 - tail, tail};
    long[] counts = new long[cuts.length + 1];
    for (int i = 0; i < draws; i++) {
      double z = philox.normal(0, i);
      for (int power = 0; power < moments.length; power++) {
        moments[power] += Math.pow(z, power) / draws;
      }
      int bin = 0;
      while (bin < cuts.length && z > cuts[bin]) {
        bin++;
      }
      counts[bin]++;
    }
    assertEquals(0, moments[1], 6 * Math.sqrt(1.0 / draws));
    assertEquals(1, moments[2], 6 * Math.sqrt(2.0 / draws));
    assertEquals(0, moments[3], 6 * Math.sqrt(15.0 / draws));
    assertEquals(3, moments[4], 6 * Math.sqrt(96.0 / draws));
    double[] expected = new double[counts.length];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = probabilities[i] * draws;
    }
    assertCountsFit(counts, expected);
  }

  @Test
  void everyCoordinateMatters() {
    long base = new Philox(1, 0).bits(0, 0);
    assertTrue(base != new Philox(2, 0).bits(0, 0));
    assertTrue(base != new Philox(1L << 32 | 1, 0).bits(0, 0));
    assertTrue(base != new Philox(1, 1).bits(0, 0));
    assertTrue(base != new Philox(1, 0).bits(1, 0));
    assertTrue(base != new Philox(1, 0).bits(1L << 32, 0));
    assertTrue(base != new Philox(1, 0).bits(0, 1));
    assertTrue(base != new Philox(1, 0).highBits(0, 0));
  }
}
