package dev.rais.backend;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.cpu.JavaBackend;
import dev.rais.backend.cuda.HostCuda;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What {@code rais doctor} says of a backend that computes right, and of one that does not. */
class SelfTestTest {
  @ParameterizedTest
  @EnumSource
  void backendsThatAgreeAreToldHowWell(Precision precision) {
    try (Backend java = new JavaBackend(1);
        Backend cuda = HostCuda.newBackend(precision)) {
      String result = SelfTest.compare(cuda, java);
      assertTrue(
          result.matches(
              "16 operations agree with the CPU's to \\de-0\\d; copies [\\d.]+ GB/s to and [\\d.]+"
                  + " GB/s from it"),
          result);
    }
  }

  /** Adds a little too much to what it should multiply. */
  private static final class WrongStep extends JavaBackend {
    private final float by;

    WrongStep(float by) {
      super(1);
      this.by = by;
    }

    @Override
    protected void doSgd(
        Buffer w,
        Buffer u,
        Buffer g,
        Buffer rounded,
        float learningRate,
        float momentum,
        float weightDecay) {
      super.doSgd(w, u, g, rounded, learningRate * (1 + by), momentum, weightDecay);
    }
  }

  @Test
  void anOperationThatDiffersIsNamed() {
    try (Backend java = new JavaBackend(1);
        Backend wrong = new WrongStep(0.1f)) {
      String result = SelfTest.compare(wrong, java);
      assertTrue(result.startsWith("failed: momentum step differs from the CPU's by "), result);
    }
  }

  @Test
  void notANumberDiffers() {
    try (Backend java = new JavaBackend(1);
        Backend wrong = new WrongStep(Float.NaN)) {
      String result = SelfTest.compare(wrong, java);
      assertTrue(result.startsWith("failed: momentum step"), result);
    }
  }
}
