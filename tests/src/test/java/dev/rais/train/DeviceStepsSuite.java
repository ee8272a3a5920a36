package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Placement;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Dense;
import dev.rais.nn.Model;
import dev.rais.nn.Relu;
import dev.rais.nn.Shape;
import dev.rais.sampling.DrawMode;
import dev.rais.sampling.SamplerState;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Steps put on the device ahead of the host, replayed from graphs, against steps that the host
 * waits for: the same bits in everything that a run leaves.
 */
abstract class DeviceStepsSuite {
  private static final int M = 16;

  /** A new backend that has a sampler in its memory, and reads images from there or elsewhere. */
  abstract Backend create(Placement images);

  private Backend create() {
    return create(Placement.DEVICE);
  }

  private static Dataset data(int images) {
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    return new Dataset(
        "small", all.train().slice(0, images), all.test().slice(0, 20), all.classNames());
  }

  private static TrainingConfig.Builder config(String sampler, double epochs) {
    return TrainingConfig.builder("small", "mlp", sampler)
        .batchSize(M)
        .epochs(epochs)
        .evalEvery(epochs / 3)
        .async(false)
        .seed(11);
  }

  /** What a run leaves. */
  private record Outcome(List<Metrics> evaluations, Checkpoint end) {}

  private static final Shape IMAGE = new Shape(28, 28, 1);

  /** A perceptron with few units, as products on the host take time. */
  private static final Model TINY =
      Model.builder("tiny", IMAGE)
          .add("fc1", new Dense(8))
          .add("relu", new Relu())
          .add("fc2", new Dense(10))
          .build();

  private Outcome run(TrainingConfig config, Dataset data, boolean onDevice) {
    return run(config, TINY, data, onDevice, null, Long.MAX_VALUE);
  }

  private Outcome run(
      TrainingConfig config,
      Model model,
      Dataset data,
      boolean onDevice,
      Checkpoint from,
      long end) {
    return run(create(), config, model, data, onDevice, from, end);
  }

  /** Runs, from a checkpoint if there is one, to the end or an iteration. */
  private static Outcome run(
      Backend backend,
      TrainingConfig config,
      Model model,
      Dataset data,
      boolean onDevice,
      Checkpoint from,
      long end) {
    List<Metrics> evaluations = new ArrayList<>();
    try (backend;
        Trainer trainer = new Trainer(backend, data, config, model, true, onDevice)) {
      if (from != null) {
        trainer.restore(from);
      }
      TrainingListener listener =
          new TrainingListener() {
            @Override
            public void evaluated(Metrics metrics) {
              evaluations.add(metrics);
            }
          };
      long[] iteration = {from == null ? 0 : from.iteration()};
      while (!trainer.finished() && iteration[0] < end) {
        trainer.advance(listener);
        iteration[0]++;
      }
      return new Outcome(evaluations, trainer.checkpoint());
    }
  }

  // Places in RAIS's counts.
  private static final int REFRESHES = 5;
  private static final int WEIGHTED = 6;
  private static final int CAUTIOUS = 7;

  private static long[] raisCounts(Outcome outcome) {
    SamplerState.Array counts = outcome.end().sampler().arrays().get("rais");
    return counts == null
        ? new long[CAUTIOUS + 1]
        : counts.values().toArray(ValueLayout.JAVA_LONG_UNALIGNED);
  }

  /** What the device refuses is found soon, and the run ends as it does on the host. */
  @Test
  void aRunThatDivergesEndsAtTheSameStep() {
    create().close(); // where there is no device, this skips the test
    Dataset data = data(64);
    TrainingConfig config =
        config("rais", 20).learningRate(3e4).momentum(0.99).caution(false).build();
    DivergedException onHost =
        assertThrows(DivergedException.class, () -> run(config, data, false));
    try (Backend backend = create();
        Trainer trainer = new Trainer(backend, data, config, TINY, true, true)) {
      float[] begun = trainer.network().values().toFloats();
      DivergedException found =
          assertThrows(DivergedException.class, () -> trainer.run(new TrainingListener() {}));
      assertEquals(onHost.iteration(), found.iteration());
      assertEquals(onHost.getMessage(), found.getMessage());
      assertEquals(found.iteration() * M, Arrays.stream(trainer.draws()).sum());
      assertEquals(3.0 * found.iteration() * M / (3 * 64), trainer.epochs(), 1e-9);
      if (found.lastGoodIteration() == 0) {
        assertArrayEquals(begun, trainer.network().values().toFloats());
      }
    }
  }

