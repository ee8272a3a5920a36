package dev.rais.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.train.Metrics;
import dev.rais.train.RunFileException;
import dev.rais.train.RunRecord;
import dev.rais.train.TrainingConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Means, targets and speed-ups, against numbers computed by hand. */
class ComparisonTableTest {
  private static ComparisonTable table(RunRecord... runs) {
    Map<String, List<RunRecord>> byLabel = ComparisonTable.byLabel(List.of(runs));
    return ComparisonTable.of(new LinkedHashMap<>(byLabel));
  }

  private static ComparisonTable.Row row(ComparisonTable table, String sampler) {
    return table.rows().stream().filter(r -> r.sampler().equals(sampler)).findFirst().orElseThrow();
  }

  @Test
  void aStatisticIsMeanAndStandardError() {
    Statistic statistic = Statistic.of(List.of(1.0, 2.0, 6.0));
    assertEquals(3, statistic.mean());
    // Deviations −2, −1, 3: variance 14 / 2 = 7.
    assertEquals(Math.sqrt(7.0 / 3), statistic.standardError(), 1e-15);
    assertTrue(Double.isNaN(Statistic.of(List.of(4.0)).standardError()));
    assertTrue(Double.isNaN(Statistic.of(List.of()).mean()));
  }

  @Test
  void aCurveIsTheMeanOfTheLastEvaluations() {
    RunRecord three = Runs.run("rais", 0, 1, 0.5, 0.3, 0.1);
    RunRecord two = Runs.run("rais", 1, 1.5, 0.4, 0.2);
    Curve byEpochs = Curve.of(List.of(three, two), Metrics::epochs, Metrics::testError);
    assertEquals(List.of(1.0, 2.0, 3.0), byEpochs.x());
    assertEquals(0.45, byEpochs.mean().get(0), 1e-12);
    assertEquals(0.25, byEpochs.mean().get(1), 1e-12);
    assertEquals(0.15, byEpochs.mean().get(2), 1e-12, "after its end a run counts with its end");
    // At seconds 1, 2, 3 and at 1.5, 3: from 1.5 on both have been evaluated.
    Curve byTime = Curve.of(List.of(three, two), Metrics::seconds, Metrics::testError);
    assertEquals(List.of(1.5, 2.0, 3.0), byTime.x());
    assertEquals(0.45, byTime.mean().get(0), 1e-12);
    assertEquals(0.35, byTime.mean().get(1), 1e-12);
    assertEquals(0.15, byTime.mean().get(2), 1e-12);
  }

  @Test
  void aTargetIsReachedWhereTheMeanStaysBelowIt() {
    Curve curve =
        Curve.of(
            List.of(Runs.run("rais", 0, 1, 0.5, 0.1, 0.3, 0.2, 0.1)),
            Metrics::epochs,
            Metrics::testError);
    assertEquals(4, curve.reaches(0.2), "not 2, where it does not stay");
    assertEquals(1, curve.reaches(0.5));
    assertTrue(Double.isNaN(curve.reaches(0.05)), "never");
  }

  /** Of 10,000 test images 72 and 10 more; in doubles 0.0072 + 0.001 is less than 0.0082. */
  @Test
  void aMeanThatIsTheTargetReachesIt() {
    ComparisonTable table =
        table(Runs.run("uniform", 0, 1, 0.5, 0.0072), Runs.run("rais", 0, 1, 0.0082, 0.0082));
    assertTrue(table.target() < 0.0082, "the sum is rounded down");
    assertEquals(1, row(table, "rais").targetEpochs());
    ComparisonTable above =
        table(Runs.run("uniform", 0, 1, 0.5, 0.0072), Runs.run("rais", 0, 1, 0.0083, 0.0082));
    assertEquals(2, row(above, "rais").targetEpochs(), "one image more is not the target");
  }

  @Test
  void aCourseEndsWhereNothingMoreIsKnownOfARun() {
    RunRecord whole = Runs.run("rais", 0, 1, 0.5, 0.3, 0.1);
    RunRecord half = Runs.run("rais", 1, 1, 0.4, 0.2, 0.1);
    for (RunRecord other : List.of(Runs.underWay(half, 2), Runs.diverged(half, 2))) {
      Curve curve = Curve.of(List.of(whole, other), Metrics::epochs, Metrics::testError);
      assertEquals(List.of(1.0, 2.0), curve.x(), "its second error is not its last");
      assertEquals(0.25, curve.mean().get(1), 1e-12);
    }
  }

