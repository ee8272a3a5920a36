package dev.rais.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.RandomTest;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class VectorExpTest extends RandomTest {
  private static final int LENGTH = 4096;

  /** Every 61st float from 0 to the end of the range, some 18 million, against double precision. */
  @Test
  void theErrorStaysBelowTheBoundThatIsPromised() {
    float[] x = new float[LENGTH];
    float[] arguments = new float[LENGTH];
    int last = Float.floatToRawIntBits(VectorExp.RANGE);
    double worst = 0;
    for (int bits = 0; bits <= last; ) {
      for (int i = 0; i < LENGTH; i++) {
        arguments[i] = -Float.intBitsToFloat(Math.min(bits, last));
        bits += 61;
      }
      exponentials(arguments, x, 0);
      for (int i = 0; i < LENGTH; i++) {
        double exact = StrictMath.exp(arguments[i]);
        double error = Math.abs(x[i] - exact) / exact / (1 + Math.abs(arguments[i]));
        assertTrue(error <= 2e-7, () -> "of the promised scale, an error of " + error);
        worst = Math.max(worst, error);
      }
    }
    assertTrue(worst > 0, "nothing was compared");
  }

  @Test
  void theExponentialOfZeroIsOne() {
    float[] x = new float[LENGTH];
    float[] arguments = new float[LENGTH];
    Arrays.fill(arguments, 123.456f);
    exponentials(arguments, x, 123.456f);
    for (float e : x) {
      assertEquals(1f, e);
    }
  }

  @Test
  void sumsTakeValuesAndSquaresElementByElement() {
    Random random = random("sumsTakeValuesAndSquaresElementByElement");
    int count = 1001;
    float[] x = new float[count + 1];
    float[] sums = new float[count + 1];
    float[] squares = new float[count + 1];
    float[] references = new float[count + 1];
    short[] powers = new short[count + 1];
    for (int i = 0; i <= count; i++) {
      references[i] = 10 * random.nextFloat();
      x[i] = references[i] - VectorExp.RANGE * random.nextFloat();
      sums[i] = random.nextFloat();
      squares[i] = random.nextFloat();
    }
    float[] oldSums = sums.clone();
    float[] oldSquares = squares.clone();
    float behind = x[count];
    VectorExp.split(x, references, powers, count);
    VectorExp.join(x, powers, sums, squares, count);
    for (int i = 0; i < count; i++) {
      assertEquals(oldSums[i] + x[i], sums[i]);
      assertEquals(oldSquares[i] + x[i] * x[i], squares[i]);
    }
    assertEquals(behind, x[count], "what lies behind is left alone");
    assertEquals(oldSums[count], sums[count]);
  }

  private static void exponentials(float[] arguments, float[] x, float reference) {
    float[] references = new float[LENGTH];
    Arrays.fill(references, reference);
    short[] powers = new short[LENGTH];
    System.arraycopy(arguments, 0, x, 0, LENGTH);
    VectorExp.split(x, references, powers, LENGTH);
    VectorExp.join(x, powers, new float[LENGTH], new float[LENGTH], LENGTH);
  }
}
