package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Models;
import dev.rais.nn.Shape;
import dev.rais.sampling.DrawMode;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Minibatches made ahead of their turn are those that would have been made in it. */
class InputPipelineTest {
  private static final int M = 32;

  private final Dataset sample = Datasets.load("fashion-mnist-sample", null);
  private final Dataset data =
      new Dataset(
          "small", sample.train().slice(0, 800), sample.test().slice(0, 200), sample.classNames());
  private Backend backend;

  @BeforeEach
  void open() {
    backend = Backends.open("cpu", 2, warning -> {});
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private static TrainingConfig.Builder config(String sampler, DrawMode draw) {
    return TrainingConfig.builder("small", "mlp", sampler)
        .draw(draw)
        .batchSize(M)
        .epochs(8)
        .seed(3)
        .padding(3)
        .flip(true)
        .cutout(6);
  }

  private record Outcome(float[] parameters, Summary summary, long madeAhead) {}

  private Outcome run(TrainingConfig config, boolean overlap) {
    Shape image = new Shape(28, 28, 1);
    try (Trainer trainer =
        new Trainer(backend, data, config, Models.create("mlp", image, 10), overlap, true)) {
      Summary summary = trainer.run(new TrainingListener() {});
      return new Outcome(
          trainer.network().values().toFloats(), summary, trainer.minibatchesMadeAhead());
    }
  }

  @ParameterizedTest
  @CsvSource({
    // sampler, how it draws, least share of minibatches that were made ahead, and most
    "uniform, ROUNDS, 0.98, 1",
    "rais, ROUNDS, 0.5, 1",
    "rais, IID, 0, 0.99",
    "uniform-iid, IID, 0, 0",
    "naive, IID, 0, 0",
    "infobatch, IID, 0.5, 1",
  })
  void nothingDependsOnTheOverlap(String sampler, DrawMode draw, double least, double most) {
    TrainingConfig config = config(sampler, draw).build();
    Outcome ahead = run(config, true);
    Outcome inTurn = run(config, false);
    assertArrayEquals(inTurn.parameters(), ahead.parameters());
    assertEquals(inTurn.summary().finalTrainLoss(), ahead.summary().finalTrainLoss());
    assertEquals(0, inTurn.madeAhead());
    double share = (double) ahead.madeAhead() / ahead.summary().iterations();
    assertTrue(share >= least && share <= most, sampler + ", share made ahead " + share);
    for (Summary summary : new Summary[] {ahead.summary(), inTurn.summary()}) {
      assertTrue(summary.inputIdleShare() > 0 && summary.inputIdleShare() < 1, summary.toString());
    }
  }

  @Test
  void withoutAugmentationNothingIsMadeAhead() {
    TrainingConfig plain =
        config("uniform", DrawMode.ROUNDS).padding(0).flip(false).cutout(0).build();
    assertEquals(0, run(plain, true).madeAhead());
    assertFalse(
        Arrays.equals(
            run(plain, true).parameters(),
            run(config("uniform", DrawMode.ROUNDS).build(), true).parameters()),
        "augmentation changes a run");
  }
}
