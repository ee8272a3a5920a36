package dev.rais.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class QuantilesTest {
  @Test
  void theMedianIsTheMiddleOrTheMeanOfTheMiddleTwo() {
    assertEquals(2, Quantiles.median(new double[] {3, 1, 2}));
    assertEquals(2.5, Quantiles.median(new double[] {4, 1, 3, 2}));
  }

  @Test
  void quartilesLieBetweenNeighbours() {
    double[] values = {5, 1, 4, 2, 3};
    assertEquals(2, Quantiles.of(values, 0.25));
    assertEquals(4.5, Quantiles.of(values, 0.875));
    assertEquals(1, Quantiles.of(values, 0));
    assertEquals(5, Quantiles.of(values, 1));
    assertEquals(7, Quantiles.of(new double[] {7}, 0.75));
  }
}
