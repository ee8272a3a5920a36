package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.cuda.HostCuda;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Whole runs on the CUDA backend, above a driver, cuBLAS and cuDNN in Java, against the CPU's: the
 * same draws, and losses that differ by roundings alone.
 */
class CudaTrainingTest {
  /** Roundings of a few steps of float, as a share of the loss. */
  private static final double ROUNDINGS = 1e-4;

  private static Dataset data() {
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    return new Dataset(
        "small", all.train().slice(0, 160), all.test().slice(0, 40), all.classNames());
  }

  private record Run(List<Metrics> evaluations, Summary summary) {}

  private static Run run(Backend backend, TrainingConfig config) {
    List<Metrics> evaluations = new ArrayList<>();
    try (backend;
        Trainer trainer = new Trainer(backend, data(), config)) {
      Summary summary =
          trainer.run(
              new TrainingListener() {
                @Override
                public void evaluated(Metrics metrics) {
                  evaluations.add(metrics);
                }
              });
      return new Run(evaluations, summary);
    }
  }

  private static void agree(TrainingConfig config) {
    Run cpu = run(Backends.open("cpu", 2, warning -> {}), config);
    Run cuda = run(HostCuda.newBackend(), config);
    assertEquals(cpu.evaluations().size(), cuda.evaluations().size());
    for (int i = 0; i < cpu.evaluations().size(); i++) {
      Metrics expected = cpu.evaluations().get(i);
      Metrics found = cuda.evaluations().get(i);
      assertEquals(expected.iteration(), found.iteration());
      near(expected.trainLoss(), found.trainLoss(), "training loss " + i);
      near(expected.testLoss(), found.testLoss(), "test loss " + i);
    }
    assertEquals(cpu.summary().iterations(), cuda.summary().iterations());
    assertTrue(cuda.summary().backend().startsWith("the host, "), cuda.summary().backend());
  }

  private static void near(double expected, double found, String what) {
    assertEquals(expected, found, ROUNDINGS * expected, what);
  }

  @Test
  void lenet5TrainsAsOnTheCpu() {
    agree(
        TrainingConfig.builder("small", "lenet5", "uniform")
            .batchSize(20)
            .epochs(1)
            .evalEvery(0.5)
            .seed(5)
            .build());
  }

  @Test
  void raisTrainsAsOnTheCpu() {
    agree(
        TrainingConfig.builder("small", "lenet5", "rais")
            .batchSize(20)
            .epochs(1)
            .evalEvery(0.5)
            .async(false)
            .seed(6)
            .build());
  }

  @Test
  void aResidualNetworkWithVariedImagesTrainsAsOnTheCpu() {
    agree(
        TrainingConfig.builder("small", "resnet8", "uniform")
            .batchSize(16)
            .epochs(0.4)
            .padding(2)
            .flip(true)
            .seed(7)
            .build());
  }
}
