package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Shape;
import dev.rais.sampling.Ablation;
import dev.rais.sampling.RaisSampler;
import dev.rais.sampling.UncertaintySet;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is left out is left out, and nothing else. */
class AblationTest {
  private final Dataset sample = Datasets.load("fashion-mnist-sample", null);
  private final Dataset data =
      new Dataset(
          "small", sample.train().slice(0, 800), sample.test().slice(0, 100), sample.classNames());

  private record Run(List<Metrics> metrics, UncertaintySet set) {
    Metrics last() {
      return metrics.getLast();
    }
  }

  private static TrainingConfig.Builder config(String model, Ablation ablation) {
    return TrainingConfig.builder("small", model, "rais")
        .batchSize(16)
        .epochs(6)
        .caution(false) // which would draw uniformly where the ablation hurts
        .ablation(ablation.id());
  }

  private Run run(Backend backend, Ablation ablation) {
    TrainingConfig config = config("mlp", ablation).build();
    List<Metrics> metrics = new ArrayList<>();
    try (Trainer trainer = new Trainer(backend, data, config)) {
      trainer.run(
          new TrainingListener() {
            @Override
            public void evaluated(Metrics evaluation) {
              metrics.add(evaluation);
            }
          });
      return new Run(metrics, ((RaisSampler) trainer.sampler()).uncertaintySet());
    }
  }

  @Test
  void eachAblationDoesWhatItSays() {
    Map<Ablation, Run> runs = new EnumMap<>(Ablation.class);
    try (Backend backend = Backends.open("cpu", 1, warning -> {})) {
      for (Ablation ablation : Ablation.values()) {
        runs.put(ablation, run(backend, ablation));
      }
    }
    List<Ablation> features =
        List.of(
            Ablation.NO_MEAN,
            Ablation.NO_CLASS_MEAN,
            Ablation.NO_LAST,
            Ablation.NO_PREVIOUS,
            Ablation.NO_AVERAGE,
            Ablation.NO_NEVER_SEEN);
    for (int k = 0; k < features.size(); k++) {
      UncertaintySet set = runs.get(features.get(k)).set();
      assertEquals(0, set.c()[k], features.get(k).id());
      assertEquals(0, set.dHat()[k], features.get(k).id());
    }
    Run whole = runs.get(Ablation.NONE);
    for (int k = 0; k < 5; k++) {
      assertTrue(whole.set().c()[k] + whole.set().dHat()[k] > 0, "feature " + k + " is in use");
    }
    for (Ablation scaled : List.of(Ablation.K_ZERO, Ablation.K_HALF, Ablation.K_TWICE)) {
      // What they do to p is RefreshTest's; a run takes another course with them.
      assertNotEquals(whole.last().draws(), runs.get(scaled).last().draws(), scaled.id());
    }

    Metrics fixed = runs.get(Ablation.FIXED_RATE).last();
    assertEquals(fixed.epochs(), fixed.epochsEquivalent(), 1e-12);
    assertTrue(fixed.gainRatio() > 1, "measured all the same");
    for (Metrics metrics : runs.get(Ablation.FIXED_RATE).metrics()) {
      assertTrue(metrics.learningRate() <= 0.05, "not scaled: " + metrics.learningRate());
    }
    assertTrue(whole.metrics().stream().anyMatch(m -> m.learningRate() > 0.05), "scaled otherwise");
    assertNotEquals(whole.last().iteration(), runs.get(Ablation.LOGIT_GAIN).last().iteration());
    assertNotEquals(whole.last().iteration(), runs.get(Ablation.EXACT_GAIN).last().iteration());
  }

  /** The last layer is all of this network: norms of all parameters are what it gives anyway. */
  @Test
  void exactGainsOfALinearModelAreThoseOfItsLastLayer() {
    Model linear = Model.builder("linear", new Shape(28, 28, 1)).add("fc", new Dense(10)).build();
    try (Backend backend = Backends.open("cpu", 1, warning -> {})) {
      List<Metrics> whole = course(backend, linear, Ablation.NONE);
      List<Metrics> exact = course(backend, linear, Ablation.EXACT_GAIN);
      assertEquals(whole.size(), exact.size());
      for (int k = 0; k < whole.size(); k++) {
        assertEquals(whole.get(k).gainRatio(), exact.get(k).gainRatio(), 1e-4);
        assertEquals(whole.get(k).trainLoss(), exact.get(k).trainLoss(), 1e-4);
      }
      assertTrue(whole.getLast().gainRatio() > 1.1, "a gain " + whole.getLast().gainRatio());
    }
  }

  private List<Metrics> course(Backend backend, Model model, Ablation ablation) {
    List<Metrics> metrics = new ArrayList<>();
    TrainingConfig config = config("linear", ablation).build();
    try (Trainer trainer = new Trainer(backend, data, config, model)) {
      trainer.run(
          new TrainingListener() {
            @Override
            public void evaluated(Metrics evaluation) {
              metrics.add(evaluation);
            }
          });
    }
    return metrics;
  }

  @Test
  void exactGainIsRefusedWhereItWouldBeAnotherGradients() {
    TrainingConfig.Builder varied =
        TrainingConfig.builder("d", "mlp", "rais").ablation("exact-gain").padding(4);
    IllegalArgumentException images = assertThrows(IllegalArgumentException.class, varied::build);
    assertTrue(images.getMessage().contains("without varied images"), images.getMessage());
    try (Backend backend = Backends.open("cpu", 1, warning -> {})) {
      TrainingConfig normed = config("resnet8", Ablation.EXACT_GAIN).build();
      IllegalArgumentException norm =
          assertThrows(
              IllegalArgumentException.class, () -> new Trainer(backend, data, normed).close());
      assertTrue(norm.getMessage().contains("resnet8's layer"), norm.getMessage());
    }
  }

  @Test
  void onlyRaisCanBeAblated() {
    TrainingConfig.Builder uniform = TrainingConfig.builder("d", "mlp", "uniform");
    IllegalArgumentException other =
        assertThrows(IllegalArgumentException.class, () -> uniform.ablation("no-last").build());
    assertTrue(other.getMessage().contains("goes with the sampler rais"), other.getMessage());
    IllegalArgumentException unknown =
        assertThrows(
            IllegalArgumentException.class,
            () -> TrainingConfig.builder("d", "mlp", "rais").ablation("no-such").build());
    assertTrue(unknown.getMessage().contains("ablate must be one of none, "), unknown.getMessage());
  }

  @Test
  void configurationsFromBeforeAblationsAreRead() {
    RunJson json = new RunJson();
    TrainingConfig config = TrainingConfig.builder("d", "mlp", "rais").build();
    String line = json.line(config);
    String before = line.replace(",\"ablation\":\"none\"", "");
    assertNotEquals(line, before);
    assertEquals(config, json.read(before, TrainingConfig.class));
  }
}
