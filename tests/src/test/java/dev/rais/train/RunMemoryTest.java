package dev.rais.train;

import static dev.rais.backend.DType.BFLOAT16;
import static dev.rais.backend.DType.FLOAT32;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.BatchNorm2d;
import dev.rais.nn.Conv2d;
import dev.rais.nn.Dense;
import dev.rais.nn.GlobalAveragePool;
import dev.rais.nn.MemoryPlan;
import dev.rais.nn.Mode;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Shape;
import org.junit.jupiter.api.Test;

/** A run that does not fit into memory is refused before it begins, with what would fit. */
class RunMemoryTest {
  private static final Model MODEL = Models.resnet18(new Shape(32, 32, 3), 10);

  @Test
  void aRunNeedsActivationsAndParameters() {
    RunMemory memory = RunMemory.of(MODEL, 64, FLOAT32);
    assertEquals(MemoryPlan.of(MODEL, 64, Mode.TRAINING).numBytes(FLOAT32), memory.activations());
    // Four copies of each parameter, two of each of the 9,600 running statistics.
    assertEquals(4 * (4 * 11_173_962L + 2 * 9_600), memory.parameters());
    assertEquals(memory.activations() + memory.parameters(), memory.total());
  }

  /**
   * Activations take half, and of every parameter there are a copy and a gradient of 2 bytes more.
   */
  @Test
  void inBfloat16ActivationsTakeHalf() {
    RunMemory floats = RunMemory.of(MODEL, 64, FLOAT32);
    RunMemory memory = RunMemory.of(MODEL, 64, BFLOAT16);
    assertEquals(floats.activations() / 2, memory.activations());
    assertEquals(floats.parameters() + 2 * 2 * 11_173_962L, memory.parameters());
    long available = RunMemory.of(MODEL, 100, BFLOAT16).total();
    assertTrue(available < RunMemory.of(MODEL, 100, FLOAT32).total());
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> RunMemory.require(available, MODEL, 128, BFLOAT16));
    assertTrue(e.getMessage().endsWith("that fits is 100"), e.getMessage());
  }

  @Test
  void theLargestBatchThatFitsIsNamed() {
    long available = RunMemory.of(MODEL, 100, FLOAT32).total();
    RunMemory.require(available, MODEL, 100, FLOAT32);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> RunMemory.require(available, MODEL, 128, FLOAT32));
    assertEquals(
        "batch-size 128 needs 0.79 GB (activations 0.61 GB, parameters 0.18 GB),"
            + " but only 0.66 GB are available; the largest batch size that fits is 100",
        e.getMessage());
    e =
        assertThrows(
            IllegalArgumentException.class, () -> RunMemory.require(1000, MODEL, 1, FLOAT32));
    assertEquals(
        "batch-size 1 needs 0.18 GB (activations 0.00 GB, parameters 0.18 GB), but"
            + " only 0.00 GB are available; not even a batch size of 1 fits: choose a smaller"
            + " model",
        e.getMessage());
  }

  @Test
  void aTrainerRefusesWhatNoMachineHolds() {
    Dataset data = Datasets.load("fashion-mnist-sample", null);
    Model.Builder builder =
        Model.builder("huge", new Shape(28, 28, 1)).add("conv", new Conv2d(1 << 14, 1));
    for (int i = 0; i < 300; i++) {
      builder.add("bn" + i, new BatchNorm2d());
    }
    Model huge = builder.add("pool", new GlobalAveragePool()).add("fc", new Dense(10)).build();
    TrainingConfig config =
        TrainingConfig.builder("sample", "huge", "uniform").batchSize(4000).build();
    try (Backend backend = Backends.open("cpu", 1, warning -> {})) {
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class, () -> new Trainer(backend, data, config, huge));
      assertEquals("batch-size 4000 needs ", e.getMessage().substring(0, 22));
    }
  }
}
