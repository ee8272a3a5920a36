package dev.rais.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.data.Dataset;
import dev.rais.sampling.DrawMode;
import dev.rais.sampling.ImportanceSampler;
import dev.rais.sampling.RaisOptions;
import dev.rais.sampling.RaisSampler;
import dev.rais.sampling.UniformSampler;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** The loop drives a network that is none of ours. */
class TrainingLoopTest {
  private static final int M = 50;
  private static final double EPOCHS = 20;

  private final Dataset data = Clusters.create();
  private final List<String> lines = new ArrayList<>();

  @Test
  void itLearnsAsMuchInFewerEpochs() {
    RunSummary uniform = run("uniform", 1, trainer -> trainer);
    RunSummary rais = run("rais", 1, trainer -> trainer);
    String both = uniform + "\n" + rais;
    assertTrue(uniform.finalTestError() < 0.1, both);
    assertTrue(rais.finalTestError() < uniform.finalTestError() + 0.01, both);
    assertTrue(rais.finalTrainLoss() < 1.1 * uniform.finalTrainLoss(), both);
    assertTrue(rais.epochs() < 0.7 * uniform.epochs(), both);
  }

  @Test
  void itStopsWhenEffectiveIterationsReachTheSchedulesLength() {
    RunSummary uniform = run("uniform", 1, trainer -> trainer);
    assertEquals(EPOCHS * Clusters.COUNT / M, uniform.steps());
    assertEquals(EPOCHS, uniform.epochs(), 1e-9);
    assertEquals(1, uniform.meanGainRatio(), 1e-9);
    RunSummary rais = run("rais", 1, trainer -> trainer);
    double perStep = (double) M / Clusters.COUNT;
    assertTrue(rais.epochsEquivalent() >= EPOCHS, rais.toString());
    assertTrue(rais.epochsEquivalent() < EPOCHS + 10 * perStep, rais.toString());
    assertEquals(rais.epochsEquivalent(), rais.meanGainRatio() * rais.epochs(), 1e-9);
  }

  @Test
  void theTrainerGetsTheWeightsThatKeepTheGradientUnbiased() {
    double[] sums = new double[3]; // of weights, of weights above or below 1, of examples
    double[] ofClass = new double[data.numClasses()];
    run(
        "rais",
        1,
        trainer ->
            new Forwarding(trainer) {
              @Override
              public double step(int[] indices, float[] weights, StepRate rate) {
                for (int j = 0; j < indices.length; j++) {
                  sums[0] += weights[j];
                  sums[1] += weights[j] == 1 ? 0 : 1;
                  sums[2]++;
                  ofClass[data.train().label(indices[j])] += weights[j];
                }
                return super.step(indices, weights, rate);
              }
            });
    assertTrue(sums[1] > 0.5 * sums[2], sums[1] + " of " + sums[2] + " weights are not 1");
    assertEquals(1, sums[0] / sums[2], 0.02);
    int[] counts = data.train().classCounts(data.numClasses());
    for (int k = 0; k < counts.length; k++) {
      assertEquals((double) counts[k] / Clusters.COUNT, ofClass[k] / sums[2], 0.02);
    }
  }

  @Test
  void theRateIsTheSchedulesTimesTheGainRatio() {
    List<Double> rates = new ArrayList<>();
    UnaryOperator<ForeignTrainer> recording =
        trainer ->
            new Forwarding(trainer) {
              @Override
              public double step(int[] indices, float[] weights, StepRate rate) {
                return super.step(
                    indices,
                    weights,
                    deltas -> {
                      rates.add(rate.afterForward(deltas));
                      return rates.getLast();
                    });
              }
            };
    RunSummary uniform = run("uniform", 1, recording);
    for (int t = 0; t < uniform.steps(); t++) {
      double progress = (double) t / uniform.steps();
      assertEquals(progress < 0.5 ? 0.05 : progress < 0.8 ? 0.005 : 0.0005, rates.get(t), 1e-12);
    }
    rates.clear();
    run("rais", 1, recording);
    assertTrue(rates.stream().anyMatch(rate -> rate > 0.05 * 1.1));
  }

  @Test
  void theSameSeedGivesTheSameRun() {
    List<RunSummary> runs = new ArrayList<>();
    for (int seed : new int[] {1, 1, 2}) {
      RunSummary s = run("rais", seed, trainer -> trainer);
      runs.add(
          new RunSummary(
              s.sampler(),
              s.data(),
              0,
              s.steps(),
              s.epochs(),
              s.epochsEquivalent(),
              s.finalTestError(),
              s.finalTrainLoss(),
              0,
              s.meanGainRatio()));
    }
    assertEquals(runs.get(0), runs.get(1));
    assertNotEquals(runs.get(0), runs.get(2));
  }

