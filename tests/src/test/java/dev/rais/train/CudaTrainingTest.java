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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
    Run cpu = run(Backends.open("cpu", 1, warning -> {}), config);
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

  /** The loss of each minibatch, as it was trained. */
  private static double[] losses(Backend backend, TrainingConfig config, int steps) {
    double[] losses = new double[steps];
    double mean = 0;
    try (backend;
        Trainer trainer = new Trainer(backend, data(), config)) {
      for (int t = 0; t < steps; t++) {
        trainer.advance(new TrainingListener() {});
        double next = trainer.checkpoint().counters().loss();
        losses[t] = t == 0 ? next : mean + (next - mean) / StepCounts.LOSS_ALPHA;
        mean = next;
      }
    }
    return losses;
  }

  /**
   * In bfloat16 every layer rounds its weights and its output, or their gradients, by up to 2^-8 of
   * each. Such errors are as often above as below, so that R of them one behind the other come to
   * √R · 2^-8 of the logits' size; the loss, whose derivatives by the logits sum up to 2 at most,
   * is off by twice that, and once more as much by what the same errors of the gradients have made
   * of the weights, where steps are small enough for errors not to grow.
   *
   * @param layers of the network that have weights
   */
  private static double bf16Roundings(int layers) {
    return 4 * Math.sqrt(2 * layers) * 0x1p-8;
  }

  /** Losses of minibatches go down as float's do. */
  private static void followsFloat(TrainingConfig config, int layers, int steps) {
    double[] expected = losses(Backends.open("cpu", 1, warning -> {}), config, steps);
    double[] found = losses(HostCuda.newBackend(Precision.BF16), config, steps);
    double bound = bf16Roundings(layers);
    double worst = 0;
    for (int t = 0; t < steps; t++) {
      worst = Math.max(worst, Math.abs(found[t] / expected[t] - 1));
    }
    System.out.printf(
        "%s, %s: losses %.3f to %.3f in bf16 and %.3f to %.3f in float, off by %.1e of %.1e%n",
        config.model(),
        config.sampler(),
        found[0],
        found[steps - 1],
        expected[0],
        expected[steps - 1],
        worst,
        bound);
    for (int t = 0; t < steps; t++) {
      assertEquals(expected[t], found[t], bound * expected[t], "minibatch " + t);
    }
    assertTrue(worst > ROUNDINGS, "nothing was rounded");
    // Or else what has not been trained at all would do.
    assertTrue(
        expected[0] / expected[steps - 1] - 1 > 4 * bound, "training takes off too little to tell");
  }

  private static TrainingConfig slow(String model, String sampler) {
    // LeNet-5 falls steeply at first: a large step would make more of small differences.
    return TrainingConfig.builder("small", model, sampler)
        .batchSize(16)
        .epochs(2)
        .evalEvery(2)
        .learningRate(model.equals("lenet5") ? 0.002 : 0.01)
        .async(false)
        .seed(5)
        .build();
  }

  @ParameterizedTest
  @CsvSource({"lenet5, 4", "resnet8, 10"})
  void uniformStepsInBf16FollowFloat(String model, int layers) {
    followsFloat(slow(model, "uniform"), layers, 12);
  }

  @ParameterizedTest
  @CsvSource({"lenet5, 4", "resnet8, 10"})
  void stepsOfRaisInBf16FollowFloat(String model, int layers) {
    followsFloat(slow(model, "rais"), layers, 12);
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
