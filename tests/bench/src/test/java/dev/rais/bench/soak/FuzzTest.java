package dev.rais.bench.soak;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A few seconds of fuzzing for each reader; ten minutes with {@code mvn verify -Pnightly}. */
@Execution(ExecutionMode.CONCURRENT)
class FuzzTest {
  private static final int SECONDS = Integer.getInteger("rais.fuzz.seconds", 3);

  @ParameterizedTest
  @EnumSource
  void noMutationOfAGoodFileHarmsItsReader(FuzzReader reader) throws Exception {
    // Each execution on a checkpoint makes a trainer, which takes a busy machine a tenth of a
    // second.
    int seconds = reader == FuzzReader.CHECKPOINT ? 5 * SECONDS : SECONDS;
    Fuzzer.Outcome outcome = FuzzSoak.fuzz(reader, seconds);
    assertNull(outcome.crash());
    assertTrue(outcome.executions() > 100, outcome::toString);
    assertTrue(outcome.grew(), () -> "the coverage did not grow: " + outcome);
  }

  /** Cannot read a file that begins with "GOOD!"; nothing but coverage leads there. */
  public static final class Broken {
    private Broken() {}

    /** Called by Jazzer. */
    public static void fuzzerTestOneInput(byte[] input) {
      int right = 0;
      for (byte expected : "GOOD!".getBytes(StandardCharsets.US_ASCII)) {
        if (right == input.length || input[right] != expected) {
          return;
        }
        right++;
      }
      throw new IllegalStateException("planted");
    }
  }

  @Test
  void aPlantedFaultIsFound() {
    Fuzzer.Outcome outcome =
        Fuzzer.run(Broken.class, Map.of(), Map.of("seed", new byte[] {'G'}), 60);
    assertTrue(outcome.crash() != null && outcome.crash().contains("planted"), outcome::toString);
  }

  /** Does nothing with its input. */
  public static final class Idle {
    private Idle() {}

    /** Called by Jazzer. */
    public static void fuzzerTestOneInput(byte[] input) {}
  }

  @Test
  void aTargetThatNothingIsLearntFromIsNotedAsUntested() {
    assertFalse(Fuzzer.run(Idle.class, Map.of(), Map.of("seed", new byte[] {1}), 2).grew());
  }
}
