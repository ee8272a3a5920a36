package dev.rais.bench.sampler;

import dev.rais.sampling.DrawMode;
import dev.rais.sampling.Minibatch;
import dev.rais.sampling.Observation;
import dev.rais.sampling.RaisOptions;
import dev.rais.sampling.RaisSampler;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Times of {@link RaisSampler} with independent draws, through its public methods alone.
 *
 * @param stepNanos draw, observe and update of the tree, median over steps
 * @param stepNanosWithRefresh mean over whole periods from refresh to refresh, with all that
 *     happens in them, waiting for the set's training included; median over periods
 * @param refreshNanos the longer time of a draw that applies a set already trained, median
 * @param plainRefreshNanos the same without the Vector API
 * @param readNanos reading as many bytes as a refresh reads or writes, with as many threads, median
 * @param bytesPerExample off the Java heap
 */
record StepTimes(
    double stepNanos,
    double stepNanosWithRefresh,
    double refreshNanos,
    double plainRefreshNanos,
    double readNanos,
    double bytesPerExample) {
  private static final int M = 128;
  private static final int CLASSES = 10;
  private static final int RECORDS = 20_000;

  /** Set to false, this keeps the sampler from using the Vector API. */
  private static final String VECTORS = "rais.sampling.vectors";

  /** Minibatches from one refresh to the next. */
  private static final int PERIOD = Math.ceilDiv(RECORDS, M);

  /** Prepared observations: enough that their norms do not repeat within a period. */
  private static final int OBSERVATIONS = 512;

  static StepTimes measure(int n, int repetitions) {
    SplittableRandom random = new SplittableRandom(n);
    int[] labels = new int[n];
    for (int i = 0; i < n; i++) {
      labels[i] = random.nextInt(CLASSES);
    }
    Observation[] observations = new Observation[OBSERVATIONS];
    for (int t = 0; t < OBSERVATIONS; t++) {
      float[] norms = new float[M];
      float[] squares = new float[M];
      for (int j = 0; j < M; j++) {
        norms[j] = (float) (0.01 - Math.log(1 - random.nextDouble()));
        squares[j] = norms[j] * norms[j];
      }
      observations[t] = new Observation(norms, squares, 0.1);
    }
    RaisOptions options = RaisOptions.defaults().withDraw(DrawMode.IID).withRecordCapacity(RECORDS);
    try (RaisSampler sampler = new RaisSampler(labels, CLASSES, 1, options)) {
      Run run = new Run(sampler, observations);
      // The first set waits for examples seen twice: on the largest sets a quarter of an epoch.
      while (sampler.uncertaintySet() == null) {
        run.step();
      }
      for (int t = 0; t < repetitions * PERIOD; t++) {
        run.step(); // to the compiled code
      }
      run.toRefresh();
      double[] periods = new double[2 * repetitions];
      double[] steps = new double[periods.length * PERIOD];
      for (int r = 0; r < periods.length; r++) {
        // The step that refreshes is the last of its period.
        for (int t = 0; t < PERIOD; t++) {
          double nanos = run.step();
          periods[r] += nanos / PERIOD;
          steps[r * PERIOD + t] = nanos;
        }
      }
      double step = median(steps);

      double[] refreshes = new double[repetitions];
      double[] plainRefreshes = new double[repetitions];
      double[] reads = new double[repetitions];
      long bytes = sampler.offHeapBytes();
      try (Arena arena = Arena.ofShared()) {
        MemorySegment memory = arena.allocate(bytes + (long) Integer.BYTES * n, 64);
        for (int r = 0; r < repetitions; r++) {
          refreshes[r] = run.refreshNanos() - step;
          pause(); // as before a refresh: cores that slept begin slowly
          long start = System.nanoTime();
          Reading.sumOfLongs(memory);
          reads[r] = System.nanoTime() - start;
        }
      }
      // Not in turns: C2 would compile the loops for both ways, and no user runs both.
      System.setProperty(VECTORS, "false");
      for (int r = 0; r < repetitions; r++) {
        plainRefreshes[r] = run.refreshNanos() - step;
      }
      System.clearProperty(VECTORS);
      return new StepTimes(
          step,
          median(periods),
          median(refreshes),
          median(plainRefreshes),
          median(reads),
          (double) bytes / n);
    }
  }

  private static void pause() {
    try {
      Thread.sleep(200);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  /** A sampler that is stepped through. */
  private static final class Run {
    private final RaisSampler sampler;
    private final Observation[] observations;
    private int next;

    Run(RaisSampler sampler, Observation[] observations) {
      this.sampler = sampler;
      this.observations = observations;
    }

    /** One step; returns its nanoseconds. */
    long step() {
      Observation observation = observations[next++ % OBSERVATIONS];
      long start = System.nanoTime();
      Minibatch batch = sampler.draw(M);
      sampler.observe(batch, observation);
      return System.nanoTime() - start;
    }

    /** A period; returns the nanoseconds of its last step, the one that refreshes. */
    long refreshNanos() {
      for (int t = 0; t < PERIOD - 1; t++) {
        step();
      }
      pause(); // the set's training ends meanwhile, so that the draw need not wait for it
      return step();
    }

    /** Steps up to and including the next refresh. */
    void toRefresh() {
      long before = sampler.statistics().refreshes();
      while (sampler.statistics().refreshes() == before) {
        step();
      }
    }
  }
}
