package dev.rais.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rais.RandomTest;
import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The running sum against decimal arithmetic without rounding. */
class ExactSumTest extends RandomTest {
  @Test
  void equalsTheSumOfWhatIsInIt() {
    Random random = random("equalsTheSumOfWhatIsInIt");
    for (int trial = 0; trial < 50; trial++) {
      ExactSum sum = new ExactSum();
      float[] values = new float[20];
      for (int step = 0; step < 2000; step++) {
        int i = random.nextInt(values.length);
        float value = anyFloat(random);
        sum.replace(values[i], value);
        values[i] = value;
        if (step % 50 == 0) {
          double expected = exact(values);
          assertEquals(expected, sum.value(), 4 * Math.ulp(expected));
        }
      }
    }
  }

  /** Incrementing a double would have lost the small values beside the large ones. */
  @Test
  void doesNotDependOnWhatCameAndWent() {
    Random random = random("doesNotDependOnWhatCameAndWent");
    ExactSum travelled = new ExactSum();
    ExactSum direct = new ExactSum();
    float[] values = new float[100];
    for (int step = 0; step < 100_000; step++) {
      int i = random.nextInt(values.length);
      float value = anyFloat(random);
      travelled.replace(values[i], value);
      values[i] = value;
    }
    for (int i = 0; i < values.length; i++) {
      float last = (float) Math.exp(random.nextGaussian());
      travelled.replace(values[i], last);
      values[i] = last;
    }
    for (float value : values) {
      direct.replace(0, value);
    }
    assertEquals(direct.value(), travelled.value());
    for (float value : values) {
      travelled.replace(value, 0);
    }
    assertEquals(0, travelled.value());
  }

  @Test
  void holdsTheLargestAndTheSmallest() {
    ExactSum sum = new ExactSum();
    for (int i = 0; i < 1000; i++) {
      sum.replace(0, Float.MAX_VALUE);
    }
    assertEquals(1000.0 * Float.MAX_VALUE, sum.value());
    sum.replace(0, Float.MIN_VALUE);
    for (int i = 0; i < 1000; i++) {
      sum.replace(Float.MAX_VALUE, 0);
    }
    assertEquals(Float.MIN_VALUE, sum.value());
  }

  /** Any exponent, denormal ones included, and often 0. */
  private static float anyFloat(Random random) {
    return random.nextInt(4) == 0
        ? 0
        : Float.intBitsToFloat(random.nextInt(Float.floatToRawIntBits(Float.MAX_VALUE) + 1));
  }

  private static double exact(float[] values) {
    BigDecimal sum = BigDecimal.ZERO;
    for (float value : values) {
      sum = sum.add(new BigDecimal(value));
    }
    return sum.doubleValue();
  }
}
