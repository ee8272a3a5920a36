package dev.rais.bench.kernels;

import dev.rais.backend.cuda.KernelLibrary;
import dev.rais.backend.cuda.Kernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * The CUDA kernels' sources on the CPU (docs/cuda-on-host.md), to test the benchmarks: their times
 * say nothing.
 */
final class HostMachine implements Machine {
  private static final int ALIGNMENT = 256;

  private final Kernels kernels;

  HostMachine(Path library) {
    kernels = KernelLibrary.load(library);
  }

  @Override
  public Kernels kernels() {
    return kernels;
  }

  @Override
  public MemorySegment stream() {
    return MemorySegment.NULL;
  }

  @Override
  public Memory allocate(long numBytes) {
    Arena arena = Arena.ofShared();
    MemorySegment segment = arena.allocate(numBytes, ALIGNMENT);
    return new Memory() {
      @Override
      public MemorySegment pointer() {
        return segment;
      }

      @Override
      public void write(MemorySegment host) {
        segment.copyFrom(host);
      }

      @Override
      public void read(MemorySegment host) {
        host.copyFrom(segment);
      }

      @Override
      public void close() {
        arena.close();
      }
    };
  }

  @Override
  public void copy(Memory from, Memory to, long numBytes) {
    MemorySegment.copy(from.pointer(), 0, to.pointer(), 0, numBytes);
  }

  @Override
  public void synchronize() {}

  @Override
  public void close() {}
}