  private static void same(Outcome expected, Outcome found, String where) {
    assertEquals(expected.evaluations().size(), found.evaluations().size(), where);
    for (int i = 0; i < found.evaluations().size(); i++) {
      assertEquals(
          withoutTime(expected.evaluations().get(i)), withoutTime(found.evaluations().get(i)));
    }
    same(expected.end(), found.end(), where);
  }

  private static Metrics withoutTime(Metrics m) {
    return new Metrics(
        m.iteration(),
        m.epochs(),
        m.epochsEquivalent(),
        m.gainRatio(),
        m.learningRate(),
        m.trainLoss(),
        m.testLoss(),
        m.testError(),
        m.testTop5Error(),
        m.gainBoundHits(),
        m.boundShare(),
        m.flooredExamples(),
        m.cautious(),
        m.forwardExamples(),
        m.backwardExamples(),
        m.skipped(),
        0,
        m.draws());
  }

  private static void same(Checkpoint expected, Checkpoint found, String where) {
    assertEquals(expected.iteration(), found.iteration(), where);
    assertEquals(expected.counters().loss(), found.counters().loss(), where);
    assertEquals(expected.counters().learningRate(), found.counters().learningRate(), where);
    int n = expected.draws(-1).length;
    assertArrayEquals(expected.draws(n), found.draws(n), where);
    same(expected.sampler(), found.sampler(), where);
  }

  /** Every array of a sampler's state, byte by byte. */
  static void same(SamplerState expected, SamplerState found, String where) {
    assertEquals(
        expected.names().stream().sorted().toList(),
        found.names().stream().sorted().toList(),
        where);
    for (String name : expected.names()) {
      assertEquals(
          -1,
          expected.arrays().get(name).values().mismatch(found.arrays().get(name).values()),
          () -> where + ": " + name + " differs");
    }
  }

  private record Case(String name, int images, TrainingConfig config, boolean residual) {
    Case(String name, int images, TrainingConfig config) {
      this(name, images, config, false);
    }
  }

  private static Stream<Case> cases() {
    return Stream.of(
        new Case("uniform", 160, config("uniform", 2).build()),
        new Case("uniform, independent", 160, config("uniform-iid", 2).build()),
        new Case("rais in rounds", 160, config("rais", 8).build()),
        new Case("rais, independent", 160, config("rais", 8).draw(DrawMode.IID).build()),
        new Case("rais, balanced classes", 160, config("rais", 8).classBalance(true).build()),
        new Case(
            "batch norms, dropout, varied images",
            48,
            config("rais", 14).batchSize(8).padding(2).flip(true).build(),
            true),
        new Case("rais, cautious", 64, config("rais", 90).evalEvery(30).caution(true).build()),
        new Case(
            "rais, independent, cautious",
            64,
            config("rais", 90).evalEvery(30).draw(DrawMode.IID).caution(true).build()));
  }

  @TestFactory
  Stream<DynamicTest> runsOnTheDeviceLeaveTheBitsOfRunsThatTheHostWaitsFor() {
    return cases()
        .map(
            c ->
                DynamicTest.dynamicTest(
                    c.name(),
                    () -> {
                      Dataset data = data(c.images());
                      Model model = c.residual() ? ResidualModels.small(IMAGE, 10) : TINY;
                      long all = Long.MAX_VALUE;
                      Outcome expected = run(c.config(), model, data, false, null, all);
                      same(expected, run(c.config(), model, data, true, null, all), c.name());
                      long[] counts = raisCounts(expected);
                      boolean rais = c.config().sampler().equals("rais");
                      assertEquals(rais, counts[REFRESHES] > 1, "sets were applied");
                      assertEquals(rais, counts[WEIGHTED] > 1, "draws were weighted");
                      boolean cautious = c.name().contains("cautious");
                      assertEquals(cautious, counts[CAUTIOUS] > 1, "caution had its say");
                    }));
  }

