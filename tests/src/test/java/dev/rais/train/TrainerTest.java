package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.Schedule;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** When a run evaluates, when it stops, and what its figures mean. */
class TrainerTest {
  private static final int M = 64;

  private final Dataset data = Datasets.load("fashion-mnist-sample", null);
  private final int n = data.train().count();
  private Backend backend;

  @BeforeEach
  void open() {
    backend = Backends.open("cpu", 2, warning -> {});
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private TrainingConfig.Builder config(String sampler) {
    return TrainingConfig.builder(data.name(), "mlp", sampler).batchSize(M).seed(3);
  }

  /** Everything that a run tells. */
  private static final class Record implements TrainingListener {
    final List<Progress> steps = new ArrayList<>();
    final List<Metrics> evaluations = new ArrayList<>();

    @Override
    public void progressed(Progress progress) {
      steps.add(progress);
    }

    @Override
    public void evaluated(Metrics metrics) {
      evaluations.add(metrics);
    }
  }

  @Test
  void uniformRunsTakeTheScheduleLengthAndEvaluateAtEveryEpochAndTenth() {
    Record record = new Record();
    TrainingConfig config = config("uniform").epochs(1.5).build();
    Summary summary;
    try (Trainer trainer = new Trainer(backend, data, config)) {
      summary = trainer.run(record);
    }
    long total = Math.round(1.5 * n / M);
    assertEquals(total, summary.iterations());
    assertEquals(total, record.steps.size());
    List<Long> expected = new ArrayList<>();
    for (long t = 1; t <= total; t++) {
      boolean tenth = 10 * t / total > 10 * (t - 1) / total;
      boolean epoch = t * M / n > (t - 1) * M / n;
      if (tenth || epoch) {
        expected.add(t);
      }
    }
    assertEquals(expected, record.evaluations.stream().map(Metrics::iteration).toList());
    assertTrue(expected.size() >= 11, "tenths and an epoch's end: " + expected);
    for (Metrics metrics : record.evaluations) {
      assertEquals((double) metrics.iteration() * M / n, metrics.epochs(), 1e-12);
      assertEquals(metrics.epochs(), metrics.epochsEquivalent(), 1e-9);
      assertEquals(1, metrics.gainRatio());
    }
    assertEquals(record.evaluations.getLast().testError(), summary.finalTestError());
    assertTrue(summary.finalTestError() < 0.3, "it must have learned: " + summary);
  }

  @ParameterizedTest
  @CsvSource({"rais,12", "oracle,3"})
  void weightedRunsEndWhenEffectiveIterationsReachTheSchedulesEnd(String sampler, double epochs) {
    int size = 1000;
    Dataset small =
        new Dataset("small", data.train().slice(0, size), data.test(), data.classNames());
    Record record = new Record();
    TrainingConfig config =
        config(sampler).epochs(epochs).oracleEvery(1).schedule(Schedule.CONSTANT).build();
    Summary summary;
    try (Trainer trainer = new Trainer(backend, small, config)) {
      summary = trainer.run(record);
    }
    double perEpoch = (double) M / size;
    double end = config.scheduleLength(size) * perEpoch;
    Metrics last = record.evaluations.getLast();
    assertTrue(last.epochsEquivalent() >= end, last.toString());
    double before = record.steps.get(record.steps.size() - 2).epochsEquivalent();
    assertTrue(before < end, "one step more than needed: " + before);
    assertTrue(
        summary.iterations() < config.scheduleLength(size),
        "a gain above 1 must shorten the run: " + summary);
    assertEquals(
        last.epochsEquivalent() / (last.iteration() * perEpoch), summary.meanGainRatio(), 1e-9);
    // Every minibatch goes forward and backward; the oracle sends all images both ways before.
    long work = summary.iterations() * (M + (sampler.equals("oracle") ? size : 0));
    assertEquals(work, summary.forwardExamples());
    assertEquals(work, summary.backwardExamples());
    assertEquals((double) work / size, summary.epochs(), 1e-9);
    // With a constant schedule the rate is the base rate times the gain ratio.
    for (Metrics metrics : record.evaluations) {
      assertTrue(metrics.gainRatio() >= 1 && metrics.gainRatio() <= config.gainMax());
      assertEquals(config.learningRate() * metrics.gainRatio(), metrics.learningRate(), 1e-12);
    }
  }

  @Test
  void aRunWhoseLastUpdateDivergesEndsWithTheLastGoodState() {
    // One step: its loss is finite, what it leads to is not.
    TrainingConfig config =
        config("uniform").epochs((double) M / n).learningRate(3e38).momentum(0).build();
    try (Trainer trainer = new Trainer(backend, data, config)) {
      float[] initial = trainer.network().values().toFloats();
      DivergedException e = assertThrows(DivergedException.class, () -> trainer.run(new Record()));
      assertEquals(1, e.iteration());
      assertEquals(0, e.lastGoodIteration());
      assertArrayEquals(initial, trainer.network().values().toFloats());
    }
  }

  @Test
  void refusesMinibatchesLargerThanTheTrainingSet() {
    TrainingConfig config = config("uniform").batchSize(n + 1).build();
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> new Trainer(backend, data, config).close());
    assertTrue(e.getMessage().contains("batch-size " + (n + 1)), e.getMessage());
  }
}
