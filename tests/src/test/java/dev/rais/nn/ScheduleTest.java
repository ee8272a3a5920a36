package dev.rais.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.RandomTest;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Schedules: their shapes, and the tables that say the same to a device. */
class ScheduleTest extends RandomTest {
  @Test
  void stepsComeAtHalfAndFourFifths() {
    assertEquals(1, Schedule.STEP.factor(0));
    assertEquals(1, Schedule.STEP.factor(Math.nextDown(0.5)));
    assertEquals(0.1, Schedule.STEP.factor(0.5));
    assertEquals(0.1, Schedule.STEP.factor(Math.nextDown(0.8)));
    assertEquals(0.01, Schedule.STEP.factor(0.8));
    assertEquals(0.01, Schedule.STEP.factor(7));
    assertEquals(0.05 * 0.1, Schedule.STEP.learningRate(0.05, 60, 100));
  }

  @Test
  void aConstantStaysWhatItIs() {
    for (double progress : new double[] {0, 0.3, 1, 2}) {
      assertEquals(0.025, Schedule.CONSTANT.learningRate(0.025, progress * 90, 90));
    }
  }

  @Test
  void theCosineIsTheCosine() {
    assertEquals(1, Schedule.COSINE.factor(0));
    assertEquals(0.5, Schedule.COSINE.factor(0.5));
    assertEquals(0, Schedule.COSINE.factor(1));
    assertEquals(0, Schedule.COSINE.factor(1.01));
    Random random = random("cosine");
    for (int i = 0; i < 20_000; i++) {
      double x = random.nextDouble();
      assertEquals(Math.cos(Math.PI * x), Schedule.cosineOfPi(x), 6e-16, () -> "x " + x);
      double expected = 0.5 * (1 + Math.cos(Math.PI * x));
      assertEquals(expected, Schedule.COSINE.factor(x), 4e-16, () -> "x " + x);
    }
  }

  @Test
  void aTableHasThePiecesInOrder() {
    assertArrayEquals(
        new double[] {0.05, 700, 0.5, 1, 0, 0, 0.8, 0.1, 0, 0, 1, 0.01, 0, 0},
        Schedule.STEP.table(0.05, 700));
    assertArrayEquals(new double[] {1, 3, 1, 0.5, 0, 0.5}, Schedule.COSINE.table(1, 3));
  }
}
