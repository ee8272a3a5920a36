package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Buffer;
import dev.rais.backend.cpu.JavaBackend;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Model;
import dev.rais.nn.Schedule;
import dev.rais.nn.Shape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs whose loss or gradient is NaN or infinite now and then, or from some step on. */
class DivergenceTest {
  private static final int M = 16;
  private static final int N = 160;

  @TempDir Path folder;

  private final Dataset sample = Datasets.load("fashion-mnist-sample", null);
  private final Dataset data =
      new Dataset(
          "small", sample.train().slice(0, N), sample.test().slice(0, 20), sample.classNames());
  private final Model model = ResidualModels.small(new Shape(28, 28, 1), 10);

  /** Computes rightly but for some training steps, counted from 1. */
  private static final class Flaky extends JavaBackend {
    Set<Integer> badLosses = Set.of();
    Set<Integer> badGradients = Set.of();
    private int steps;

    Flaky() {
      super(1);
    }

    @Override
    protected void doLossLayer(
        int batch,
        int classes,
        Buffer logits,
        Buffer labels,
        Buffer weights,
        float scale,
        Buffer losses,
        Buffer norms,
        Buffer logitGradients,
        Buffer correctness) {
      super.doLossLayer(
          batch,
          classes,
          logits,
          labels,
          weights,
          scale,
          losses,
          norms,
          logitGradients,
          correctness);
      if (logitGradients == null) {
        return; // an evaluation
      }
      steps++;
      if (badLosses.contains(steps)) {
        losses.slice(0, 1).upload(new float[] {Float.NaN});
      }
      if (badGradients.contains(steps)) {
        logitGradients.slice(0, 1).upload(new float[] {Float.POSITIVE_INFINITY});
      }
    }
  }

  private static TrainingConfig.Builder config(String sampler, OnDivergence policy) {
    return TrainingConfig.builder("small", "small", sampler)
        .batchSize(M)
        .epochs(3)
        .schedule(Schedule.CONSTANT)
        .learningRate(0.02)
        .onDivergence(policy)
        .seed(9);
  }

  @ParameterizedTest
  @ValueSource(strings = {"uniform", "rais", "selective-backprop"})
  void aBadMinibatchIsLeftOutAndCounted(String sampler) {
    try (Flaky backend = new Flaky();
        Trainer trainer =
            new Trainer(backend, data, config(sampler, OnDivergence.SKIP).build(), model)) {
      backend.badLosses = Set.of(3, 4);
      backend.badGradients = Set.of(6);
      Summary summary = trainer.run(new TrainingListener() {});
      assertEquals(3, summary.skipped());
      assertEquals(M * summary.iterations(), Arrays.stream(trainer.draws()).sum());
      assertTrue(summary.epochsEquivalent() >= 3, "the schedule is as long as ever");
      assertTrue(trainer.checkpoint().isFinite());
    }
  }

  @Test
  void leavingOutIsAsNotDrawing() {
    float[] before;
    float[] after;
    try (Flaky backend = new Flaky();
        Trainer trainer =
            new Trainer(backend, data, config("uniform", OnDivergence.SKIP).build(), model)) {
      backend.badLosses = Set.of(2);
      backend.badGradients = Set.of(3);
      trainer.advance(new TrainingListener() {});
      before = everything(trainer);
      trainer.advance(new TrainingListener() {});
      trainer.advance(new TrainingListener() {});
      after = everything(trainer);
      assertEquals(0, Arrays.compare(before, after), "two bad minibatches leave no trace");
      trainer.advance(new TrainingListener() {});
      assertFalse(Arrays.equals(before, everything(trainer)));
    }
  }

  private static float[] everything(Trainer trainer) {
    Checkpoint.Arrays arrays = Checkpoint.Arrays.of(trainer.network());
    arrays.download(trainer.network());
    float[] all = new float[2 * arrays.values().length + arrays.state().length];
    System.arraycopy(arrays.values(), 0, all, 0, arrays.values().length);
    System.arraycopy(arrays.velocities(), 0, all, arrays.values().length, arrays.values().length);
    System.arraycopy(arrays.state(), 0, all, 2 * arrays.values().length, arrays.state().length);
    return all;
  }

  @Test
  void manyBadMinibatchesInARowEndTheRun() {
    try (Flaky backend = new Flaky();
        Trainer trainer =
            new Trainer(backend, data, config("uniform", OnDivergence.SKIP).build(), model)) {
      backend.badLosses = Set.copyOf(IntStream.range(5, 1000).boxed().toList());
      DivergedException e =
          assertThrows(DivergedException.class, () -> trainer.run(new TrainingListener() {}));
      assertEquals(4, e.iteration());
    }
  }

