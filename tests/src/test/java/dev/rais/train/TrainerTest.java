package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import dev.rais.nn.BatchNormWeights;
import dev.rais.nn.Model;
import dev.rais.nn.Network;
import dev.rais.nn.Schedule;
import dev.rais.nn.Shape;
import java.util.ArrayList;
import java.util.Arrays;
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

  private Model residual() {
    return ResidualModels.small(new Shape(28, 28, 1), data.numClasses());
  }

  private Dataset small() {
    return new Dataset(
        "small", data.train().slice(0, 640), data.test().slice(0, 100), data.classNames());
  }

  private float[] trained(TrainingConfig config) {
    try (Trainer trainer = new Trainer(backend, small(), config, residual())) {
      trainer.run(new Record());
      Network network = trainer.network();
      float[] values = network.values().toFloats();
      float[] state = network.stateValues().toFloats();
      float[] all = Arrays.copyOf(values, values.length + state.length);
      System.arraycopy(state, 0, all, values.length, state.length);
      return all;
    }
  }

  @Test
  void evaluationsDisturbNeitherParametersNorRunningStatistics() {
    for (String sampler : List.of("uniform", "presample", "oracle")) {
      TrainingConfig config = config(sampler).epochs(3).oracleEvery(4).build();
      assertArrayEquals(
          trained(config.toBuilder().evalEvery(1000).build()),
          trained(config.toBuilder().evalEvery(0.05).build()),
          sampler);
    }
  }

  @Test
  void batchNormsCountExamplesByTheirWeightsUnlessToldOtherwise() {
    // Weights of 1 are as no weights, but for rounding.
    double equal = differenceThatWeightsMake("uniform");
    assertTrue(equal < 1e-4, "uniform: " + equal);
    double unequal = differenceThatWeightsMake("naive");
    assertTrue(unequal > 20 * equal, "naive: " + unequal + ", uniform: " + equal);
  }

  /** Between what training leads to with weighted and with plain statistics, relative. */
  private double differenceThatWeightsMake(String sampler) {
    TrainingConfig config = config(sampler).epochs(5).build();
    float[] weighted = trained(config);
    float[] plain = trained(config.toBuilder().batchNorm(BatchNormWeights.PLAIN).build());
    double difference = 0;
    double size = 0;
    for (int i = 0; i < weighted.length; i++) {
      difference += Math.pow(weighted[i] - plain[i], 2);
      size += Math.pow(weighted[i], 2);
    }
    return Math.sqrt(difference / size);
  }

  @Test
  void aDivergedResidualNetworkHasItsLastGoodRunningStatistics() {
    TrainingConfig config =
        config("uniform").epochs((double) M / 640).learningRate(3e38).momentum(0).build();
    try (Trainer trainer = new Trainer(backend, small(), config, residual())) {
      float[] initial = trainer.network().stateValues().toFloats();
      assertThrows(DivergedException.class, () -> trainer.run(new Record()));
      assertArrayEquals(initial, trainer.network().stateValues().toFloats());
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
