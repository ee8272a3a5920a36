package dev.rais.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.train.CheckpointInterval;
import dev.rais.train.Checkpoints;
import dev.rais.train.Metrics;
import dev.rais.train.RunDirectory;
import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import dev.rais.train.Summary;
import dev.rais.train.Trainer;
import dev.rais.train.TrainingConfig;
import dev.rais.train.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs that take turns are the runs that they would be alone, whatever interrupts them. */
class ComparisonTest {
  private static final BooleanSupplier NEVER = () -> false;

  @TempDir Path folder;

  private final Dataset sample = Datasets.load("fashion-mnist-sample", null);
  private final Dataset data =
      new Dataset(
          "small", sample.train().slice(0, 640), sample.test().slice(0, 100), sample.classNames());
  private Backend backend;

  @BeforeEach
  void open() {
    backend = Backends.open("cpu", 1, warning -> {});
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private static TrainingConfig.Builder config(String sampler) {
    return TrainingConfig.builder("small", "mlp", sampler).batchSize(16).epochs(6).evalEvery(2);
  }

  private Comparison comparison(int seeds, String... variants) {
    return new Comparison(
        folder,
        java.util.Arrays.stream(variants).map(Variant::parse).toList(),
        seeds,
        ComparisonTest::config);
  }

  private Optional<Map<String, List<RunRecord>>> run(
      Comparison comparison, boolean force, BooleanSupplier stop) {
    return comparison.run(
        backend, data, CheckpointInterval.DEFAULT, force, new ComparisonListener() {}, stop);
  }

  private static List<Metrics> timeless(List<Metrics> metrics) {
    return metrics.stream()
        .map(
            m ->
                new Metrics(
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
                    m.draws()))
        .toList();
  }

  private List<Metrics> alone(TrainingConfig config) {
    List<Metrics> metrics = new ArrayList<>();
    try (Trainer trainer = new Trainer(backend, data, config)) {
      trainer.run(
          new TrainingListener() {
            @Override
            public void evaluated(Metrics evaluation) {
              metrics.add(evaluation);
            }
          });
    }
    return timeless(metrics);
  }

  @Test
  void runsInTurnsAreTheRunsThatTheyAreAlone() {
    Map<String, List<RunRecord>> runs =
        run(comparison(2, "rais", "naive:smoothing=0.5"), false, NEVER).orElseThrow();
    assertEquals(
        List.of("uniform", "uniform-short", "rais", "naive:smoothing=0.5"),
        List.copyOf(runs.keySet()));
    for (int seed = 0; seed < 2; seed++) {
      assertEquals(
          alone(config("uniform").seed(seed).build()),
          timeless(runs.get("uniform").get(seed).metrics()));
      assertEquals(
          alone(config("rais").seed(seed).build()), timeless(runs.get("rais").get(seed).metrics()));
      assertEquals(
          alone(config("naive").smoothing(0.5).seed(seed).build()),
          timeless(runs.get("naive:smoothing=0.5").get(seed).metrics()));
      Summary rais = runs.get("rais").get(seed).summary().orElseThrow();
      Summary shortened = runs.get("uniform-short").get(seed).summary().orElseThrow();
      assertEquals(rais.iterations(), shortened.iterations(), 1, "the epochs that RAIS used");
      assertTrue(shortened.epochsEquivalent() >= 6, "its schedule runs to the end");
    }
  }

  @Test
  void anInterruptedComparisonGoesOnToTheSameEnd() {
    Comparison comparison = comparison(2, "rais");
    Map<String, List<RunRecord>> expected = run(comparison, false, NEVER).orElseThrow();
    int interruptions = 0;
    AtomicInteger steps = new AtomicInteger();
    Optional<Map<String, List<RunRecord>>> found = run(comparison, true, stopAfter(steps, 100));
    while (found.isEmpty()) {
      interruptions++;
      found = run(comparison, false, stopAfter(steps, 150));
    }
    assertTrue(interruptions >= 3, interruptions + " interruptions");
    expected.forEach(
        (label, runs) -> {
          for (int seed = 0; seed < 2; seed++) {
            assertEquals(
                timeless(runs.get(seed).metrics()),
                timeless(found(label, seed).metrics()),
                label + ", seed " + seed);
          }
        });
  }

  /** A file in the place of the checkpoints' folder of the first run. */
  @Test
  void aRunThatCannotBeSavedDoesNotTakeTheOthersWithIt() {
    Path uniform = folder.resolve("runs/uniform-seed0");
    ComparisonListener blocking =
        new ComparisonListener() {
          @Override
          public void begun(PlannedRun run, long iteration, List<Metrics> history) {
            if (run.label().equals("uniform")) {
              RunDirectory.writeText(uniform.resolve(Checkpoints.FOLDER), "in the way");
            }
          }
        };
    AtomicInteger steps = new AtomicInteger();
    RunFileException e =
        assertThrows(
            RunFileException.class,
            () ->
                comparison(1, "rais")
                    .run(
                        backend,
                        data,
                        CheckpointInterval.DEFAULT,
                        false,
                        blocking,
                        () -> steps.incrementAndGet() > 20));
    assertTrue(e.getMessage().contains("cannot make the folder "), e.getMessage());
    assertEquals(1, Checkpoints.list(folder.resolve("runs/rais-seed0")).size());
  }

  @Test
  void anInterruptedComparisonThatWasForcedKeepsNothingOld() throws IOException {
    Comparison comparison = comparison(2, "rais");
    run(comparison, false, NEVER).orElseThrow();
    Path notes = Files.writeString(folder.resolve("runs/rais-seed1/notes.txt"), "mine");
    assertTrue(run(comparison, true, stopAfter(new AtomicInteger(), 20)).isEmpty());
    try (Stream<Path> files = Files.walk(folder)) {
      List<String> old =
          files
              .map(file -> folder.relativize(file).toString().replace('\\', '/'))
              .filter(name -> name.matches("runs/(uniform-short-seed0|.*-seed1)/.+"))
              .toList();
      assertEquals(List.of("runs/rais-seed1/notes.txt"), old, "it would be taken for finished");
    }
    assertEquals("mine", Files.readString(notes));
    assertEquals(2, run(comparison, false, NEVER).orElseThrow().get("rais").size());
  }

  private RunRecord found(String label, int seed) {
    return RunRecord.read(folder.resolve(Comparison.RUNS).resolve(label + "-seed" + seed));
  }

  private static BooleanSupplier stopAfter(AtomicInteger steps, int most) {
    steps.set(0);
    return () -> steps.incrementAndGet() > most;
  }

  @Test
  void timeCountsOwnTurnsAlone() {
    long begin = System.nanoTime();
    Map<String, List<RunRecord>> runs = run(comparison(1, "rais"), false, NEVER).orElseThrow();
    double all = (System.nanoTime() - begin) / 1e9;
    double sum =
        runs.values().stream()
            .mapToDouble(run -> run.getFirst().summary().orElseThrow().secondsTotal())
            .sum();
    assertTrue(sum <= all, sum + " s of runs in " + all + " s");
  }

  @Test
  void finishedRunsAreKeptAndRunsOfOtherConfigurationsRefused() throws IOException {
    run(comparison(1, "rais"), false, NEVER).orElseThrow();
    Path summary = folder.resolve("runs/uniform-seed0/summary.json");
    String before = Files.readString(summary);
    // More of the same is allowed: what is there stays.
    run(comparison(1, "rais", "infobatch"), false, NEVER).orElseThrow();
    assertEquals(before, Files.readString(summary));

    Comparison other =
        new Comparison(
            folder, List.of(Variant.of("rais")), 1, sampler -> config(sampler).learningRate(0.01));
    RunFileException e = assertThrows(RunFileException.class, () -> run(other, false, NEVER));
    assertTrue(
        e.getMessage().contains("uniform-seed0 is of another configuration: learningRate is 0.01"),
        e.getMessage());
    assertTrue(e.getMessage().contains("--force"), e.getMessage());
    assertEquals(before, Files.readString(summary));

    Dataset fewer =
        new Dataset("small", data.train().slice(0, 320), data.test(), data.classNames());
    RunFileException onOther =
        assertThrows(RunFileException.class, () -> comparison(1, "rais").check(fewer));
    assertTrue(onOther.getMessage().contains("on other data"), onOther.getMessage());

    Files.writeString(summary, before.substring(0, before.length() / 2));
    RunFileException damaged =
        assertThrows(RunFileException.class, () -> run(comparison(1, "rais"), false, NEVER));
    assertTrue(damaged.getMessage().contains("summary.json is damaged"), damaged.getMessage());
    run(comparison(1, "rais"), true, NEVER).orElseThrow();
    assertFalse(before.equals(Files.readString(summary)), "begun anew, other times at least");
  }

  /** Its short schedule is that of the RAIS listed first, which here is not trained yet. */
  @Test
  void aShortScheduleOfAnotherRaisIsRefusedBeforeAnythingIsTrained() {
    run(comparison(1, "rais:gain-max=2"), false, NEVER).orElseThrow();
    RunFileException e =
        assertThrows(
            RunFileException.class, () -> comparison(1, "rais", "rais:gain-max=2").check(data));
    assertTrue(
        e.getMessage().contains("uniform-short-seed0 has the length of another"), e.getMessage());
    comparison(1, "rais:gain-max=2", "rais").check(data);
  }

  @Test
  void aRunThatDivergesIsToldAndTheOthersGoOn() {
    Comparison comparison =
        new Comparison(
            folder,
            List.of(Variant.parse("rais")),
            1,
            sampler -> config(sampler).learningRate(sampler.equals("rais") ? 1e20 : 0.05));
    Map<String, List<RunRecord>> runs = run(comparison, false, NEVER).orElseThrow();
    assertTrue(runs.get("rais").getFirst().divergence().isPresent());
    assertTrue(runs.get("uniform").getFirst().summary().isPresent());
    assertFalse(runs.containsKey("uniform-short"), "there are no epochs to shorten to");
    ComparisonTable.Row row =
        ComparisonTable.of(runs).rows().stream()
            .filter(r -> r.sampler().equals("rais"))
            .findFirst()
            .orElseThrow();
    assertEquals(1, row.diverged());
    assertTrue(Double.isNaN(row.speedUpEpochs()), "never");
    // It is over: it does not begin again.
    assertEquals(
        runs.get("rais").getFirst().divergence(),
        run(comparison, false, NEVER).orElseThrow().get("rais").getFirst().divergence());
  }

  @Test
  void variantsAreReadAndMistakesNamed() {
    Variant variant = Variant.parse("rais:draw=iid:gain-max=20:caution=false");
    assertEquals("rais:draw=iid:gain-max=20:caution=false", variant.label());
    TrainingConfig config = variant.apply(config("rais")).build();
    assertEquals(20, config.gainMax());
    assertFalse(config.caution());
    TrainingConfig shorter =
        Variant.parse("infobatch:epochs=1.5:lr=0.02").apply(config("infobatch")).build();
    assertEquals(1.5, shorter.epochs());
    assertEquals(0.02, shorter.learningRate());
    String[][] mistakes = {
      {"raiss", "there is no sampler \"raiss\"; did you mean \"rais\"? known are uniform, "},
      {"rais:gain-mx=2", "did you mean \"gain-max\"?"},
      {"rais:gain-max", "has no value"},
      {"rais:gain-max=2:gain-max=3", "twice"}
    };
    for (String[] mistake : mistakes) {
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> Variant.parse(mistake[0]));
      assertTrue(e.getMessage().contains(mistake[1]), e.getMessage());
    }
    for (String text : List.of("rais:gain-max=many", "rais:draw=sideways", "rais:async=maybe")) {
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> comparison(1, text));
      assertTrue(e.getMessage().contains("expected"), e.getMessage());
    }
    IllegalArgumentException twice =
        assertThrows(IllegalArgumentException.class, () -> comparison(1, "naive", "naive"));
    assertTrue(twice.getMessage().contains("listed twice"), twice.getMessage());
  }
}
