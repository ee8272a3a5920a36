package dev.rais.bench.kernels;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A kernel, the copy and, where there are such, the separate steps in turn: whatever slows the
 * machine down slows all of them down, and their ratio within one iteration stands.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class Turns {
  /** What a turn's parts took, summed over an iteration. */
  @AuxCounters(AuxCounters.Type.EVENTS)
  @State(Scope.Thread)
  public static class Times {
    /** Nanoseconds of the copy. */
    public long copyNanos;

    /** Nanoseconds of the kernel. */
    public long kernelNanos;

    /** Nanoseconds of the separate steps. */
    public long separateNanos;

    /** Turns of each. */
    public long turns;

    /** Bytes of a turn of the kernel. */
    public long kernelBytes;

    /** Bytes of a turn of the copy. */
    public long copyBytes;

    /** How often a turn does the kernel's work. */
    public long kernelRepeats;
  }

  /** {@code cpu} or {@code cuda}. */
  @Param("cpu")
  public String device;

  /** One of {@link KernelNames#ALL}. */
  @Param("lossLayer1000")
  public String kernel;

  /** Threads of the CPU's kernels and of its copy. */
  @Param("1")
  public int threads;

  /** Small operands, only to show that everything runs. */
  @Param("false")
  public boolean quick;

  private Kernel measured;
  private int turn;

  /** Makes the operands and compares the results with the reference. */
  @Setup(Level.Trial)
  public void prepare() {
    Sizes sizes = new Sizes(quick);
    measured =
        device.equals("cuda")
            ? CudaKernels.of(kernel, CudaMachine.open(), sizes)
            : HostKernels.of(kernel, threads, sizes);
    measured.check();
  }

  /** Each once; which one begins changes. */
  @Benchmark
  public void turn(Times times) {
    int sides = measured.hasSeparateSteps() ? 3 : 2;
    for (int i = 0; i < sides; i++) {
      int side = (turn + i) % sides;
      long start = System.nanoTime();
      switch (side) {
        case 0 -> measured.copy();
        case 1 -> measured.run();
        default -> measured.runSeparately();
      }
      long nanos = System.nanoTime() - start;
      switch (side) {
        case 0 -> times.copyNanos += nanos;
        case 1 -> times.kernelNanos += nanos;
        default -> times.separateNanos += nanos;
      }
    }
    turn++;
    times.turns++;
    times.kernelBytes += measured.bytes();
    times.copyBytes += measured.copyBytes();
    times.kernelRepeats += measured.repeats();
  }

  /** Frees everything. */
  @TearDown(Level.Trial)
  public void close() {
    measured.close();
  }
}
