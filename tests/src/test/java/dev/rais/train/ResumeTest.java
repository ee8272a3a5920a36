package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Models;
import dev.rais.nn.Relu;
import dev.rais.nn.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every sampler with every kind of network and varied images resumes bit by bit, anywhere. */
class ResumeTest {
  private static final Shape IMAGE = new Shape(28, 28, 1);

  @TempDir Path folder;

  private Backend backend;
  private InterruptedRun runs;

  @BeforeEach
  void open() {
    Dataset sample = Datasets.load("fashion-mnist-sample", null);
    Dataset data =
        new Dataset(
            "small", sample.train().slice(0, 240), sample.test().slice(0, 40), sample.classNames());
    backend = Backends.open("cpu", 2, warning -> {});
    runs = new InterruptedRun(backend, data, folder.resolve("checkpoint"));
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private static Map<String, Model> models() {
    Map<String, Model> models = new TreeMap<>();
    models.put("lenet5", Models.create("lenet5", IMAGE, 10));
    models.put("residual", ResidualModels.small(IMAGE, 10));
    models.put(
        "perceptron",
        Model.builder("perceptron", IMAGE)
            .add("fc1", new Dense(8))
            .add("relu1", new Relu())
            .add("fc2", new Dense(10))
            .build());
    return models;
  }

  static Stream<Arguments> combinations() {
    List<Arguments> all = new ArrayList<>();
    for (String sampler : Samplers.names()) {
      for (String model : models().keySet()) {
        all.add(Arguments.of(sampler, model));
      }
    }
    return all.stream();
  }

  private static TrainingConfig.Builder config(String sampler, String model) {
    return TrainingConfig.builder("small", model, sampler)
        .batchSize(16)
        .epochs(3)
        .oracleEvery(7)
        .evalEvery(0.4)
        .seed(7);
  }

  @ParameterizedTest
  @MethodSource("combinations")
  void variedImagesWithEverySamplerAndNetwork(String sampler, String model) {
    TrainingConfig config = config(sampler, model).padding(2).flip(true).cutout(5).build();
    interruptTwice(config, models().get(model));
  }

  @ParameterizedTest
  @MethodSource("combinations")
  void imagesAsTheyAreAndPlainBatchNorms(String sampler, String model) {
    TrainingConfig config = config(sampler, model).batchNorm(BatchNormWeights.PLAIN).build();
    interruptTwice(config, models().get(model));
  }

  private void interruptTwice(TrainingConfig config, Model model) {
    Random random = new Random((config.sampler() + config.model()).hashCode());
    long first = 1 + random.nextInt(12);
    long second = first + 1 + random.nextInt(12);
    runs.interrupted(model, config, first, second)
        .assertSame(
            runs.whole(model, config), config + " interrupted after " + first + ", " + second);
  }

  @Test
  void raisAfterEveryIteration() {
    Model model = models().get("perceptron");
    TrainingConfig config = config("rais", "perceptron").epochs(4).build();
    InterruptedRun.Outcome expected = runs.whole(model, config);
    for (long t = 1; t < 40; t++) {
      runs.interrupted(model, config, t).assertSame(expected, "interrupted after " + t);
    }
    assertTrue(runs.withTrainingUnderWay() > 3, "c and d were in training at some of them");
  }
}
