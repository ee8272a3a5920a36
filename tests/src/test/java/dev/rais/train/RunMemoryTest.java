package dev.rais.train;

import static dev.rais.backend.DType.BFLOAT16;
import static dev.rais.backend.DType.FLOAT32;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Placement;
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
            () -> RunMemory.of(MODEL, 128, BFLOAT16).require(available, MODEL, 128, BFLOAT16));
    assertTrue(e.getMessage().endsWith("that fits is 100"), e.getMessage());
  }

  @Test
  void theLargestBatchThatFitsIsNamed() {
    long available = RunMemory.of(MODEL, 100, FLOAT32).total();
    RunMemory.of(MODEL, 100, FLOAT32).require(available, MODEL, 100, FLOAT32);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> RunMemory.of(MODEL, 128, FLOAT32).require(available, MODEL, 128, FLOAT32));
    assertEquals(
        "batch-size 128 needs 0.79 GB (activations 0.61 GB, parameters 0.18 GB),"
            + " but only 0.66 GB are available; the largest batch size that fits is 100",
        e.getMessage());
    e =
        assertThrows(
            IllegalArgumentException.class,
            () -> RunMemory.of(MODEL, 1, FLOAT32).require(1000, MODEL, 1, FLOAT32));
    assertEquals(
        "batch-size 1 needs 0.18 GB (activations 0.00 GB, parameters 0.18 GB), but"
            + " only 0.00 GB are available; not even a batch size of 1 fits: choose a smaller"
            + " model",
        e.getMessage());
  }

  private static RunMemory withSamplerAndImages(RunMemory memory, Placement train) {
    return new RunMemory(
        memory.activations(),
        memory.parameters(),
        20_000_000,
        train,
        300_000_000,
        Placement.HOST,
        60_000_000);
  }

  @Test
  void whatLiesInTheBackendsMemoryCounts() {
    RunMemory rest = RunMemory.of(MODEL, 128, FLOAT32);
    RunMemory onDevice = withSamplerAndImages(rest, Placement.DEVICE);
    assertEquals(rest.total() + 320_000_000, onDevice.total());
    assertEquals(300_000_000, onDevice.deviceImages());
    assertEquals(60_000_000, onDevice.hostImages());
    RunMemory onHost = withSamplerAndImages(rest, Placement.HOST);
    assertEquals(rest.total() + 20_000_000, onHost.total());
    assertEquals(360_000_000, onHost.hostImages());
    RunMemory shared = withSamplerAndImages(rest, Placement.SHARED);
    assertEquals(0, shared.deviceImages());
    assertEquals(60_000_000, shared.hostImages());
  }

  @Test
  void whatIsInTheWayOfALargerBatchIsNamed() {
    RunMemory memory = withSamplerAndImages(RunMemory.of(MODEL, 128, FLOAT32), Placement.DEVICE);
    long available = RunMemory.of(MODEL, 100, FLOAT32).total() + 320_000_000;
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> memory.require(available, MODEL, 128, FLOAT32));
    assertEquals(
        "batch-size 128 needs 1.11 GB (activations 0.61 GB, parameters 0.18 GB, sampler 0.02 GB,"
            + " images 0.30 GB), but only 0.98 GB are available; the largest batch size that fits"
            + " is 100",
        e.getMessage());
    memory.require(memory.total(), MODEL, 128, FLOAT32);
    long withoutImages = RunMemory.of(MODEL, 1, FLOAT32).total() + 20_000_000;
    for (String[] expected :
        new String[][] {
          {"0", "leave images in the host's memory (rais.cuda.images)"},
          {"1", "choose a smaller model"}
        }) {
      long less = withoutImages - Long.parseLong(expected[0]);
      e =
          assertThrows(
              IllegalArgumentException.class, () -> memory.require(less, MODEL, 128, FLOAT32));
      assertTrue(
          e.getMessage().endsWith("; not even a batch size of 1 fits: " + expected[1]),
          e.getMessage());
    }
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
