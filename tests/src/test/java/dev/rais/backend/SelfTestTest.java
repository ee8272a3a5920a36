package dev.rais.backend;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.cpu.JavaBackend;
import dev.rais.backend.cuda.HostCuda;
import org.junit.jupiter.api.Test;

/** What {@code rais doctor} says of a backend that computes right, and of one that does not. */
class SelfTestTest {
  @Test
  void backendsThatAgreeAreToldHowWell() {
    try (Backend java = new JavaBackend(1);
        Backend cuda = HostCuda.newBackend()) {
      String result = SelfTest.compare(cuda, java, false);
      assertTrue(
          result.matches(
              "15 operations agree with the CPU's to \\de-0\\d; copies [\\d.]+ GB/s to and [\\d.]+"
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
        Buffer w, Buffer u, Buffer g, float learningRate, float momentum, float weightDecay) {
      super.doSgd(w, u, g, learningRate * (1 + by), momentum, weightDecay);
    }
  }

  @Test
  void anOperationThatDiffersIsNamed() {
    try (Backend java = new JavaBackend(1);
        Backend wrong = new WrongStep(0.1f)) {
      String result = SelfTest.compare(wrong, java, false);
      assertTrue(result.startsWith("failed: momentum step differs from the CPU's by "), result);
    }
  }

  @Test
  void notANumberDiffers() {
    try (Backend java = new JavaBackend(1);
        Backend wrong = new WrongStep(Float.NaN)) {
      String result = SelfTest.compare(wrong, java, true);
      assertTrue(result.startsWith("failed: momentum step"), result);
    }
  }
}
