package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** The calls that a step of training makes on the device, in their order. */
class TrainingStepTest {
  private static final int M = 4;

  /** The calls of the last of a few steps of LeNet-5, when all is chosen and allocated. */
  private static List<String> lastStep(String sampler) {
    HostCuda cuda = HostCuda.late();
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    Dataset data =
        new Dataset("small", all.train().slice(0, 3 * M), all.test().slice(0, 1), all.classNames());
    TrainingConfig config =
        TrainingConfig.builder("small", "lenet5", sampler)
            .batchSize(M)
            .epochs(1)
            .evalEvery(1)
            .seed(5)
            .build();
    try (Backend backend = cuda.backend();
        Trainer trainer = new Trainer(backend, data, config)) {
      AtomicReference<List<String>> last = new AtomicReference<>();
      trainer.run(
          new TrainingListener() {
            @Override
            public void progressed(Progress progress) {
              last.set(cuda.queue.takeCalls());
            }
          });
      List<String> calls = last.get();
      return calls.subList(calls.lastIndexOf("rais_gather_augment"), calls.size());
    }
  }

  /** Without what RAIS asks for: losses, to see whether the run diverges. */
  private static final List<String> PLAIN =
      List.of(
          "rais_gather_augment",
          "convolution FORWARD",
          "rais_bias_relu",
          "rais_max_pool",
          "rais_relu",
          "convolution FORWARD",
          "rais_bias_relu",
          "rais_max_pool",
          "rais_relu",
          "gemm 500 4 800",
          "rais_bias_relu",
          "rais_relu",
          "gemm 10 4 500",
          "rais_bias_relu",
          "rais_softmax_xent",
          "copy 16 to the host",
          "synchronize",
          "gemm 500 10 4",
          "rais_bias_relu_backward",
          "gemm 500 4 10",
          "rais_relu_backward",
          "gemm 800 500 4",
          "rais_bias_relu_backward",
          "gemm 800 4 500",
          "rais_relu_backward",
          "rais_max_pool_backward",
          "convolution BACKWARD_WEIGHTS",
          "rais_bias_relu_backward",
          "convolution BACKWARD_DATA",
          "rais_relu_backward",
          "rais_max_pool_backward",
          "convolution BACKWARD_WEIGHTS",
          "rais_bias_relu_backward",
          "fill 1 ints",
          "rais_sgd");

  @Test
  void aStepIsTheNetworkTheLossAndTheUpdateAndNothingIsAllocated() {
    assertEquals(String.join("\n", PLAIN), String.join("\n", lastStep("uniform")));
  }

  /** What the host asks for is read in between; the launches are the same ones. */
  @Test
  void theDeviceIsWaitedForOnlyWhereTheHostReadsNumbers() {
    List<String> step = lastStep("rais");
    for (int i = 0; i < step.size(); i++) {
      if (step.get(i).equals("synchronize")) {
        assertTrue(step.get(i - 1).endsWith("to the host"), i + " of " + step);
      }
    }
    List<String> launches =
        step.stream()
            .filter(c -> !c.endsWith("to the host") && !c.equals("synchronize"))
            .filter(c -> !c.endsWith("squared_norm") && !c.equals("rais_row_squared_norms"))
            .toList();
    assertEquals(
        PLAIN.stream().filter(c -> !c.endsWith("to the host") && !c.equals("synchronize")).toList(),
        launches);
  }
}
