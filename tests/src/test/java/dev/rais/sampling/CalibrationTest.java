package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** What is said of an uncertainty set is true of the observations. */
class CalibrationTest {
  private static RecordRing.Records records(double[] feature, double[] norms, double[] weights) {
    return new RecordRing.Records(new double[][] {feature}, norms, weights, norms.length);
  }

  @Test
  void residualsAreMeasuredInHalfAxes() {
    // ⟨c,s⟩ = 2s and ⟨d,s⟩ = 4 · 0.25 s = s: half-axes 1, 2, 3.
    UncertaintySet set = new UncertaintySet(new double[] {2}, new double[] {0.25}, 4);
    double[] s = {1, 4, 9};
    double[] norms = {3, 10.5, 18};
    Calibration found = Calibration.of(set, records(s, norms, new double[] {1, 2, 1}));
    assertEquals(3, found.records());
    assertEquals(2.0 / 3, found.insideShare(), 1e-12, "residuals 1, 2.5 and 0");
    assertEquals((1 + 2 * 6.25 / 4 + 0) / 4, found.constraint(), 1e-12);
    assertEquals(java.util.List.of(2.0, 8.0, 18.0), found.predicted());
    assertEquals(java.util.List.of(3.0, 10.5, 18.0), found.observed());
  }

  @Test
  void groupsHoldEquallyManyAndTheirMeansAddUp() {
    Random random = new Random(4);
    int n = 1200;
    double[] s = random.doubles(n, 0.1, 5).toArray();
    double[] norms = random.doubles(n, 0, 9).toArray();
    double[] weights = random.doubles(n, 0.5, 2).toArray();
    UncertaintySet set = new UncertaintySet(new double[] {1}, new double[] {1}, 1);
    Calibration found = Calibration.of(set, records(s, norms, weights));
    assertEquals(12, found.predicted().size());
    assertEquals(mean(s), found.predicted().stream().mapToDouble(x -> x).average().orElse(0), 1e-9);
    assertEquals(
        mean(norms), found.observed().stream().mapToDouble(x -> x).average().orElse(0), 1e-9);
    for (int g = 1; g < 12; g++) {
      assertTrue(found.predicted().get(g) > found.predicted().get(g - 1), "by rising prediction");
    }
  }

  private static double mean(double[] values) {
    return java.util.Arrays.stream(values).average().orElseThrow();
  }

  @Test
  void onlyTheNewestObservationsCount() {
    int n = 5000;
    double[] s = new double[n];
    double[] norms = new double[n];
    double[] weights = new double[n];
    java.util.Arrays.fill(s, 1);
    java.util.Arrays.fill(weights, 1);
    for (int i = 0; i < n; i++) {
      norms[i] = i < n - 4096 ? 100 : 1;
    }
    UncertaintySet set = new UncertaintySet(new double[] {1}, new double[] {1}, 1);
    Calibration found = Calibration.of(set, records(s, norms, weights));
    assertEquals(4096, found.records());
    assertEquals(1, found.insideShare());
    assertEquals(0, found.constraint());
  }

  @Test
  void withoutObservationsThereIsNone() {
    UncertaintySet set = new UncertaintySet(new double[] {1}, new double[] {1}, 1);
    double[] empty = {};
    assertSame(Calibration.NONE, Calibration.of(set, records(empty, empty, empty)));
    try (RaisSampler fresh = new RaisSampler(new int[] {0, 1}, 2, 1, RaisOptions.defaults())) {
      assertSame(Calibration.NONE, fresh.calibration());
    }
  }
}