  /** Trains as the command line does, saving every half epoch. */
  private Summary train(Flaky backend, TrainingConfig config, Path out, List<String> notes) {
    try (Trainer trainer = new Trainer(backend, data, config, model);
        RunDirectory run = RunDirectory.create(out, config);
        Checkpoints checkpoints =
            new Checkpoints(out, CheckpointInterval.parse("0.5"), 2, notes::add)) {
      checkpoints.startAt(trainer);
      TrainingListener listener =
          new TrainingListener() {
            @Override
            public void evaluated(Metrics metrics) {
              run.add(metrics);
            }
          };
      while (!trainer.finished()) {
        try {
          trainer.advance(listener);
          checkpoints.stepped(trainer);
          checkpoints.await();
        } catch (DivergedException e) {
          if (!checkpoints.rollBack(trainer, run, e)) {
            throw e;
          }
        }
      }
      run.finish(trainer, ModelFile.Description.of(config, data));
      return trainer.summary();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4, 13, 28})
  void aRunGoesBackToItsLastCheckpointWithHalfTheRate(int bad) throws Exception {
    Path out = folder.resolve("run");
    List<String> notes = new ArrayList<>();
    TrainingConfig config = config("uniform", OnDivergence.ROLLBACK).evalEvery(0.2).build();
    try (Flaky backend = new Flaky()) {
      backend.badLosses = Set.of(bad);
      Summary summary = train(backend, config, out, notes);
      assertEquals(1, summary.rateHalvings());
      assertEquals(3 * N / M, summary.iterations());
    }
    int back = (bad - 1) / 5 * 5;
    assertEquals(1, notes.size(), notes.toString());
    String note = notes.getFirst();
    String begin = "the training loss became NaN at iteration " + (bad - 1) + "; ";
    assertTrue(note.startsWith(begin), note);
    String end = "; back at iteration " + back + " with half the learning rate";
    assertTrue(note.endsWith(end), note);
    RunJson json = new RunJson();
    long last = 0;
    for (String line : Files.readAllLines(out.resolve(RunDirectory.METRICS))) {
      Metrics metrics = json.read(line, Metrics.class);
      assertTrue(metrics.iteration() > last, "no evaluation twice: " + line);
      last = metrics.iteration();
      assertEquals(metrics.iteration() <= back ? 0.02 : 0.01, metrics.learningRate(), 1e-12);
    }
    assertEquals(3 * N / M, last);
  }

  @Test
  void whatIsBadAtAnyRateEndsTheRun() {
    TrainingConfig config = config("rais", OnDivergence.ROLLBACK).build();
    Path out = folder.resolve("run");
    List<String> notes = new ArrayList<>();
    try (Flaky backend = new Flaky()) {
      backend.badLosses = Set.copyOf(IntStream.range(8, 1000).boxed().toList());
      assertThrows(DivergedException.class, () -> train(backend, config, out, notes));
    }
    assertEquals(Trainer.MOST_HALVINGS, notes.size(), notes.toString());
    assertTrue(RunDirectory.isInterrupted(out), "what was saved is still there");
  }

  @Test
  void aPolicyCanBeChosenForARunThatDiverged() throws Exception {
    Path out = folder.resolve("run");
    TrainingConfig stop = config("uniform", OnDivergence.STOP).build();
    try (Flaky backend = new Flaky()) {
      backend.badLosses = Set.of(8);
      assertThrows(DivergedException.class, () -> train(backend, stop, out, new ArrayList<>()));
      Checkpoint from = Checkpoints.newest(out, w -> {}).orElseThrow();
      assertEquals(5, from.iteration());
      TrainingConfig skip = stop.toBuilder().onDivergence(OnDivergence.SKIP).build();
      try (Trainer trainer = new Trainer(backend, data, skip, model)) {
        trainer.restore(from);
        trainer.advance(new TrainingListener() {});
        try (RunDirectory run = RunDirectory.resume(out, skip, from)) {
          String config = Files.readString(run.path().resolve(RunDirectory.CONFIG));
          assertTrue(config.contains("\"onDivergence\" : \"skip\""), config);
        }
      }
    }
  }

  @Test
  void aNetworkThatIsNotFiniteIsNeverSaved() {
    TrainingConfig config = config("uniform", OnDivergence.STOP).build();
    try (Flaky backend = new Flaky();
        Trainer trainer = new Trainer(backend, data, config, model);
        Checkpoints checkpoints =
            new Checkpoints(folder, CheckpointInterval.DEFAULT, 2, warning -> {})) {
      trainer.advance(new TrainingListener() {});
      checkpoints.writeNow(trainer);
      for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
        trainer.network().velocities().slice(0, 1).upload(new float[] {bad});
        RunFileException e =
            assertThrows(RunFileException.class, () -> checkpoints.writeNow(trainer));
        assertEquals(
            "no checkpoint of iteration 1 is written: the network has values that are not finite",
            e.getMessage());
      }
      assertEquals(1, Checkpoints.list(folder).size());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"selective-backprop", "oracle"})
  void scoresThatAreNotFiniteAreADivergenceToo(String sampler) {
    for (OnDivergence policy : OnDivergence.values()) {
      try (Flaky backend = new Flaky();
          Trainer trainer = new Trainer(backend, data, config(sampler, policy).build(), model)) {
        Buffer values = trainer.network().values();
        values.slice(values.count() - 1, 1).upload(new float[] {Float.NaN});
        DivergedException e =
            assertThrows(DivergedException.class, () -> trainer.advance(new TrainingListener() {}));
        assertTrue(
            e.getMessage().startsWith("the training loss became NaN at iteration 0"),
            e.getMessage());
        assertTrue(trainer.checkpoint().isFinite(), "the network is the last good one");
      }
    }
  }
}
