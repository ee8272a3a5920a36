package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rais.backend.BatchNormShape;
import dev.rais.backend.BatchNormShape.Fusion;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Which loops a batch norm takes; that both compute the same is the conformance suite's. */
class BatchNormPassesTest {
  private static final String VECTORS = "rais.backend.vectors";

  @BeforeEach
  void needVectors() {
    assumeTrue(VectorLoops.areUsed(), "this processor's vectors are too short for these loops");
  }

  @AfterEach
  void asUsual() {
    System.clearProperty(VECTORS);
  }

  private static Class<?> passes(int batch, int positions, int channels) {
    return BatchNormPasses.of(new BatchNormShape(batch, positions, channels, 1e-5f, Fusion.RELU))
        .getClass();
  }

  @Test
  void residualNetworksTakeVectors() {
    assertEquals(VectorBatchNormPasses.class, passes(128, 1024, 16));
    assertEquals(VectorBatchNormPasses.class, passes(128, 256, 32));
    assertEquals(VectorBatchNormPasses.class, passes(128, 64, 64));
    assertEquals(VectorBatchNormPasses.class, passes(64, 16, 512));
  }

  @Test
  void whatFillsNoLinesAndWhatIsWideAndLargeTakesArrays() {
    assertEquals(ArrayBatchNormPasses.class, passes(128, 49, 5));
    assertEquals(ArrayBatchNormPasses.class, passes(256, 256, 128));
  }

  @Test
  void withoutVectorsAllTakeArrays() {
    System.setProperty(VECTORS, "false");
    assertEquals(ArrayBatchNormPasses.class, passes(128, 64, 64));
  }
}
