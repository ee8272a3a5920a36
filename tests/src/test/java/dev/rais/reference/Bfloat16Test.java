package dev.rais.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Rounding, against double arithmetic. */
class Bfloat16Test {
  @Test
  void allOfThemStayWhatTheyAre() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = Bfloat16.toFloat((short) bits);
      if (Float.isNaN(value)) {
        assertTrue(Float.isNaN(Bfloat16.rounded(value)));
      } else {
        assertEquals((short) bits, Bfloat16.of(value));
      }
    }
  }

  @Test
  void othersAreRoundedToTheNearestEven() {
    Random random = new Random(1);
    for (int i = 0; i < 100_000; i++) {
      float value = (float) (random.nextGaussian() * Math.pow(2, random.nextInt(100) - 50));
      // 7 bits after the leading one; a third of the values lie in the middle between two.
      double step = Math.ulp(value) * (1 << 16);
      if (i % 3 == 0) {
        value = (float) ((Math.floor(value / step) + 0.5) * step);
      }
      assertEquals((float) (Math.rint(value / step) * step), Bfloat16.rounded(value));
    }
    assertEquals(Float.POSITIVE_INFINITY, Bfloat16.rounded(Float.MAX_VALUE));
  }
}