  @Test
  void neverIsSaidOnlyWhereItIsCertain() {
    RunRecord uniform = Runs.run("uniform", 0, 1, 0.3, 0.2, 0.1);
    RunRecord uniformToo = Runs.run("uniform", 1, 1, 0.3, 0.2, 0.1);
    RunRecord fast = Runs.run("rais", 0, 1, 0.1);
    RunRecord fastToo = Runs.run("rais", 1, 1, 0.1, 0.1);
    RunRecord slow = Runs.run("infobatch", 0, 1, 0.3, 0.2);
    assertTrue(row(table(uniform, fast, slow), "infobatch").never());
    assertTrue(
        row(table(uniform, fast, Runs.diverged(fastToo, 1)), "rais").never(), "one run diverged");

    ComparisonTable.Row underWay =
        row(table(uniform, uniformToo, fast, Runs.underWay(fastToo, 1)), "rais");
    assertFalse(underWay.never(), "it may still come to it");
    assertEquals(2, underWay.runs());
    assertEquals(1, underWay.finished());

    // Uniform's own time until the target is not known then; that of RAIS is.
    ComparisonTable without = table(uniform, Runs.diverged(uniformToo, 1), fast, fastToo);
    assertTrue(Double.isNaN(row(without, "rais").speedUpEpochs()));
    assertEquals(1, row(without, "rais").targetEpochs());
    assertFalse(row(without, "rais").never());

    ComparisonTable early = table(uniform, Runs.underWay(uniformToo, 1), slow);
    assertTrue(Double.isNaN(early.target()), "uniform's mean is not known yet");
  }

  @Test
  void aVariantOfRaisGivesTheTimeWhereItIsTheOnlyOne() {
    Map<String, List<RunRecord>> runs = new LinkedHashMap<>();
    runs.put("uniform", List.of(Runs.run("uniform", 0, 1, 0.5, 0.4, 0.3)));
    runs.put("rais:gain-max=2", List.of(Runs.run("rais", 0, 1, 0.3, 0.2)));
    assertEquals(0.4, row(ComparisonTable.of(runs), "uniform").testErrorAtRaisTime().mean(), 1e-12);
    runs.put("rais:gain-max=3", List.of(Runs.run("rais", 0, 1, 0.3)));
    assertTrue(
        Double.isNaN(row(ComparisonTable.of(runs), "uniform").testErrorAtRaisTime().mean()),
        "of two neither is the one");
    runs.put("rais", List.of(Runs.run("rais", 0, 1, 0.3)));
    assertEquals(0.5, row(ComparisonTable.of(runs), "uniform").testErrorAtRaisTime().mean(), 1e-12);
  }

  @Test
  void speedUpsAreUniformsEpochsAndTimeOverTheSamplers() {
    ComparisonTable table =
        table(
            Runs.run("uniform", 0, 2, 0.5, 0.4, 0.3, 0.2, 0.1),
            Runs.run("rais", 0, 3, 0.4, 0.1),
            Runs.run("infobatch", 0, 1, 0.4, 0.3, 0.2));
    assertEquals(0.101, table.target(), 1e-12, "0.1 point above uniform's end");
    assertEquals(5, row(table, "uniform").targetEpochs());
    assertEquals(1, row(table, "uniform").speedUpEpochs());
    assertEquals(2, row(table, "rais").targetEpochs());
    assertEquals(2.5, row(table, "rais").speedUpEpochs());
    assertEquals(10.0 / 6, row(table, "rais").speedUpTime(), 1e-12);
    assertTrue(Double.isNaN(row(table, "infobatch").speedUpEpochs()), "never");
    assertEquals(3, row(table, "infobatch").epochs().mean());
    assertEquals(6, row(table, "infobatch").epochsEquivalent().mean());
  }

  /** The machine is five times slower for the second seed: that is no difference of samplers. */
  @Test
  void timeUntilTheTargetIsEachSeedsOwn() {
    ComparisonTable table =
        table(
            Runs.run("uniform", 0, 1, 0.5, 0.4, 0.3, 0.1),
            Runs.run("uniform", 1, 5, 0.5, 0.4, 0.3, 0.1),
            Runs.run("rais", 0, 1, 0.4, 0.1),
            Runs.run("rais", 1, 5, 0.4, 0.1));
    assertEquals(12, row(table, "uniform").targetSeconds(), 1e-12);
    assertEquals(6, row(table, "rais").targetSeconds(), 1e-12);
    assertEquals(2, row(table, "rais").speedUpTime(), 1e-12);
  }

