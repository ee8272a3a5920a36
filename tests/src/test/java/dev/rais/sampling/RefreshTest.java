package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Scaling k scales the allowance for errors, and nothing else. */
class RefreshTest {
  // ⟨d̂,s̄⟩ = 1, so e = sqrt(h*) = 3, and ⟨c,s̄⟩ = 2.
  private final UncertaintySet set =
      new UncertaintySet(new double[] {1, 0.5}, new double[] {0.25, 0.25}, 9);
  private final double[] meanFeatures = {0, 4};

  @Test
  void theErrorScaleIsMultiplied() {
    for (Ablation ablation : Ablation.values()) {
      double scale = ablation.scale();
      Refresh refresh = Refresh.of(null, meanFeatures, set, scale);
      assertEquals(3 * scale, refresh.errorScale(), 1e-12, ablation.id());
      assertEquals(0.001 * (2 + 3 * scale), refresh.floor(), 1e-9, "of the mean of v");
    }
    assertEquals(
        Refresh.of(null, meanFeatures, set), Refresh.of(null, meanFeatures, set, 1), "unscaled");
  }

  @Test
  void withoutPredictionAndAllowanceDrawsAreUniform() {
    UncertaintySet blind = new UncertaintySet(new double[] {0, 0}, new double[] {0.25, 0.25}, 9);
    assertTrue(Refresh.of(null, meanFeatures, blind, 0).allZero());
  }
}
