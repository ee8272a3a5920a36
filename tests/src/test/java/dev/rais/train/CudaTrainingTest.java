package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.backend.Precision;
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

  /**
   * In bfloat16 every layer rounds its weights and its output, or their gradients, by up to 2^-8 of
   * each. Such errors are as often above as below, so that R of them one behind the other are about
   * √R · 2^-8 of the logits' size; the loss, whose derivatives by the logits sum up to 2 at most,
   * is off by twice that, and once more as much by what the same errors of the gradients have made
   * of the weights.
   *
   * @param layers of the network that have weights
   */
  private static double bf16Roundings(int layers) {
    return 4 * Math.sqrt(2 * layers) * 0x1p-8;
  }

  /** Losses begin where float's do, go down, and stay near float's. */
  private static void followsFloat(TrainingConfig config, int layers) {
    Run cpu = run(Backends.open("cpu", 2, warning -> {}), config);
    Run bf16 = run(HostCuda.newBackend(Precision.BF16), config);
    assertTrue(bf16.summary().backend().endsWith(", bf16"), bf16.summary().backend());
    assertEquals(cpu.summary().iterations(), bf16.summary().iterations());
    assertEquals(cpu.evaluations().size(), bf16.evaluations().size());
    double bound = bf16Roundings(layers);
    double rounded = 0;
    for (int i = 0; i < cpu.evaluations().size(); i++) {
      Metrics expected = cpu.evaluations().get(i);
      Metrics found = bf16.evaluations().get(i);
      rounded = Math.max(rounded, Math.abs(found.trainLoss() / expected.trainLoss() - 1));
      System.out.printf(
          "%s, %s, iteration %d: loss %.4f in bf16, %.4f in float, off by up to %.1e, bound %.1e%n",
          config.model(),
          config.sampler(),
          found.iteration(),
          found.trainLoss(),
          expected.trainLoss(),
          rounded,
          bound);
      assertEquals(expected.iteration(), found.iteration());
      assertEquals(
          expected.trainLoss(), found.trainLoss(), bound * expected.trainLoss(), "training " + i);
      assertEquals(expected.testLoss(), found.testLoss(), bound * expected.testLoss(), "test " + i);
    }
    assertTrue(rounded > ROUNDINGS, "nothing was rounded: " + rounded);
    // What did not train would be off by more than the bound, or else this shows nothing.
    double untrained = Math.log(10) / cpu.summary().finalTrainLoss() - 1;
    assertTrue(untrained > 2 * bound, "training takes off too little to tell: " + untrained);
  }

  @Test
  void lenet5InBf16FollowsFloat() {
    followsFloat(
        TrainingConfig.builder("small", "lenet5", "uniform")
            .batchSize(20)
            .epochs(2)
            .evalEvery(0.5)
            .seed(5)
            .build(),
        4);
  }

  @Test
  void lenet5WithRaisInBf16FollowsFloat() {
    followsFloat(
        TrainingConfig.builder("small", "lenet5", "rais")
            .batchSize(20)
            .epochs(2)
            .evalEvery(0.5)
            .async(false)
            .seed(6)
            .build(),
        4);
  }

  @Test
  void resnet8InBf16FollowsFloat() {
    followsFloat(
        TrainingConfig.builder("small", "resnet8", "uniform")
            .batchSize(16)
            .epochs(1)
            .padding(2)
            .flip(true)
            .seed(7)
            .build(),
        10);
  }

  @Test
  void resnet8WithRaisInBf16FollowsFloat() {
    followsFloat(
        TrainingConfig.builder("small", "resnet8", "rais")
            .batchSize(16)
            .epochs(1)
            .async(false)
            .seed(8)
            .build(),
        10);
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
