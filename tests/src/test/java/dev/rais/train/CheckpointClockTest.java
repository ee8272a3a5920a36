package dev.rais.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.Backend;
import dev.rais.backend.Backends;
import dev.rais.data.Dataset;
import dev.rais.data.Datasets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** When checkpoints are due, whatever time a clock begins at and wherever it goes. */
class CheckpointClockTest {
  private static final long INTERVAL = Duration.ofMinutes(5).toNanos();

  @TempDir Path folder;

  @Test
  void timeThatRunsBackwardsMakesNothingDue() {
    CheckpointInterval interval = CheckpointInterval.parse("5m");
    assertTrue(interval.isDue(0, INTERVAL));
    assertFalse(interval.isDue(1e9, INTERVAL - 1));
    assertFalse(interval.isDue(1e9, -1));
    assertFalse(interval.isDue(1e9, Long.MIN_VALUE));
  }

  @Test
  void epochsAreCountedWhateverTheTime() {
    CheckpointInterval interval = CheckpointInterval.parse("0.5");
    for (long nanos : new long[] {Long.MIN_VALUE, -1, 0, Long.MAX_VALUE}) {
      assertTrue(interval.isDue(0.5, nanos));
      assertFalse(interval.isDue(0.4, nanos));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"5d", "2f", "0x10p0", "NaN", "Infinity", "-1", "0", "1e", "", "5 m"})
  void whatIsNeitherEpochsNorTimeIsRefused(String text) {
    assertThrows(IllegalArgumentException.class, () -> CheckpointInterval.parse(text));
  }

  /** Nanoseconds may begin anywhere, and overflow within a run. */
  @ParameterizedTest
  @ValueSource(longs = {0, Long.MIN_VALUE, -INTERVAL_PART, Long.MAX_VALUE - INTERVAL_PART})
  void checkpointsComeAtTheirInterval(long begin) {
    Dataset all = Datasets.load("fashion-mnist-sample", null);
    Dataset data =
        new Dataset("small", all.train().slice(0, 64), all.test().slice(0, 8), all.classNames());
    TrainingConfig config =
        TrainingConfig.builder("small", "mlp", "uniform").batchSize(8).epochs(5).build();
    long[] now = {begin};
    try (Backend backend = Backends.open("cpu", 1, warning -> {});
        Trainer trainer = new Trainer(backend, data, config);
        Checkpoints checkpoints =
            new Checkpoints(
                folder,
                CheckpointInterval.parse("5m"),
                9,
                warning -> {
                  throw new AssertionError(warning);
                },
                () -> now[0])) {
      checkpoints.startAt(trainer);
      for (int part = 1; part <= 6; part++) {
        trainer.advance(new TrainingListener() {});
        now[0] += INTERVAL / 2;
        checkpoints.stepped(trainer);
        checkpoints.await();
        assertEquals(part / 2, Checkpoints.list(folder).size(), "after " + part + " halves");
      }
      now[0] -= 100 * INTERVAL;
      trainer.advance(new TrainingListener() {});
      checkpoints.stepped(trainer);
      checkpoints.await();
      assertEquals(3, Checkpoints.list(folder).size(), "after a jump back");
    }
  }

  /** Less than an interval. */
  private static final long INTERVAL_PART = 1_000_000_000;
}
