package dev.rais.bench.kernels;

import dev.rais.backend.cpu.TrivialCall;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** What a call into a native library costs, besides what the function does. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class Downcalls {
  /** Loads oneDNN and asks it once. */
  @Setup(Level.Trial)
  public void prepare() {
    if (TrivialCall.ordinary() < 1 || TrivialCall.critical() != TrivialCall.ordinary()) {
      throw new IllegalStateException("oneDNN sees no processor");
    }
  }

  /** As oneDNN's primitives and launchers of kernels are called. */
  @Benchmark
  public long ordinary() {
    return TrivialCall.ordinary();
  }

  /** Without the transitions that let garbage be collected meanwhile. */
  @Benchmark
  public long critical() {
    return TrivialCall.critical();
  }
}