  @Test
  void aGradientThatIsNotFiniteEndsTheRunNamingItsSlot() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      int[] example = new int[1];
      UnaryOperator<ForeignTrainer> broken =
          trainer ->
              new Forwarding(trainer) {
                private int step;

                @Override
                public double step(int[] indices, float[] weights, StepRate rate) {
                  boolean now = step++ == 5;
                  example[0] = now ? indices[3] : example[0];
                  return super.step(
                      indices,
                      weights,
                      deltas -> {
                        deltas[3 * data.numClasses() + 1] = now ? bad : deltas[0];
                        return rate.afterForward(deltas);
                      });
                }
              };
      TrainingException e =
          assertThrows(TrainingException.class, () -> run("rais", 1, broken), "for " + bad);
      assertTrue(e.getMessage().startsWith("step 5: "), e.getMessage());
      assertTrue(e.getMessage().contains("in slot 3 (example " + example[0] + ")"), e.getMessage());
    }
  }

  @Test
  void aLossThatIsNotFiniteEndsAnyRun() {
    TrainingException e =
        assertThrows(
            TrainingException.class,
            () ->
                run(
                    "uniform",
                    1,
                    trainer ->
                        new Forwarding(trainer) {
                          @Override
                          public double step(int[] indices, float[] weights, StepRate rate) {
                            super.step(indices, weights, rate);
                            return Double.NaN;
                          }
                        }));
    assertEquals("step 0: the loss is NaN", e.getMessage());
  }

  @Test
  void aTrainerThatNeverAsksForItsRateIsFoundOut() {
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () ->
                run(
                    "rais",
                    1,
                    trainer ->
                        new Forwarding(trainer) {
                          @Override
                          public double step(int[] indices, float[] weights, StepRate rate) {
                            return 1;
                          }
                        }));
    assertEquals("the trainer's step never asked for its learning rate", e.getMessage());
  }

  @Test
  void everyEpochBringsALine() {
    RunSummary uniform = run("uniform", 1, trainer -> trainer);
    assertEquals(EPOCHS, lines.size());
    assertTrue(
        lines.getFirst().startsWith("epoch 1, 1.00 of 20.0 epochs equivalent: loss "),
        lines.getFirst());
    assertTrue(lines.getLast().contains("epoch 20, 20.00 of "), lines.getLast());
    assertTrue(uniform.seconds() > 0);
  }

  /** The network's own gradients are right, or it would prove nothing. */
  @Test
  void thePerceptronsStepsFollowItsGradient() {
    RunSettings plain = new RunSettings("uniform", 1, 3, 1, 0, 0, 3);
    Perceptron perceptron = new Perceptron(data, plain, 5);
    double[] before = perceptron.parameters.clone();
    int[] indices = {4, 9, 4};
    float[] weights = {0.5f, 2, 1};
    double[] expected = new double[before.length];
    for (int i = 0; i < before.length; i++) {
      for (int sign = -1; sign <= 1; sign += 2) {
        perceptron.parameters[i] = before[i] + sign * 1e-6;
        for (int j = 0; j < 3; j++) {
          expected[i] += sign * weights[j] * perceptron.loss(indices[j]) / 3 / 2e-6;
        }
      }
      perceptron.parameters[i] = before[i];
    }
    double loss = perceptron.step(indices, weights, deltas -> 1);
    for (int i = 0; i < before.length; i++) {
      assertEquals(expected[i], before[i] - perceptron.parameters[i], 1e-5, "parameter " + i);
    }
    System.arraycopy(before, 0, perceptron.parameters, 0, before.length);
    double weighted = 1.5 * perceptron.loss(4) + 2 * perceptron.loss(9);
    assertEquals(weighted / 3, loss, 1e-5);
  }

  private RunSummary run(String name, int seed, UnaryOperator<ForeignTrainer> wrapping) {
    RunSettings settings = new RunSettings(name, EPOCHS, M, 0.05, 0.9, 5e-4, seed);
    int[] labels = data.train().labels();
    int classes = data.numClasses();
    try (ImportanceSampler sampler =
            name.equals("rais")
                ? new RaisSampler(labels, classes, seed, RaisOptions.defaults())
                : new UniformSampler(labels.length, seed, DrawMode.ROUNDS);
        ForeignTrainer trainer = wrapping.apply(new Perceptron(data, settings, 16))) {
      RunLog log = new RunLog(settings, data.name(), labels.length, trainer, lines::add);
      return new TrainingLoop(sampler, trainer, classes, settings).run(log);
    }
  }

  /** A trainer that another one does the work for. */
  private static class Forwarding implements ForeignTrainer {
    private final ForeignTrainer trainer;

    Forwarding(ForeignTrainer trainer) {
      this.trainer = trainer;
    }

    @Override
    public double step(int[] indices, float[] weights, StepRate rate) {
      return trainer.step(indices, weights, rate);
    }

    @Override
    public double trainLoss() {
      return trainer.trainLoss();
    }

    @Override
    public double testError() {
      return trainer.testError();
    }

    @Override
    public void close() {
      trainer.close();
    }
  }
}
