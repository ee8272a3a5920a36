package dev.rais.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Precision;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Shape;
import dev.rais.train.Checkpoint;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The calls that a step of training makes on the device, in their order. */
class TrainingStepTest {
  private static final int M = 4;
  private static final Shape IMAGE = new Shape(28, 28, 1);

  /** The calls of each step, without those of evaluations. */
  private static List<List<String>> steps(
      Precision precision, String sampler, Model model, int images, double epochs, double gainMax) {
    HostCuda cuda = HostCuda.late();
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    Dataset data =
        new Dataset(
            "small", all.train().slice(0, images), all.test().slice(0, 1), all.classNames());
    TrainingConfig config =
        TrainingConfig.builder("small", "lenet5", sampler)
            .batchSize(M)
            .epochs(epochs)
            .evalEvery(epochs)
            .gainMax(gainMax)
            .seed(5)
            .build();
    List<List<String>> steps = new ArrayList<>();
    try (Backend backend = cuda.backend(precision);
        Trainer trainer = new Trainer(backend, data, config, model)) {
      cuda.queue.takeCalls();
      while (!trainer.finished()) {
        trainer.advance(
            new TrainingListener() {
              @Override
              public void progressed(Progress progress) {
                steps.add(cuda.queue.takeCalls());
              }
            });
        cuda.queue.takeCalls();
      }
    }
    return steps;
  }

  /** What the second step records. */
  private static List<String> recorded(Precision precision, String sampler) {
    Model model = Models.lenet5(IMAGE, 10);
    List<String> second = steps(precision, sampler, model, 3 * M, 1, 10).get(1);
    return second.subList(second.indexOf("begin capture") + 1, second.indexOf("end capture"));
  }

  /** A GPU that is lost ends the run with one sentence; what was saved before goes on elsewhere. */
  @Test
  void aLostDeviceEndsTheRunAndCheckpointsGoOn() {
    HostCuda cuda = HostCuda.late();
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    Dataset data =
        new Dataset("small", all.train().slice(0, 64), all.test().slice(0, 1), all.classNames());
    TrainingConfig config =
        TrainingConfig.builder("small", "lenet5", "rais").batchSize(M).epochs(3).seed(5).build();
    Model tiny = Model.builder("tiny", IMAGE).add("fc", new Dense(10)).build();
    TrainingListener nobody = new TrainingListener() {};
    Checkpoint saved;
    CudaException lost;
    try (Backend backend = cuda.backend();
        Trainer trainer = new Trainer(backend, data, config, tiny)) {
      for (int t = 0; t < 20; t++) {
        trainer.advance(nobody);
      }
      saved = trainer.checkpoint();
      trainer.advance(nobody);
      cuda.queue.lose();
      lost = assertThrows(CudaException.class, () -> trainer.run(nobody));
    } catch (CudaException e) {
      throw new AssertionError("closing what is lost must not fail", e);
    }
    assertTrue(lost.isLost());
    assertTrue(lost.getMessage().startsWith("the GPU was lost"), lost.getMessage());
    try (Backend backend = HostCuda.newBackend();
        Trainer trainer = new Trainer(backend, data, config, tiny)) {
      trainer.restore(saved);
      assertTrue(trainer.run(nobody).iterations() > saved.iteration());
    }
  }

  private static final List<String> NETWORK =
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
          "rais_bias_relu_backward");

  private static String lines(List<String> before, List<String> after) {
    return String.join("\n", Stream.of(before, NETWORK, after).flatMap(List::stream).toList());
  }

  @Test
  void aUniformStepIsTheDrawTheNetworkTheRateAndTheUpdate() {
    assertEquals(
        lines(List.of("rais_epoch_take", "rais_draw_weights"), List.of("rais_gain", "rais_sgd")),
        String.join("\n", recorded(Precision.FP32, "uniform")));
  }

  @Test
  void withRaisAStepAlsoRemembersNorms() {
    assertEquals(
        lines(
            List.of(
                "rais_epoch_take", "rais_draw_weights", "rais_state_freeze", "rais_state_features"),
            List.of(
                "rais_row_squared_norms",
                "rais_squared_norm",
                "rais_gain",
                "rais_state_observe",
                "rais_sgd")),
        String.join("\n", recorded(Precision.FP32, "rais")));
  }

  /** cuDNN leaves gradients of weights in bfloat16; the update rounds what the next step reads. */
  @Test
  void inBf16AStepAlsoWidensGradientsOfConvolutions() {
    String expected =
        lines(List.of("rais_epoch_take", "rais_draw_weights"), List.of("rais_gain", "rais_sgd"))
            .replace(
                "convolution BACKWARD_WEIGHTS", "convolution BACKWARD_WEIGHTS\nrais_to_float32");
    assertEquals(expected, String.join("\n", recorded(Precision.BF16, "uniform")));
  }

  /**
   * A replayed step is one launch and one record of an event, and waits at most for a step that
   * lies far back; where a set is prepared or applied there is more, but still nothing that waits.
   */
  @Test
  void replayedStepsDoNotWaitForTheDevice() {
    Model tiny = Model.builder("tiny", IMAGE).add("fc", new Dense(10)).build();
    int epochs = 40;
    int images = 64;
    List<List<String>> steps = steps(Precision.FP32, "rais", tiny, images, epochs, 1.01);
    int replayed = 0;
    int tenth = epochs * images / M / 10;
    for (int i = 0; i < steps.size(); i++) {
      // Before an evaluation, which t̂ decides on, the host looks more closely.
      boolean nearEvaluation = i % tenth < 1 || i % tenth > tenth - 20;
      if (nearEvaluation) {
        continue;
      }
      for (String call : steps.get(i)) {
        assertTrue(!call.startsWith("synchronize") && !call.startsWith("allocate"), call);
        if (call.startsWith("await event") && !call.endsWith(", elsewhere")) {
          int back = Integer.parseInt(call.split(" ")[2]);
          assertTrue(back >= 16, "step " + i + " waits for a step only " + back + " back");
        }
      }
      List<String> others =
          steps.get(i).stream().filter(call -> !call.startsWith("await event")).toList();
      replayed +=
          others.size() == 2
                  && others.get(0).startsWith("launch graph of ")
                  && others.get(1).equals("record event")
              ? 1
              : 0;
    }
    assertTrue(replayed > steps.size() / 4, replayed + " of " + steps.size() + " were replayed");
  }
}
