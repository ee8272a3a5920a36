package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rais.RandomTest;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The loops with the Vector API give the bits of those without it. */
class VectorApiTest extends RandomTest {
  private static final int LARGE = 1 << 20;

  @BeforeEach
  void vectorsAreWideEnough() {
    assertTrue(
        ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent(),
        "start the tests with --add-modules jdk.incubator.vector");
    assumeTrue(VectorApi.pays(LARGE), "this processor's vectors are too short for these loops");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 10, 16, 17, 1000})
  void valuesOfBlocks(int classes) {
    Random random = random("valuesOfBlocks");
    for (int n : new int[] {1, 1023, 1024, 3 * 1024 + 5}) {
      int[] labels = random.ints(n, 0, classes).toArray();
      for (double visited : new double[] {0, 0.5, 1}) {
        try (ExampleHistory history = new ExampleHistory(n)) {
          for (int i = 0; i < n; i++) {
            for (int visit = 0; visit < 3 && random.nextDouble() < visited; visit++) {
              history.visit(i, (float) Math.exp(4 * random.nextGaussian()));
            }
          }
          for (int factors = 0; factors < 8; factors++) {
            RobustValues.Terms terms = terms(random, classes, factors);
            BlockValues plain = new ArrayBlockValues(terms, history, labels);
            BlockValues vectors = new VectorBlockValues(terms, history, labels);
            for (int first = 0; first < n; first += ExampleHistory.BLOCK) {
              int length = Math.min(ExampleHistory.BLOCK, n - first);
              float[] expected = new float[7 + ExampleHistory.BLOCK];
              float[] found = expected.clone();
              assertEquals(
                  plain.fill(first, length, expected, 7), vectors.fill(first, length, found, 7));
              assertArrayEquals(bits(expected), bits(found));
            }
          }
        }
      }
    }
  }

  /** Each bit of {@code factors} leaves a column out; the floor lies among the values. */
  private static RobustValues.Terms terms(Random random, int classes, int factors) {
    float[] bases = new float[2 * classes];
    for (int k = 0; k < bases.length; k++) {
      bases[k] = random.nextFloat();
    }
    return new RobustValues.Terms(
        bases,
        (factors & 1) == 0 ? random.nextFloat() : 0,
        (factors & 2) == 0 ? random.nextFloat() : 0,
        (factors & 4) == 0 ? random.nextFloat() : 0,
        0.5f);
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < values.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }

  @Test
  void sumsOfLeaves() {
    Random random = random("sumsOfLeaves");
    for (int nodes : new int[] {1, 2, 3, 255, 256}) {
      float[] leaves = new float[4096];
      for (int i = 0; i < leaves.length; i++) {
        leaves[i] =
            random.nextInt(5) == 0
                ? 0
                : (float) Math.min(Math.exp(20 * random.nextGaussian()), Float.MAX_VALUE);
      }
      double[] expected = new double[256];
      double[] found = new double[256];
      assertTrue(new SumTree.ArrayLeafSums().sum(leaves, nodes, expected));
      assertTrue(new VectorLeafSums().sum(leaves, nodes, found));
      assertArrayEquals(expected, found, 0);
    }
  }

  @Test
  void leavesThatAreNone() {
    for (float bad : new float[] {-1, -Float.MIN_VALUE, Float.NaN, Float.POSITIVE_INFINITY}) {
      for (int at = 0; at < 48; at++) {
        float[] leaves = new float[48];
        leaves[at] = bad;
        assertFalse(new SumTree.ArrayLeafSums().sum(leaves, 3, new double[3]));
        assertFalse(new VectorLeafSums().sum(leaves, 3, new double[3]));
        leaves[at] = Float.MAX_VALUE;
        assertTrue(new SumTree.ArrayLeafSums().sum(leaves, 3, new double[3]));
        assertTrue(new VectorLeafSums().sum(leaves, 3, new double[3]));
      }
    }
  }

  @Test
  void aLargeTreeHasTheSameBitsWithoutVectors() {
    Random random = random("aLargeTreeHasTheSameBitsWithoutVectors");
    float[] values = new float[LARGE + 77];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextFloat();
    }
    String property = "rais.sampling.vectors";
    try (SumTree vectors = new SumTree(values.length);
        SumTree plain = new SumTree(values.length)) {
      vectors.build(i -> values[(int) i]);
      System.setProperty(property, "false");
      try {
        assertFalse(VectorApi.pays(LARGE));
        plain.build(i -> values[(int) i]);
      } finally {
        System.clearProperty(property);
      }
      assertEquals(plain.total(), vectors.total());
      for (int draw = 0; draw < 1000; draw++) {
        double x = random.nextDouble() * plain.total();
        assertEquals(plain.find(x), vectors.find(x));
      }
    }
  }
}