  /** Where images lie changes no bit, whoever samples them. */
  @TestFactory
  Stream<DynamicTest> runsWhoseImagesAreTheHostsLeaveTheSameBits() {
    return cases()
        .filter(c -> c.images() > 100 || c.residual())
        .map(c -> DynamicTest.dynamicTest(c.name(), () -> imagesElsewhere(c, true)));
  }

  @Test
  void samplersOfTheHostFindTheSameImagesThere() {
    imagesElsewhere(new Case("rais in rounds", 160, config("rais", 8).build()), false);
  }

  private void imagesElsewhere(Case c, boolean onDevice) {
    Dataset data = data(c.images());
    Model model = c.residual() ? ResidualModels.small(IMAGE, 10) : TINY;
    // The third step and the fourth are replayed.
    long end = c.residual() ? 4 : Long.MAX_VALUE;
    Outcome expected = run(c.config(), model, data, onDevice, null, end);
    Outcome found = run(create(Placement.HOST), c.config(), model, data, onDevice, null, end);
    same(expected, found, c.name());
  }

  /** Images lie where they were asked to lie, or else the test above shows nothing. */
  @ParameterizedTest
  @EnumSource(names = {"DEVICE", "HOST"})
  void aRunKnowsWhereItsImagesLie(Placement place) {
    Dataset data = data(32);
    TrainingConfig config = config("rais", 1).build();
    try (Backend backend = create(place);
        Trainer trainer = new Trainer(backend, data, config, TINY)) {
      long numBytes = 784L * (32 + 20);
      assertEquals(place == Placement.DEVICE ? numBytes : 0, trainer.memory().deviceImages());
      assertEquals(place == Placement.HOST ? numBytes : 0, trainer.memory().hostImages());
      assertTrue(trainer.memory().sampler() > 16 * 32, "the sampler's memory");
    }
  }

  /** Sets that are used as soon as they are trained are used, whenever that is. */
  @ParameterizedTest
  @EnumSource(DrawMode.class)
  void setsThatAreNotWaitedForAreApplied(DrawMode draw) {
    Dataset data = data(64);
    TrainingConfig config = config("rais", 40).draw(draw).async(true).build();
    Outcome outcome = run(config, data, true);
    assertTrue(raisCounts(outcome)[REFRESHES] > 3);
    assertTrue(raisCounts(outcome)[WEIGHTED] > 50);
  }

  /** Checkpoints of either go on with either. */
  @TestFactory
  Stream<DynamicTest> checkpointsGoOnWhereverTheyWereMade() {
    return Stream.of(DrawMode.values())
        .flatMap(
            draw ->
                Stream.of(7L, 14L, 30L, 47L, 52L)
                    .map(
                        at ->
                            DynamicTest.dynamicTest(
                                draw + " at " + at,
                                () -> {
                                  Dataset data = data(160);
                                  TrainingConfig config = config("rais", 8).draw(draw).build();
                                  Outcome whole = run(config, data, false);
                                  Checkpoint onHost =
                                      run(config, TINY, data, false, null, at).end();
                                  Checkpoint onDevice =
                                      run(config, TINY, data, true, null, at).end();
                                  same(onHost, onDevice, "at " + at);
                                  same(
                                      whole.end(),
                                      run(config, TINY, data, true, onHost, Long.MAX_VALUE).end(),
                                      "from the host");
                                  same(
                                      whole.end(),
                                      run(config, TINY, data, false, onDevice, Long.MAX_VALUE)
                                          .end(),
                                      "from the device");
                                })));
  }
}