  @Test
  void errorsInTheTimeThatRaisTookAreThoseOfTheSameSeed() {
    ComparisonTable table =
        table(
            Runs.run("uniform", 0, 1, 0.5, 0.4, 0.3, 0.1),
            Runs.run("uniform", 1, 5, 0.5, 0.4, 0.2, 0.1),
            Runs.run("infobatch", 0, 1, 0.45),
            Runs.run("rais", 0, 1.25, 0.4, 0.1),
            Runs.run("rais", 1, 7.5, 0.4, 0.2));
    assertEquals((0.4 + 0.2) / 2, row(table, "uniform").testErrorAtRaisTime().mean(), 1e-12);
    assertEquals(0.45, row(table, "infobatch").testErrorAtRaisTime().mean(), 1e-12, "its end");
    assertEquals(0.15, row(table, "rais").testErrorAtRaisTime().mean(), 1e-12);
    ComparisonTable without = table(Runs.run("uniform", 0, 1, 0.5));
    assertTrue(Double.isNaN(row(without, "uniform").testErrorAtRaisTime().mean()));
  }

  @Test
  void betweenTwoEvaluationsTimePassesEvenly() {
    RunRecord often = Runs.run("uniform", 0, 2, 0.5, 0.1, 0.1);
    RunRecord all = Runs.run("uniform", 1, 4, 0.1, 0.1, 0.1);
    RunRecord seldom =
        new RunRecord(
            all.directory(),
            all.config(),
            List.of(all.metrics().getFirst(), all.metrics().getLast()),
            all.summary(),
            all.divergence());
    ComparisonTable table = table(often, seldom);
    assertEquals(2, row(table, "uniform").targetEpochs());
    assertEquals((4 + 8) / 2.0, row(table, "uniform").targetSeconds(), 1e-12);
  }

  @Test
  void oneStandardErrorIsTheMarginWhereItIsLarger() {
    ComparisonTable table = table(Runs.run("uniform", 0, 1, 0.10), Runs.run("uniform", 1, 1, 0.20));
    assertEquals(0.15 + 0.05, table.target(), 1e-12);
    assertEquals(0.05, row(table, "uniform").finalTestError().standardError(), 1e-12);
    assertEquals(List.of(0L, 1L), table.seeds());
    assertEquals(2, row(table, "uniform").runs());
  }

  @Test
  void runsOfOneSamplerAreToldApartByTheirOptions() {
    TrainingConfig.Builder naive = TrainingConfig.builder("data", "mlp", "naive");
    RunRecord little = Runs.run(naive.smoothing(0.05).build(), 1, 0.3);
    RunRecord littleAgain = Runs.run(naive.smoothing(0.05).seed(1).build(), 1, 0.3);
    RunRecord much = Runs.run(naive.smoothing(0.5).seed(0).build(), 1, 0.3);
    Map<String, List<RunRecord>> byLabel =
        ComparisonTable.byLabel(
            List.of(little, much, littleAgain, Runs.run("uniform-short", 0, 1, 0.3)));
    assertEquals(
        List.of("naive:smoothing=0.05", "naive:smoothing=0.5", "uniform-short"),
        List.copyOf(byLabel.keySet()));
    assertEquals(2, byLabel.get("naive:smoothing=0.05").size());
  }

  @Test
  void runsThatDoNotBelongTogetherAreRefused() {
    RunRecord mine = Runs.run("uniform", 0, 1, 0.3);
    RunRecord otherModel =
        Runs.run(TrainingConfig.builder("data", "lenet5", "rais").build(), 1, 0.3);
    RunRecord otherData =
        Runs.run(TrainingConfig.builder("elsewhere", "mlp", "rais").build(), 1, 0.3);
    for (RunRecord other : List.of(otherModel, otherData, mine)) {
      RunFileException e =
          assertThrows(
              RunFileException.class,
              () -> ComparisonTable.requireComparable(List.of(mine, other)));
      assertTrue(
          e.getMessage().matches(".*(same data and model|the same run twice).*"), e.getMessage());
    }
  }
}
