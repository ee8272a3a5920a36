package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rais.RandomTest;
import dev.rais.backend.Backend;
import dev.rais.backend.Buffer;
import dev.rais.backend.DType;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the conformance suite does not ask: that the ways to compute a row agree, bit by bit. */
class LossLayerTest extends RandomTest {
  private static final String VECTORS = "rais.backend.vectors";

  @AfterEach
  void asUsual() {
    System.clearProperty(VECTORS);
  }

  @Test
  void vectorsAreTested() {
    assertTrue(
        ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent(),
        "start the tests with --add-modules jdk.incubator.vector");
    assumeTrue(VectorLoops.areUsed(), "this processor's vectors are too short for these loops");
    Random random = random("vectorsAreTested");
    float[] logits = logits(random, 10, 1000);
    int[] labels = random.ints(10, 0, 1000).toArray();
    float[] vectors = run(1, logits, labels, false).gradients;
    System.setProperty(VECTORS, "false");
    assertFalse(VectorLoops.areUsed());
    float[] plain = run(1, logits, labels, false).gradients;
    assertFalse(Arrays.equals(plain, vectors), "the two ways round alike: was it only one?");
  }

  private record Results(float[] losses, float[] norms, float[] gradients, byte[] correctness) {}

  private static Results run(int threads, float[] logits, int[] labels, boolean inPlace) {
    int rows = labels.length;
    int classes = logits.length / rows;
    try (Backend backend = new JavaBackend(threads)) {
      Buffer z = backend.allocate(DType.FLOAT32, logits.length);
      z.upload(logits);
      Buffer y = backend.allocate(DType.INT32, rows);
      y.upload(labels);
      Buffer losses = backend.allocate(DType.FLOAT32, rows);
      Buffer norms = backend.allocate(DType.FLOAT32, rows);
      Buffer gradients = inPlace ? z : backend.allocate(DType.FLOAT32, logits.length);
      Buffer flags = backend.allocate(DType.UINT8, rows);
      backend.lossLayer(rows, classes, z, y, null, 1f, losses, norms, gradients, flags);
      byte[] correctness = new byte[rows];
      flags.download(correctness);
      return new Results(losses.toFloats(), norms.toFloats(), gradients.toFloats(), correctness);
    }
  }

  /** Now and then a row with logits far apart, or one that is not finite. */
  private static float[] logits(Random random, int rows, int classes) {
    float[] logits = new float[rows * classes];
    for (int j = 0; j < rows; j++) {
      float width = random.nextInt(5) == 0 ? 100 : 5;
      for (int k = 0; k < classes; k++) {
        logits[j * classes + k] = width * (float) random.nextGaussian();
      }
      if (random.nextInt(7) == 0) {
        logits[j * classes + random.nextInt(classes)] = Float.NaN;
      }
    }
    return logits;
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 10, 64, 100, 128, 1000, 20_000})
  void aRowDoesNotDependOnThreadsOrNeighbours(int classes) {
    rowsStandAlone(classes);
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 127, 128, 1000, 20_000})
  void norDoesItWithoutVectors(int classes) {
    System.setProperty(VECTORS, "false");
    rowsStandAlone(classes);
  }

  private void rowsStandAlone(int classes) {
    Random random = random("aRowDoesNotDependOnThreadsOrNeighbours" + classes);
    int rows = 200_000 / classes + 3;
    float[] logits = logits(random, rows, classes);
    int[] labels = random.ints(rows, 0, classes).toArray();
    Results one = run(1, logits, labels, false);
    for (int threads : new int[] {2, 3}) {
      requireSame(one, run(threads, logits, labels, false));
    }
    requireSame(one, run(1, logits, labels, true));
    for (int repeat = 0; repeat < 20; repeat++) {
      int j = random.nextInt(rows);
      float[] row = Arrays.copyOfRange(logits, j * classes, (j + 1) * classes);
      Results alone = run(1, row, new int[] {labels[j]}, false);
      assertEquals(one.losses[j], alone.losses[0]);
      assertEquals(one.norms[j], alone.norms[0]);
      assertEquals(one.correctness[j], alone.correctness[0]);
      for (int k = 0; k < classes; k++) {
        assertEquals(one.gradients[j * classes + k], alone.gradients[k]);
      }
    }
  }

  private static void requireSame(Results expected, Results found) {
    assertArrayEquals(expected.losses, found.losses, 0);
    assertArrayEquals(expected.norms, found.norms, 0);
    assertArrayEquals(expected.gradients, found.gradients, 0);
    assertArrayEquals(expected.correctness, found.correctness);
  }

  /** The vectorised and the careful way meet where logits are just as far apart as one allows. */
  @ParameterizedTest
  @ValueSource(ints = {2, 3, 10, 64, 79, 300, 3000})
  void theCarefulWayAgrees(int classes) {
    agreesWithTheCarefulWay(classes);
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 300, 3000})
  void theCarefulWayAgreesWithoutVectors(int classes) {
    System.setProperty(VECTORS, "false");
    agreesWithTheCarefulWay(classes);
  }

  private void agreesWithTheCarefulWay(int classes) {
    Random random = random("theCarefulWayAgrees" + classes);
    for (int repeat = 0; repeat < 50; repeat++) {
      float[] row = new float[classes];
      for (int k = 0; k < classes; k++) {
        row[k] = VectorExp.RANGE * random.nextFloat();
      }
      int label = random.nextInt(classes);
      row[label] = 90 * random.nextFloat() - 30;
      Results found = run(1, row, new int[] {label}, false);
      float[] gradients = row.clone();
      CarefulLossRow expected = CarefulLossRow.of(gradients, classes, label, 1);
      assertEquals(expected.loss(), found.losses[0], 1e-6 * expected.loss());
      assertEquals(expected.norm(), found.norms[0], 2e-6 * expected.norm());
      assertEquals(expected.flags(), found.correctness[0]);
      for (int k = 0; k < classes; k++) {
        float bound = 1e-5f * Math.abs(gradients[k]) + Float.MIN_NORMAL;
        assertEquals(gradients[k], found.gradients[k], bound);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void tinyNormsAndLossesKeepTheirDigits(boolean vectors) {
    System.setProperty(VECTORS, Boolean.toString(vectors));
    int classes = 1000;
    for (int lead = 5; lead <= 70; lead += 5) {
      float[] row = new float[classes];
      row[7] = lead;
      Results found = run(1, row, new int[] {7}, false);
      double others = 999 * Math.exp(-lead);
      double missing = others / (1 + others);
      double norm = Math.sqrt(missing * missing + missing * missing / 999);
      assertEquals(norm, found.norms[0], 1e-6 * norm);
      assertEquals(Math.log1p(others), found.losses[0], 1e-6 * others);
      assertEquals(-missing, found.gradients[7], 1e-6 * missing);
      assertTrue(found.losses[0] > 0);
    }
  }
}
